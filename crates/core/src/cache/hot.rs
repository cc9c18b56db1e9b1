//! What a thread asked last, kept where no other thread looks: no lock, and nothing that two threads write to.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::mask::{Mask, Names};
use crate::id::{OrgId, UserId};
use crate::permissions::Span;
use crate::source::Clock;
use crate::stamps::{Marks, Stamps};
use crate::value::PermissionSlug;

/// The most answers that a thread keeps. They are copies of what all threads share, so that forgetting all of them at once does no harm.
pub(super) const MOST: usize = 4096;

/// How many places are looked at before anything is hashed: a power of two.
const NEAR: usize = 8192;

/// The most names of permissions that a thread keeps, and how many are looked at before one is hashed: a power of two.
const MOST_NAMES: usize = 4096;
const NEAR_NAMES: usize = 256;

/// Answers and names, as one thread met them.
pub(super) struct Hot {
    /// Which clearing of the cache this is behind.
    clearing: u64,
    /// One to a line of the processor's caches.
    answers: Vec<Answer>,
    /// Where answers stand, by a hash of their keys.
    index: HashTable<u16>,
    /// Where those stand that were asked for last, by some bits of their keys.
    near: Box<[u16; NEAR]>,
    /// How long answers last that rest on something with an end.
    spans: HashMap<Key, Span, RandomState>,
    names: HashMap<PermissionSlug, u32, RandomState>,
    near_names: Box<[NearName; NEAR_NAMES]>,
    hasher: RandomState,
}

impl fmt::Debug for Hot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hot").field("answers", &self.answers.len()).finish_non_exhaustive()
    }
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            clearing: 0,
            answers: Vec::new(),
            index: HashTable::new(),
            near: Box::new([0; NEAR]),
            spans: HashMap::default(),
            names: HashMap::default(),
            near_names: Box::new([NearName::NONE; NEAR_NAMES]),
            hasher: RandomState::default(),
        }
    }
}

/// A user and an organization.
pub(super) type Key = (u128, u128);

/// What a user may do in an organization, and while what is so.
#[derive(Debug)]
pub(super) struct Answer {
    key: Key,
    /// The number of the last write before the rows were read, or of a later one up to which the answer is known to hold.
    since: u64,
    /// The first of the mask's bits: the permissions that somebody was found to hold first, and so the commonest.
    first: u64,
    mask: Arc<Mask>,
    marks: Marks,
    /// Whether it rests on something with an end.
    ends: bool,
}

impl Answer {
    pub(super) fn new(usr: UserId, org: OrgId, mask: Arc<Mask>, since: u64, marks: Marks) -> Self {
        Self { key: key(usr, org), since, first: mask.first(), mask, marks, ends: false }
    }

    /// Whether nothing that it rests on was written since.
    #[inline]
    fn holds(&mut self, stamps: &Stamps) -> bool {
        // Before the marks: what is written meanwhile is looked for the next time.
        let last = stamps.now();
        if last == self.since {
            return true;
        }
        let holds = stamps.are_still(self.marks, self.since);
        if holds {
            self.since = last;
        }
        holds
    }

    #[inline]
    fn has(&self, number: u32) -> bool {
        if number < u64::BITS { self.first >> number & 1 == 1 } else { self.mask.has(number) }
    }
}

#[inline]
fn key(usr: UserId, org: OrgId) -> Key {
    (usr.as_uuid().as_u128(), org.as_uuid().as_u128())
}

/// Some bits of a key. Ids that were made to meet here are found by their hash, and only slower.
#[inline]
fn near((usr, org): Key) -> usize {
    let mixed = usr as usize ^ (org as usize).rotate_left(7);
    (mixed ^ (mixed >> 12)) & (NEAR - 1)
}

/// A name that is neither very short nor very long, and its number.
#[derive(Debug, Clone, Copy)]
struct NearName {
    ends: Ends,
    length: u32,
    number: u32,
}

impl NearName {
    /// No name is empty.
    const NONE: Self = Self { ends: ([0; 2], [0; 2]), length: 0, number: 0 };
}

/// The first bytes of a name and its last ones, which are all of it.
type Ends = ([u64; 2], [u64; 2]);

/// Of a name of 8 to 32 bytes, two words from either end, or one where two would be more than it has. None of another name. Together with
/// the length they tell the name.
#[inline]
fn ends(name: &[u8]) -> Option<Ends> {
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    if let (Some(first), Some(last), ..=32) = (name.first_chunk::<16>(), name.last_chunk::<16>(), name.len()) {
        let two = |bytes: &[u8; 16]| Some([word(bytes.first_chunk()?), word(bytes.last_chunk()?)]);
        return Some((two(first)?, two(last)?));
    }
    let (first, last) = (name.first_chunk::<8>()?, name.last_chunk::<8>()?);
    (name.len() < 16).then_some(([word(first), 0], [0, word(last)]))
}

/// Some bits of a name.
#[inline]
fn near_name(([first, _], [_, last]): &Ends) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    ((first.rotate_left(23) ^ last.rotate_left(37)).wrapping_mul(ODD) >> 32) as usize & (NEAR_NAMES - 1)
}

impl Hot {
    /// Whether a user holds a permission somewhere, where both are near; with none, [`ask`](Self::ask) may know.
    #[inline]
    pub(super) fn ask_near(&mut self, key: Key, permission: &str, clearing: u64, stamps: &Stamps) -> Option<bool> {
        let number = self.near_number(permission)?;
        let place = usize::from(self.near.get(near(key)).copied()?);
        let answer = self.answers.get_mut(place)?;
        // What never ends needs no clock, which takes longer to read than all the rest.
        if answer.key != key || answer.ends || self.clearing != clearing || !answer.holds(stamps) {
            return None;
        }
        Some(answer.has(number))
    }

    /// Whether this user holds this permission there; none where the store has to be asked, or the permission does not have its form.
    #[inline(never)]
    pub(super) fn ask(
        &mut self,
        key: Key,
        permission: &str,
        clearing: u64,
        (stamps, clock, names): (&Stamps, &dyn Clock, &Names),
    ) -> Option<bool> {
        let number = match self.near_number(permission) {
            Some(number) => Some(number),
            None => self.number(permission, names)?,
        };
        let answer = self.find(key, clearing, stamps, clock)?;
        // What nobody was found to hold has no number.
        Some(number.is_some_and(|number| answer.has(number)))
    }

    #[inline]
    fn near_number(&self, permission: &str) -> Option<u32> {
        let ends = ends(permission.as_bytes())?;
        let there = self.near_names.get(near_name(&ends))?;
        // Of the same length, and the same at both ends, which meet.
        (there.ends == ends && usize::try_from(there.length) == Ok(permission.len())).then_some(there.number)
    }

    /// Everything that a user holds there, where the store need not be asked.
    pub(super) fn mask(&mut self, usr: UserId, org: OrgId, clearing: u64, stamps: &Stamps, clock: &dyn Clock) -> Option<Arc<Mask>> {
        Some(Arc::clone(&self.find(key(usr, org), clearing, stamps, clock)?.mask))
    }

    /// The answer under a key, if it holds still.
    fn find(&mut self, key: Key, clearing: u64, stamps: &Stamps, clock: &dyn Clock) -> Option<&Answer> {
        if self.clearing != clearing {
            return None;
        }
        let mut place = usize::from(self.near.get(near(key)).copied()?);
        if self.answers.get(place).is_none_or(|answer| answer.key != key) {
            place = self.look_up(key)?;
        }
        let answer = self.answers.get_mut(place)?;
        // What never ends needs no clock, which takes longer to read than all the rest.
        if answer.ends && !self.spans.get(&key).is_some_and(|span| span.contains(clock.now())) {
            return None;
        }
        answer.holds(stamps).then_some(answer)
    }

    fn look_up(&mut self, key: Key) -> Option<usize> {
        let is = |place: &u16| self.answers.get(usize::from(*place)).is_some_and(|answer| answer.key == key);
        let place = *self.index.find(self.hasher.hash_one(key), is)?;
        if let Some(near) = self.near.get_mut(near(key)) {
            *near = place;
        }
        Some(usize::from(place))
    }

    /// The number of a permission, if it has one; none for a text that is no permission.
    #[expect(clippy::option_option, reason = "no form, no number, and a number")]
    fn number(&mut self, permission: &str, names: &Names) -> Option<Option<u32>> {
        let number = if let Some(number) = self.names.get(permission) {
            *number
        } else {
            let slug = PermissionSlug::parse(permission)?;
            let Some(number) = names.number(permission) else { return Some(None) };
            if self.names.len() >= MOST_NAMES {
                self.names.clear();
            }
            self.names.insert(slug, number);
            number
        };
        if let (Some(ends), Ok(length)) = (ends(permission.as_bytes()), u32::try_from(permission.len()))
            && let Some(near) = self.near_names.get_mut(near_name(&ends))
        {
            *near = NearName { ends, length, number };
        }
        Some(Some(number))
    }

    pub(super) fn keep(&mut self, mut answer: Answer, span: Span, clearing: u64) {
        if self.clearing != clearing || self.answers.len() >= MOST {
            self.answers.clear();
            self.index.clear();
            self.spans.clear();
            self.clearing = clearing;
        }
        answer.ends = span != Span::default();
        if answer.ends {
            self.spans.insert(answer.key, span);
        } else {
            self.spans.remove(&answer.key);
        }
        let key = answer.key;
        if let Some(place) = self.look_up(key) {
            if let Some(there) = self.answers.get_mut(place) {
                *there = answer;
            }
            return;
        }
        // There are fewer than can be counted so.
        let Ok(place) = u16::try_from(self.answers.len()) else { return };
        self.answers.push(answer);
        let Self { answers, index, hasher, .. } = self;
        let hash = |place: &u16| hasher.hash_one(answers.get(usize::from(*place)).map_or((0, 0), |answer| answer.key));
        index.insert_unique(hasher.hash_one(key), place, hash);
        if let Some(near) = self.near.get_mut(near(key)) {
            *near = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};

    use uuid::Uuid;

    use super::*;
    use crate::id::Id;
    use crate::source::SystemClock;
    use crate::stamps::Touched;

    fn id<I: Id>(n: u128) -> I {
        I::from_uuid(Uuid::from_u128(0x0196_f3c2_1b7a_7000_8000_0000_0000_0000 + n)).unwrap()
    }

    #[test]
    fn an_answer_fits_a_line_of_a_cache() {
        assert_eq!(size_of::<Answer>(), 64);
    }

    #[test]
    fn every_answer_is_found_under_its_own_key_until_there_are_too_many() {
        let (mut hot, names, stamps) = (Hot::default(), Names::default(), Stamps::default());
        // Too short to be near, of 8 to 19 bytes, of 20 to 33, and too long.
        let name = |n: usize| match n % 4 {
            0 => format!("a.b{n}"),
            1 => format!("doc.a{}{n}", "b".repeat(n / 8)),
            2 => format!("documents-of.others{}{n}", "s".repeat(n / 8)),
            _ => format!("documents-of-many-others.actions-of-theirs{n}"),
        };
        let slugs: Vec<PermissionSlug> = (0..100).map(|n| PermissionSlug::parse(&name(n)).unwrap()).collect();
        names.numbers(&slugs.iter().cloned().collect());
        let numbers: Vec<u32> = slugs.iter().map(|slug| names.number(slug.as_str()).unwrap()).collect();
        let mask = |n: usize| Arc::new(Mask::of(&[numbers[n % 100]]));
        let pair = |n: usize| (id::<UserId>(u128::try_from(n % 61).unwrap()), id::<OrgId>(u128::try_from(n).unwrap()));
        for n in 0..MOST {
            let (usr, org) = pair(n);
            hot.keep(Answer::new(usr, org, mask(n), 0, Marks::of(usr, org)), Span::default(), 0);
        }
        let mut ask = |n: usize, name: &str| {
            let near = hot.ask_near(key(pair(n).0, pair(n).1), name, 0, &stamps);
            let found = hot.ask(key(pair(n).0, pair(n).1), name, 0, (&stamps, &SystemClock, &names));
            assert!(near.is_none() || near == found, "{n} {name}: {near:?}, {found:?}");
            found
        };
        for n in (0..MOST).chain((0..MOST).rev()) {
            let held: Vec<_> = (0..100).filter(|at| ask(n, &name(*at)) == Some(true)).collect();
            assert_eq!(held, [n % 100], "{n}");
        }
        assert_eq!((ask(7, "no.body"), ask(7, "no slug"), ask(MOST, "a.b0")), (Some(false), None, None));
        let (usr, org) = pair(MOST);
        hot.keep(Answer::new(usr, org, mask(1), 0, Marks::of(usr, org)), Span::default(), 0);
        let mut ask = |n: usize| hot.ask(key(pair(n).0, pair(n).1), "a.b0", 0, (&stamps, &SystemClock, &names));
        assert_eq!((ask(1), ask(MOST).is_some()), (None, true), "the others were forgotten");
        let (usr, org) = pair(MOST);
        assert_eq!(hot.ask(key(usr, org), "a.b0", 1, (&stamps, &SystemClock, &names)), None, "all was to be forgotten");
    }

    #[test]
    fn an_answer_outlives_what_others_write_and_not_what_it_rests_on() {
        let (mut hot, names, stamps) = (Hot::default(), Names::default(), Stamps::default());
        names.numbers(&[PermissionSlug::parse("docs.read").unwrap()].into());
        let (usr, org) = (id::<UserId>(1), id::<OrgId>(2));
        hot.keep(Answer::new(usr, org, Arc::new(Mask::of(&[0])), stamps.now(), Marks::of(usr, org)), Span::default(), 0);
        let mut ask = || hot.ask(key(usr, org), "docs.read", 0, (&stamps, &SystemClock, &names));
        for n in 0..3 {
            stamps.mark(&Touched::of(&[id(70 + n)]));
            assert_eq!((ask(), ask()), (Some(true), Some(true)));
        }
        stamps.mark(&Touched::of(&[usr]));
        stamps.mark(&Touched::of(&[id(80)]));
        assert_eq!((ask(), ask()), (None, None));
    }

    #[test]
    fn no_answer_is_older_than_a_write_that_was_answered_before_it_was_asked_for() {
        // What is written: a number that rises. It is marked when it can be read, and answered when it is marked.
        const WRITES: u64 = 1_000_000;
        let (stamps, state, answered) = (Stamps::default(), AtomicU64::new(0), AtomicU64::new(0));
        let (usr, org) = (id::<UserId>(1), id::<OrgId>(2));
        let begin = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                begin.wait();
                for number in 1..=WRITES {
                    state.store(number, Ordering::SeqCst);
                    stamps.mark(&Touched::of(&[usr]));
                    answered.store(number, Ordering::SeqCst);
                    // Others write too.
                    stamps.mark(&Touched::of(&[id(70)]));
                }
            });
            let mut answer: Option<Answer> = None;
            begin.wait();
            while answered.load(Ordering::SeqCst) < WRITES {
                let least = answered.load(Ordering::SeqCst);
                if let Some(answer) = &mut answer
                    && answer.holds(&stamps)
                {
                    assert!(answer.first >= least, "{} is told, and {least} was answered", answer.first);
                    continue;
                }
                let since = stamps.now();
                let first = state.load(Ordering::SeqCst);
                answer = Some(Answer { first, ..Answer::new(usr, org, Arc::default(), since, Marks::of(usr, org)) });
            }
        });
    }
}
