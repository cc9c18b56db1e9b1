//! Users: their status and revision follow from the events about them.

use std::collections::BTreeMap;

use super::rows::Rows;
use super::{Found, Invariant};
use crate::entity::{User, UserStatus};
use crate::event::EventType;
use crate::id::{Id, UserId};

/// How often each thing happened to a user. Events of several processes have no order, and need none for this.
#[derive(Debug, Default)]
struct Told {
    created: bool,
    suspended: u64,
    reinstated: u64,
    revoked: u64,
}

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    let mut told: BTreeMap<UserId, Told> = BTreeMap::new();
    for event in &rows.store_events {
        let usr = event.subject_ids.first().and_then(|id| id.to_string().parse().ok());
        let Some(usr) = usr else { continue };
        let mut about = |count: fn(&mut Told)| count(told.entry(usr).or_default());
        match event.kind {
            EventType::UserCreated => about(|told| told.created = true),
            EventType::UserSuspended => about(|told| told.suspended += 1),
            EventType::UserReinstated => about(|told| told.reinstated += 1),
            EventType::UserRevoked => about(|told| told.revoked += 1),
            _ => {}
        }
    }
    for (usr, told) in told {
        let Some(user) = rows.users.get(&usr) else {
            found.add(Invariant::RowThere, "user_account", &[usr.any()], "there are events about the user, and no row");
            continue;
        };
        if !told.leads_to(user.status) {
            let message = format!("the user is {}, and the events lead to another status", user.status);
            found.add(Invariant::UserLog, "user_account", &[usr.any()], message);
        }
        revision(user, &told, found);
    }
}

fn revision(user: &User, told: &Told, found: &mut Found) {
    let changes = told.suspended + told.reinstated + told.revoked;
    if user.revision < changes {
        let message = format!("the revision is {}, and the status has changed {changes} times", user.revision);
        found.add(Invariant::UserRevision, "user_account", &[user.id.any()], message);
    }
}

impl Told {
    /// Whether the events lead to this status: from active on where the user was made here, else from any that an import may bring.
    fn leads_to(&self, status: UserStatus) -> bool {
        let is_silent = self.suspended + self.reinstated == 0;
        match (self.revoked, status) {
            (1, UserStatus::Revoked) => true,
            (0, UserStatus::Revoked) => is_silent && !self.created,
            (0, UserStatus::Active) => self.suspended == self.reinstated || (!self.created && self.reinstated == self.suspended + 1),
            (0, UserStatus::Suspended) => self.suspended == self.reinstated + 1 || (!self.created && self.suspended == self.reinstated),
            _ => false,
        }
    }
}
