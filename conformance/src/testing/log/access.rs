//! The part of the story that is about permissions: rows that are known by what they join, not by an id of their own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenantry_core::{AnyId, Dump, Event, GroupMember, GroupRole, Holder, Id, IdType, PermissionGrant, Timestamp};

use super::{Told, fields, wire};

/// What a role, an organization or a membership holds: effect and end.
type Held = (String, Value);

/// What the events told of permissions, groups and overrides.
#[derive(Default)]
pub(super) struct Access {
    catalog: BTreeSet<String>,
    grants: BTreeMap<(AnyId, String), Held>,
    members: BTreeMap<(AnyId, AnyId), Value>,
    group_roles: BTreeMap<(AnyId, AnyId), Value>,
}

impl Access {
    /// Takes in an event; whether that is all that there is to it.
    pub(super) fn tell(&mut self, event: &Event, rows: &Dump, told: &mut BTreeMap<AnyId, Told>) -> bool {
        let (before, after) = (fields(&event.data.before), fields(&event.data.after));
        let end = after.get("expires_at").cloned().unwrap_or_default();
        let (first, second) = (event.subject_ids.first().copied(), event.subject_ids.get(1).copied());
        match (event.kind.as_str(), first, second) {
            ("catalog.synced", ..) => self.catalog.extend(slugs(after.get("created"))),
            ("role.created", Some(role), _) => {
                self.give(role, slugs(after.get("permissions")), "grant", &Value::Null);
                return false;
            }
            ("role.permissions_granted", Some(role), _) => self.give(role, slugs(after.get("permissions")), "grant", &end),
            ("role.permissions_revoked", Some(role), _) => self.take(role, slugs(before.get("permissions"))),
            ("role.deleted", Some(role), _) => {
                self.grants.retain(|(holder, _), _| *holder != role);
                self.replace(role, (before.get("slug"), after.get("replacement_role_id")), event.at, rows, told);
                return false;
            }
            ("override.org_changed" | "override.membership_changed", Some(holder), _) => {
                self.take(holder, slugs(before.get("permissions")));
                if let Some(effect) = after.get("effect").and_then(Value::as_str) {
                    self.give(holder, slugs(after.get("permissions")), effect, &end);
                }
            }
            ("group.deleted", Some(group), _) => {
                self.members.retain(|(of, _), _| *of != group);
                self.group_roles.retain(|(of, _), _| *of != group);
                return false;
            }
            ("group.member_added", Some(group), Some(usr)) => {
                // Also of a group that an import brought.
                told.entry(group).or_default().insert("org_id".to_owned(), wire(&event.org_id));
                self.members.insert((group, usr), end);
            }
            ("group.member_removed", Some(group), Some(usr)) => drop(self.members.remove(&(group, usr))),
            ("group.role_added", Some(group), Some(role)) => drop(self.group_roles.insert((group, role), end)),
            ("group.role_removed", Some(group), Some(role)) => drop(self.group_roles.remove(&(group, role))),
            ("membership.role_changed", Some(old), Some(new)) => {
                let held: Vec<_> =
                    self.grants.iter().filter(|((holder, _), _)| *holder == old).map(|(key, held)| (key.clone(), held.clone())).collect();
                self.grants.extend(held.into_iter().map(|((_, slug), held)| ((new, slug), held)));
                return false;
            }
            // Who is no member any more is in no group there.
            ("membership.left" | "membership.removed" | "membership.expired", _, usr) => {
                self.leave(event, |member| usr == Some(member), told);
                return false;
            }
            ("organization.revoked", ..) => {
                self.leave(event, |_| true, told);
                return false;
            }
            _ => return false,
        }
        true
    }

    fn give(&mut self, holder: AnyId, slugs: Vec<String>, effect: &str, end: &Value) {
        self.grants.extend(slugs.into_iter().map(|slug| ((holder, slug), (effect.to_owned(), end.clone()))));
    }

    fn take(&mut self, holder: AnyId, slugs: Vec<String>) {
        for slug in slugs {
            self.grants.remove(&(holder, slug));
        }
    }

    fn leave(&mut self, event: &Event, who: impl Fn(AnyId) -> bool, told: &BTreeMap<AnyId, Told>) {
        let org = wire(&event.org_id);
        let is_there = |group: &AnyId| told.get(group).and_then(|group| group.get("org_id")) == Some(&org);
        self.members.retain(|(group, usr), _| !(is_there(group) && who(*usr)));
    }

    /// Who held the role holds the other one. The event does not name them: those whose row says so are believed.
    fn replace(
        &mut self,
        role: AnyId,
        (slug, to): (Option<&Value>, Option<&Value>),
        at: Timestamp,
        rows: &Dump,
        told: &mut BTreeMap<AnyId, Told>,
    ) {
        let held: Vec<AnyId> = self.group_roles.keys().filter(|(_, held)| *held == role).map(|(group, _)| *group).collect();
        self.group_roles.retain(|(_, held), _| *held != role);
        let Some(to) = to.and_then(Value::as_str).and_then(|id| id.parse::<AnyId>().ok()) else { return };
        for group in held {
            let row = rows.group_roles.iter().find(|row| (row.group_id.any(), row.role.id().any()) == (group, to));
            self.group_roles.insert((group, to), row.map(|row| wire(&row.expires_at)).unwrap_or_default());
        }
        let holders = told.iter_mut().filter(|(row, told)| row.kind != IdType::Role && told.get("role") == slug);
        for (row, told) in holders {
            let mem = rows.memberships.iter().find(|mem| mem.id.any() == *row);
            // Roles of several organizations may have the slug: whose row changed then is told by the row.
            if mem.is_some_and(|mem| mem.updated_at == at) {
                told.insert("updated_at".to_owned(), wire(&at));
            }
            let mem = mem.map(|mem| mem.role);
            let inv = rows.invitations.iter().find(|inv| inv.id.any() == *row).map(|inv| inv.role);
            if let Some(now) = mem.or(inv) {
                told.insert("role".to_owned(), wire(&now.slug()));
            }
        }
    }

    /// Where the rows are not as the events tell. An import does not tell what it brought: then all that is told must be there, and more
    /// may be; what has come to its end makes room for it.
    pub(super) fn compare(&self, rows: &Dump, imported: bool, now: Timestamp) -> Vec<String> {
        let catalog: BTreeSet<String> = rows.permissions.iter().map(|row| row.slug.to_string()).collect();
        let held = |row: &PermissionGrant| {
            let holder = match row.holder {
                Holder::Role(id) => id.any(),
                Holder::Organization(id) => id.any(),
                Holder::Membership(id) => id.any(),
            };
            ((holder, row.permission.to_string()), (row.effect.as_str().to_owned(), wire(&row.expires_at)))
        };
        let grants = rows.grants.iter().map(held).collect::<BTreeMap<_, _>>();
        let member = |row: &GroupMember| ((row.group_id.any(), row.usr_id.any()), wire(&row.expires_at));
        let members = rows.group_members.iter().map(member).collect::<BTreeMap<_, _>>();
        let role = |row: &GroupRole| ((row.group_id.any(), row.role.id().any()), wire(&row.expires_at));
        let group_roles = rows.group_roles.iter().map(role).collect::<BTreeMap<_, _>>();
        let mut lines = Vec::new();
        if if imported { !self.catalog.is_subset(&catalog) } else { self.catalog != catalog } {
            lines.push(format!("events tell the catalog {:?}, it is {catalog:?}", self.catalog));
        }
        if differ(&self.grants, &grants, |(_, end)| imported.then(|| is_over(end, now))) {
            lines.push(format!("events tell the grants {:?}, they are {grants:?}", self.grants));
        }
        if differ(&self.members, &members, |end| imported.then(|| is_over(end, now))) {
            lines.push(format!("events tell of groups with {:?}, they are {members:?}", self.members));
        }
        if differ(&self.group_roles, &group_roles, |end| imported.then(|| is_over(end, now))) {
            lines.push(format!("events tell the roles of groups {:?}, they are {group_roles:?}", self.group_roles));
        }
        lines
    }
}

/// Whether what was told is not what is there; where there may be more, whether something that was told and is not over is missing.
fn differ<K: Ord, V: PartialEq>(told: &BTreeMap<K, V>, there: &BTreeMap<K, V>, is_over: impl Fn(&V) -> Option<bool>) -> bool {
    let missing = |(key, value): (&K, &V)| there.get(key) != Some(value) && is_over(value) != Some(true);
    told.iter().any(missing) || there.iter().any(|(key, value)| is_over(value).is_none() && !told.contains_key(key))
}

fn is_over(end: &Value, now: Timestamp) -> bool {
    end.as_str().is_some_and(|end| end <= now.to_string().as_str())
}

/// The slugs in the data of an event, which has all of them up to a thousand.
fn slugs(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(|value| value.get("slugs").or(Some(value))).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
