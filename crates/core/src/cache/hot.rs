//! What a thread asked last, kept where no other thread looks: no lock, and nothing that two threads write to.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::mask::{Mask, Names};
use crate::id::{OrgId, UserId};
use crate::permissions::Span;
use crate::source::Clock;
use crate::stamps::{Marks, Stamps};
use crate::value::PermissionSlug;

/// The most answers that a thread keeps. They are copies of what all threads share, so that forgetting all of them at once does no harm.
pub(super) const MOST: usize = 4096;

/// The most names of permissions that a thread keeps.
const MOST_NAMES: usize = 4096;

/// Answers and names, as one thread met them.
#[derive(Debug, Default)]
pub(super) struct Hot {
    /// Which clearing of the cache this is behind.
    clearing: u64,
    answers: HashMap<(u128, u128), Answer, RandomState>,
    names: HashMap<PermissionSlug, u32, RandomState>,
}

/// What a user may do in an organization, and while what is so.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) mask: Arc<Mask>,
    /// The number of the last write before the rows were read.
    pub(super) since: u64,
    pub(super) marks: Marks,
    pub(super) span: Span,
}

fn key(usr: UserId, org: OrgId) -> (u128, u128) {
    (usr.as_uuid().as_u128(), org.as_uuid().as_u128())
}

impl Answer {
    fn holds(&self, stamps: &Stamps, clock: &dyn Clock) -> bool {
        // What never ends needs no clock, which takes longer to read than all the rest.
        stamps.are_still(self.marks, self.since) && (self.span == Span::default() || self.span.contains(clock.now()))
    }
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
        if self.clearing != clearing {
            return None;
        }
        let answer = self.answers.get(&key(usr, org)).filter(|answer| answer.holds(stamps, clock))?;
        if let Some(number) = self.names.get(permission) {
            return Some(answer.mask.has(*number));
        }
        let Some(number) = names.number(permission) else {
            // Nobody who was asked about holds it.
            return PermissionSlug::parse(permission).map(|_| false);
        };
        let held = answer.mask.has(number);
        if let Some(slug) = PermissionSlug::parse(permission) {
            if self.names.len() >= MOST_NAMES {
                self.names.clear();
            }
            self.names.insert(slug, number);
        }
        Some(held)
    }

    /// Everything that a user holds there, where the store need not be asked.
    pub(super) fn mask(&self, usr: UserId, org: OrgId, clearing: u64, stamps: &Stamps, clock: &dyn Clock) -> Option<Arc<Mask>> {
        let answer = self.answers.get(&key(usr, org)).filter(|answer| self.clearing == clearing && answer.holds(stamps, clock))?;
        Some(Arc::clone(&answer.mask))
    }

    pub(super) fn keep(&mut self, usr: UserId, org: OrgId, clearing: u64, answer: Answer) {
        if self.clearing != clearing || self.answers.len() >= MOST {
            self.answers.clear();
            self.clearing = clearing;
        }
        self.answers.insert(key(usr, org), answer);
    }
}
