//! What each query answers.

use std::ops::Bound;

use super::roster::Row;
use super::{State, load::pairs_of};
use crate::entity::{Invitation, InvitationStatus, Membership, Organization, User};
use crate::event::Event;
use crate::id::{Id, InvitationId, OrgId, UserId};
use crate::query::{EventQuery, Expiry, InvitationFilter, InvitationQuery, MembershipFilter, MembershipQuery, OrgQuery, Window};
use crate::time::Timestamp;
use crate::value::Name;

impl State {
    /// The users with these ids, in order of id.
    pub fn read_users(&self, ids: &[UserId]) -> Vec<User> {
        let mut users: Vec<User> = ids.iter().filter_map(|id| self.user(*id)).collect();
        users.sort_by_key(|user| user.id);
        users.dedup_by_key(|user| user.id);
        users
    }

    /// Organizations; `None` when the one that the query names does not exist.
    pub fn read_orgs(&self, query: &OrgQuery) -> Option<Vec<Organization>> {
        Some(match query {
            OrgQuery::Ids(ids) => {
                let mut orgs: Vec<Organization> = ids.iter().filter_map(|id| self.org(*id)).collect();
                orgs.sort_by_key(|org| org.id);
                orgs.dedup_by_key(|org| org.id);
                orgs
            }
            OrgQuery::Slug(slug) => self.slugs.get(slug).and_then(|id| self.org(*id)).into_iter().collect(),
            OrgQuery::Path(id) => self.path(*id),
            OrgQuery::Children { parent, window } => {
                self.orgs.get(parent)?;
                cut(self.child_orgs(*parent, window.after).cloned(), window)
            }
            OrgQuery::Descendants { org, levels, window } => {
                self.orgs.get(org)?;
                let mut below = self.below(*org, *levels);
                below.retain(|id| window.after.is_none_or(|after| *id > after));
                below.sort_unstable();
                cut(below.into_iter().filter_map(|id| self.org(id)), window)
            }
            OrgQuery::All { status, contains, window } => {
                let wanted = |org: &&Organization| {
                    status.is_none_or(|status| org.status == status)
                        && contains.as_ref().is_none_or(|text| {
                            org.name.as_ref().map(Name::folded).is_some_and(|name| name.contains(text.as_str()))
                                || org.slug.as_ref().is_some_and(|slug| slug.as_str().contains(text.as_str()))
                        })
                };
                let start = window.after.map_or(Bound::Unbounded, Bound::Excluded);
                cut(self.org_ids.range((start, Bound::Unbounded)).filter_map(|id| self.orgs.get(id)).filter(wanted).cloned(), window)
            }
        })
    }

    /// Memberships; `None` when the organization that the query names does not exist.
    pub fn read_memberships(&self, query: &MembershipQuery) -> Option<Vec<Membership>> {
        Some(match query {
            MembershipQuery::Ids(ids) => {
                let mut rows: Vec<Membership> = ids.iter().filter_map(|id| self.memberships.get(id).map(Row::unpack)).collect();
                rows.sort_by_key(|mem| mem.id);
                rows.dedup_by_key(|mem| mem.id);
                rows
            }
            MembershipQuery::Current { org, usr } => self.current_of(*org, *usr).into_iter().collect(),
            MembershipQuery::Siblings(id) => {
                let same = self.memberships.get(id);
                let of_user = |same: &'_ Row| self.memberships.of_user(same.usr_id, None);
                let rows = same.into_iter().flat_map(|same| of_user(same).filter(|mem| mem.org_id == same.org_id));
                rows.map(Row::unpack).collect()
            }
            MembershipQuery::OfOrg { org, filter, window } => {
                self.orgs.get(org)?;
                cut(self.memberships.of_org(*org, window.after).filter(|mem| passes(mem, *filter)).map(Row::unpack), window)
            }
            MembershipQuery::OfUser { usr, filter, window } => {
                cut(self.memberships.of_user(*usr, window.after).filter(|mem| passes(mem, *filter)).map(Row::unpack), window)
            }
        })
    }

    /// Invitations; `None` when the organization that the query names does not exist.
    pub fn read_invitations(&self, query: &InvitationQuery) -> Option<Vec<Invitation>> {
        let row = |id: &InvitationId| self.invitations.get(id);
        Some(match query {
            InvitationQuery::Id(id) => row(id).into_iter().cloned().collect(),
            InvitationQuery::OfOrg { org, filter, window } => {
                self.orgs.get(org)?;
                let rows = self.invitations_of.range(pairs_of(*org, window.after)).filter_map(|(_, id)| row(id));
                cut(rows.filter(|inv| open(inv, *filter)).cloned(), window)
            }
            InvitationQuery::For { identifier, filter, window } => {
                let start = window.after.map_or(Bound::Included((identifier.clone(), InvitationId::LOWEST)), |after| {
                    Bound::Excluded((identifier.clone(), after))
                });
                let rows = self.invitations_for.range((start, Bound::Included((identifier.clone(), InvitationId::HIGHEST))));
                cut(rows.filter_map(|(_, id)| row(id)).filter(|inv| open(inv, *filter)).cloned(), window)
            }
        })
    }

    /// How many memberships an organization has; `None` when it does not exist.
    pub fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Option<u64> {
        self.orgs.get(&org)?;
        u64::try_from(self.memberships.of_org(org, None).filter(|mem| passes(mem, filter)).count()).ok()
    }

    /// Events; `None` when the organization, or the event behind which to begin, does not exist.
    pub fn read_events(&self, query: &EventQuery) -> Option<Vec<Event>> {
        Some(match query {
            EventQuery::OfOrg { org, after, fetch } => {
                self.orgs.get(org)?;
                let fetch = usize::try_from(*fetch).unwrap_or(usize::MAX);
                self.log.of_org(*org, *after).take(fetch).cloned().collect()
            }
            EventQuery::Id(id) => self.log.get(*id).into_iter().cloned().collect(),
            EventQuery::All { after, fetch } => {
                let fetch = usize::try_from(*fetch).unwrap_or(usize::MAX);
                self.log.behind(*after)?.take(fetch).cloned().collect()
            }
        })
    }
}

/// The rows start behind the window's id already; this cuts them to its size.
fn cut<T, I>(rows: impl Iterator<Item = T>, window: &Window<I>) -> Vec<T> {
    rows.take(usize::try_from(window.fetch).unwrap_or(usize::MAX)).collect()
}

fn passes(mem: &Row, filter: Option<MembershipFilter>) -> bool {
    let Some(MembershipFilter { stored, expiry }) = filter else { return true };
    mem.status == stored && expiry.is_none_or(|expiry| lies(mem.expires_at(), expiry))
}

fn open(inv: &Invitation, filter: Option<InvitationFilter>) -> bool {
    let Some(InvitationFilter { pending, stored }) = filter else { return true };
    let fits = |expiry| inv.status == InvitationStatus::Pending && lies(Some(inv.expires_at), expiry);
    pending.is_some_and(fits) || stored == Some(inv.status)
}

/// How an end lies to a moment; where there is none, it lies behind every moment.
fn lies(end: Option<Timestamp>, expiry: Expiry) -> bool {
    match expiry {
        Expiry::After(now) => end.is_none_or(|end| end > now),
        Expiry::NotAfter(now) => end.is_some_and(|end| end <= now),
    }
}
