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
const NEAR: usize = 4096;

/// The most names of permissions that a thread keeps, and how many are looked at before one is hashed: a power of two.
const MOST_NAMES: usize = 4096;
const NEAR_NAMES: usize = 64;

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
type Key = (u128, u128);

/// What a user may do in an organization, and while what is so.
#[derive(Debug)]
pub(super) struct Answer {
    key: Key,
    /// The number of the last write before the rows were read.
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

/// A name that is not too long, in the line itself, and its number.
#[derive(Debug, Clone, Copy)]
struct NearName {
    bytes: [u8; 16],
    length: u32,
    number: u32,
}

impl NearName {
    /// No name is empty.
    const NONE: Self = Self { bytes: [0; 16], length: 0, number: 0 };
}

/// The first and the last eight bytes of a name of 8 to 16, which are all of it; none of another name.
#[inline]
fn ends(name: &[u8]) -> Option<[u8; 16]> {
    if name.len() > 16 {
        return None;
    }
    let (first, last) = (name.first_chunk::<8>()?, name.last_chunk::<8>()?);
    Some((u128::from(u64::from_ne_bytes(*first)) << 64 | u128::from(u64::from_ne_bytes(*last))).to_ne_bytes())
}

/// Some bits of a name.
#[inline]
fn near_name(ends: &[u8; 16], length: usize) -> usize {
    let mixed = (u128::from_ne_bytes(*ends) >> 20) as usize ^ (u128::from_ne_bytes(*ends) >> 85) as usize ^ length;
    (mixed ^ (mixed >> 21)) & (NEAR_NAMES - 1)
}

impl Hot {
    /// Whether this user holds this permission there; none where the store has to be asked, or the permission does not have its form.
    #[inline]
    pub(super) fn ask(
        &mut self,
        (usr, org, permission): (UserId, OrgId, &str),
        clearing: u64,
        (stamps, clock, names): (&Stamps, &dyn Clock, &Names),
    ) -> Option<bool> {
        let number = match self.near_number(permission) {
            Some(number) => Some(number),
            None => self.number(permission, names)?,
        };
        let answer = self.find(key(usr, org), clearing, stamps, clock)?;
        // What nobody was found to hold has no number.
        Some(number.is_some_and(|number| answer.has(number)))
    }

    #[inline]
    fn near_number(&self, permission: &str) -> Option<u32> {
        let ends = ends(permission.as_bytes())?;
        let there = self.near_names.get(near_name(&ends, permission.len()))?;
        // Of the same length, and the same at both ends, which meet.
        (there.bytes == ends && usize::try_from(there.length) == Ok(permission.len())).then_some(there.number)
    }

    /// Everything that a user holds there, where the store need not be asked.
    pub(super) fn mask(&mut self, usr: UserId, org: OrgId, clearing: u64, stamps: &Stamps, clock: &dyn Clock) -> Option<Arc<Mask>> {
        Some(Arc::clone(&self.find(key(usr, org), clearing, stamps, clock)?.mask))
    }

    /// The answer under a key, if it holds still.
    #[inline]
    fn find(&mut self, key: Key, clearing: u64, stamps: &Stamps, clock: &dyn Clock) -> Option<&Answer> {
        if self.clearing != clearing {
            return None;
        }
        let mut place = usize::from(self.near.get(near(key)).copied()?);
        if self.answers.get(place).is_none_or(|answer| answer.key != key) {
            place = self.look_up(key)?;
        }
        let answer = self.answers.get(place)?;
        // What never ends needs no clock, which takes longer to read than all the rest.
        let lasts = !answer.ends || self.spans.get(&key).is_some_and(|span| span.contains(clock.now()));
        (lasts && stamps.are_still(answer.marks, answer.since)).then_some(answer)
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
        if let (Some(bytes), Ok(length)) = (ends(permission.as_bytes()), u32::try_from(permission.len()))
            && let Some(near) = self.near_names.get_mut(near_name(&bytes, permission.len()))
        {
            *near = NearName { bytes, length, number };
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
    use uuid::Uuid;

    use super::*;
    use crate::id::Id;
    use crate::source::SystemClock;

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
        // Short ones, such as fit a line, and long ones.
        let name = |n: usize| match n % 3 {
            0 => format!("a.b{n}"),
            1 => format!("doc.action{n}"),
            _ => format!("documents-of-others.action{n}"),
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
        let mut ask = |n: usize, name: &str| hot.ask((pair(n).0, pair(n).1, name), 0, (&stamps, &SystemClock, &names));
        for n in (0..MOST).chain((0..MOST).rev()) {
            let held: Vec<_> = (0..100).filter(|at| ask(n, &name(*at)) == Some(true)).collect();
            assert_eq!(held, [n % 100], "{n}");
        }
        assert_eq!((ask(7, "no.body"), ask(7, "no slug"), ask(MOST, "a.b0")), (Some(false), None, None));
        let (usr, org) = pair(MOST);
        hot.keep(Answer::new(usr, org, mask(1), 0, Marks::of(usr, org)), Span::default(), 0);
        let mut ask = |n: usize| hot.ask((pair(n).0, pair(n).1, "a.b0"), 0, (&stamps, &SystemClock, &names));
        assert_eq!((ask(1), ask(MOST).is_some()), (None, true), "the others were forgotten");
        let (usr, org) = pair(MOST);
        assert_eq!(hot.ask((usr, org, "a.b0"), 1, (&stamps, &SystemClock, &names)), None, "all was to be forgotten");
    }
}
