//! What each repair means.

use super::State;
use super::apply::{Undo, UndoLog};
use crate::doctor::Repair;
use crate::entity::{OrgStatus, Organization};
use crate::id::OrgId;
use crate::query::EventQuery;
use crate::value::Slug;

impl State {
    /// Writes repairs, all of them or none; false, and nothing is written, when a row is not as a repair expects it. The log tells how
    /// to take them back.
    pub fn repair_logged(&mut self, repairs: &[Repair], log: &mut UndoLog) -> bool {
        let before = log.0.len();
        let done = repairs.iter().all(|repair| self.mend(repair, &mut log.0));
        if !done {
            self.take_back_to(log, before);
        }
        done
    }

    /// The same where nothing is to be taken back.
    pub fn repair(&mut self, repairs: &[Repair]) -> bool {
        self.repair_logged(repairs, &mut UndoLog::default())
    }

    fn mend(&mut self, repair: &Repair, undo: &mut Vec<Undo>) -> bool {
        match repair {
            Repair::SetAncestors { org_id, from, to } => {
                self.mend_org(*org_id, undo, |org| (org.ancestors == *from).then(|| org.ancestors.clone_from(to)))
            }
            Repair::SetRevision { org_id, from, to } => {
                // The last event of all, and no further one.
                let last = EventQuery::OfOrg { org: *org_id, after: to.saturating_sub(1), fetch: 2 };
                let are_all = self.read_events(&last).is_some_and(|events| events.len() == 1);
                are_all && self.mend_org(*org_id, undo, |org| (org.revision == *from).then(|| org.revision = *to))
            }
            Repair::DropSlug { slug, org_id } => {
                let holds = self.slugs.get(slug) == Some(org_id) && !self.has_slug(*org_id, slug);
                if holds {
                    self.slugs.remove(slug);
                    undo.push(Undo::Slug(slug.clone(), Some(*org_id)));
                }
                holds
            }
            Repair::PutSlug { slug, org_id } => {
                let free = !self.slugs.contains_key(slug) && self.has_slug(*org_id, slug);
                if free {
                    self.slugs.insert(slug.clone(), *org_id);
                    undo.push(Undo::Slug(slug.clone(), None));
                }
                free
            }
        }
    }

    fn mend_org(&mut self, id: OrgId, undo: &mut Vec<Undo>, mend: impl FnOnce(&mut Organization) -> Option<()>) -> bool {
        let Some(org) = self.orgs.get_mut(&id) else { return false };
        let before = org.clone();
        let done = mend(org).is_some();
        if done {
            undo.push(Undo::Org(id, Some(Box::new(before))));
        }
        done
    }

    /// Whether the organization has the slug and is not revoked.
    fn has_slug(&self, id: OrgId, slug: &Slug) -> bool {
        self.orgs.get(&id).is_some_and(|org| org.status != OrgStatus::Revoked && org.slug.as_ref() == Some(slug))
    }
}
