//! Marks that writes leave, so that whoever keeps an answer can tell without asking the store whether it still holds.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::change::{Change, Guard, Plan};
use crate::id::{OrgId, UserId};

/// How many marks there are for trees, and for users. Several share one: who shares a mark with what was written only asks once more
/// than needed.
const MARKS: usize = 2048;

/// When something that permissions rest on was last written: of the system, of a user, in a tree of organizations.
///
/// Writes are numbered. Whoever keeps an answer keeps the [number](Self::now) that stood before the rows were read; the answer holds as
/// long as nothing that it rests on has a higher mark. Reading marks takes no lock and waits for nobody.
pub struct Stamps {
    /// The number of the last write whose marks all stand. Moves behind them, so that whoever reads it and then finds no mark of what
    /// an answer rests on knows that the answer held up to that write.
    writes: Alone,
    /// One write is marked at a time.
    marking: Mutex<()>,
    system: Alone,
    // Of a length that is known when this is built: no place is out of it.
    users: Box<[AtomicU64; MARKS]>,
    trees: Box<[AtomicU64; MARKS]>,
}

/// A number on a line of its own of the processor's caches, which other numbers do not make each thread fetch again.
#[repr(align(64))]
struct Alone(AtomicU64);

impl fmt::Debug for Stamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamps").field("writes", &self.now()).finish_non_exhaustive()
    }
}

impl Default for Stamps {
    fn default() -> Self {
        let marks = || Box::new([const { AtomicU64::new(0) }; MARKS]);
        let alone = || Alone(AtomicU64::new(0));
        Self { writes: alone(), marking: Mutex::default(), system: alone(), users: marks(), trees: marks() }
    }
}

/// Which marks an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    user: u16,
    tree: u16,
}

impl Marks {
    /// Those of a user, in the tree with this root.
    pub(crate) fn of(usr: UserId, root: OrgId) -> Self {
        Self { user: place(usr.as_uuid()), tree: place(root.as_uuid()) }
    }
}

/// The mark that an id goes by. Ids come from elsewhere too, so that no part of them is sure to vary.
fn place(id: Uuid) -> u16 {
    let (high, low) = id.as_u64_pair();
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 53;
    u16::try_from(mixed).unwrap_or_default()
}

impl Stamps {
    /// The number of the last write: to be read before the rows that an answer comes from.
    #[inline]
    pub fn now(&self) -> u64 {
        self.writes.0.load(Ordering::Acquire)
    }

    /// Marks a write: when reads see it, before it is answered.
    pub fn mark(&self, touched: &Touched) {
        if touched.is_nothing() {
            return;
        }
        let marking = self.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.now() + 1;
        if touched.everything || touched.system {
            self.system.0.store(number, Ordering::Release);
        }
        let raise = |marks: &[AtomicU64; MARKS], id: Uuid| {
            if let Some(mark) = marks.get(usize::from(place(id))) {
                mark.store(number, Ordering::Release);
            }
        };
        touched.users.iter().for_each(|usr| raise(&self.users, usr.as_uuid()));
        touched.trees.iter().for_each(|root| raise(&self.trees, root.as_uuid()));
        self.writes.0.store(number, Ordering::Release);
        drop(marking);
    }

    /// Whether nothing of this was written behind that number, as far as [`now`](Self::now) tells that was read before.
    #[inline]
    pub(crate) fn are_still(&self, marks: Marks, since: u64) -> bool {
        let still = |at: &[AtomicU64; MARKS], place: u16| {
            at.get(usize::from(place) & (MARKS - 1)).is_some_and(|mark| mark.load(Ordering::Acquire) <= since)
        };
        self.system.0.load(Ordering::Acquire) <= since && still(&self.trees, marks.tree) && still(&self.users, marks.user)
    }
}

/// What a write touched of that which permissions rest on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    everything: bool,
    system: bool,
    users: Vec<UserId>,
    trees: Vec<OrgId>,
}

/// A plan of more steps than this counts as one that touches everything.
const MANY: usize = 10_000;

impl Touched {
    /// A write of which it is not known what it touched.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// A write of these users' rows.
    #[cfg(test)]
    pub(crate) fn of(users: &[UserId]) -> Self {
        Self { users: users.to_vec(), ..Self::default() }
    }

    /// Whether it was nothing.
    pub const fn is_nothing(&self) -> bool {
        !self.everything && !self.system && self.users.is_empty() && self.trees.is_empty()
    }

    /// Adds what a plan touches that has been applied, given the root of an organization's tree as it is behind it: the organization itself
    /// where nothing is above it.
    ///
    /// Whatever is written of an organization is told by an event of it, and so guarded with its revision; an organization that gets
    /// another place moves the structure of both trees.
    pub fn add(&mut self, plan: &Plan, root: impl Fn(OrgId) -> OrgId) {
        if plan.changes.len() > MANY || plan.guards.len() > MANY {
            self.everything = true;
            return;
        }
        for guard in &plan.guards {
            match guard {
                Guard::Tree { root, advance: true, .. } => self.trees.push(*root),
                Guard::System { advance: true, .. } => self.system = true,
                Guard::User { id, advance: true, .. } => self.users.push(*id),
                Guard::Org { id, events: 1.., .. } => self.trees.push(root(*id)),
                Guard::Tree { .. }
                | Guard::System { .. }
                | Guard::User { .. }
                | Guard::Org { .. }
                | Guard::NewOrgs
                | Guard::NoOrg { .. }
                | Guard::NewUsers { .. }
                | Guard::Object { .. }
                | Guard::Memberships { .. } => {}
            }
        }
        for change in &plan.changes {
            match change {
                Change::InsertUser(user) => self.users.push(user.id),
                Change::SetUserStatus { id, .. } => self.users.push(*id),
                Change::InsertOrg(org) => self.trees.push(root(org.id)),
                // Everything else belongs to an organization whose revision moves, or to the system.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    fn id<I: Id>(n: u128) -> I {
        I::from_uuid(Uuid::from_u128(0x0196_f3c2_1b7a_7000_8000_0000_0000_0000 + n)).unwrap()
    }

    #[test]
    fn a_mark_outdates_what_was_read_before_it_and_nothing_else() {
        let stamps = Stamps::default();
        let marks = Marks::of(id(1), id(2));
        let before = stamps.now();
        stamps.mark(&Touched::default());
        assert_eq!(stamps.now(), before, "a write of nothing is none");
        for (touched, still) in [
            (Touched { users: vec![id(1)], ..Touched::default() }, false),
            (Touched { users: vec![id(7)], ..Touched::default() }, true),
            (Touched { trees: vec![id(2)], ..Touched::default() }, false),
            (Touched { trees: vec![id(8)], ..Touched::default() }, true),
            (Touched { system: true, ..Touched::default() }, false),
            (Touched::everything(), false),
        ] {
            let before = stamps.now();
            assert!(stamps.are_still(marks, before));
            stamps.mark(&touched);
            assert_eq!(stamps.are_still(marks, before), still, "{touched:?}");
            assert!(stamps.are_still(marks, stamps.now()), "what is read behind it holds: {touched:?}");
        }
    }

    #[test]
    fn ids_are_spread_over_the_marks() {
        let places: std::collections::BTreeSet<u16> = (0..2000).map(|n| place(id::<UserId>(n).as_uuid())).collect();
        assert!(places.len() > 1000 && places.iter().all(|place| usize::from(*place) < MARKS), "{}", places.len());
    }
}
