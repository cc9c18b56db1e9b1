//! The events of a store, played again: what they tell must be what its rows say. Written from spec/events.md alone, so that an event
//! that is lost, or tells something else than was done, is noticed without asking the rules.

mod access;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tenantry_core::{AnyId, Dump, Event, Id, IdType, Timestamp};

use access::Access;

/// Where the rows are not as the events tell, one line for each; nothing of a sound store. The events are taken in the order of their
/// ids, which is that of the commits as long as one process wrote.
pub fn log_differences(rows: &Dump, now: Timestamp) -> Vec<String> {
    let mut story = Story::default();
    let mut events: Vec<&Event> = rows.events.iter().collect();
    events.sort_by_key(|event| event.id);
    for event in events {
        story.tell(event, rows);
    }
    story.compare(rows, now)
}

/// The fields of a row, as far as events told them.
type Told = Map<String, Value>;

/// What the events told so far.
#[derive(Default)]
struct Story {
    rows: BTreeMap<AnyId, Told>,
    access: Access,
    /// Whether there was an import, which does not tell of each row that it brought.
    imported: bool,
}

/// Fields that stand in the data of events, and are none of the row.
const OTHER: [&str; 10] = [
    "tuples_deleted",
    "memberships_ended",
    "membership_ids",
    "invitations_revoked",
    "memberships",
    "invitations",
    "tuples",
    "organizations_moved",
    "groups_left",
    // Of a role: they stand in rows of their own.
    "permissions",
];

impl Story {
    fn tell(&mut self, event: &Event, rows: &Dump) {
        let kind = event.kind.as_str();
        let (Some(subject), after) = (event.subject_ids.first().copied(), fields(&event.data.after)) else {
            self.imported |= kind == "import.applied";
            self.access.tell(event, rows, &mut self.rows);
            return;
        };
        if self.access.tell(event, rows, &mut self.rows) {
            return;
        }
        match kind {
            "import.applied" => self.imported = true,
            // It is told to the parent, about a row that tells its own.
            "organization.child_added" => {}
            "membership.role_changed" => self.rotate(event, &after),
            "tuple.deleted" | "group.deleted" | "role.deleted" => drop(self.rows.remove(&subject)),
            _ => {
                let told = self.rows.entry(subject).or_default();
                if let Some(empty) = first_fields(kind) {
                    told.extend(empty);
                    told.insert("created_at".to_owned(), wire(&event.at));
                }
                // Also of rows that an import brought.
                told.insert("org_id".to_owned(), wire(&event.org_id));
                if subject.kind == IdType::Membership {
                    told.insert("usr_id".to_owned(), wire(&event.subject_ids.get(1)));
                }
                told.extend(after);
                told.insert("updated_at".to_owned(), wire(&event.at));
            }
        }
        match kind {
            "organization.revoked" => self.revoke(subject, event),
            "membership.left" | "membership.removed" | "membership.expired" => self.withdraw(event, rows),
            _ => {}
        }
    }

    /// The old row ends, and the new one has all of it but its role; an owner's has no end.
    fn rotate(&mut self, event: &Event, after: &Told) {
        let [old, new, usr, ..] = event.subject_ids.as_slice() else { return };
        let before = self.rows.entry(*old).or_default();
        before.insert("status".to_owned(), json!("revoked"));
        before.insert("updated_at".to_owned(), wire(&event.at));
        let mut next = before.clone();
        let role = after.get("role").cloned().unwrap_or_default();
        if role == "owner" {
            next.insert("expires_at".to_owned(), Value::Null);
        }
        next.extend([
            ("org_id".to_owned(), wire(&event.org_id)),
            ("usr_id".to_owned(), wire(usr)),
            ("role".to_owned(), role),
            ("status".to_owned(), json!("active")),
            ("replaces".to_owned(), wire(old)),
            ("created_at".to_owned(), wire(&event.at)),
        ]);
        self.rows.insert(*new, next);
    }

    /// With an organization go its memberships, pending invitations and tuples.
    fn revoke(&mut self, org: AnyId, event: &Event) {
        let (id, at) = (wire(&org), event.at.to_string());
        let object = json!(org.as_uuid().hyphenated().to_string());
        self.rows
            .retain(|row, told| row.kind != IdType::Tuple || (told.get("org_id") != Some(&id) && told.get("object_id") != Some(&object)));
        for (row, told) in self.rows.iter_mut().filter(|(_, told)| told.get("org_id") == Some(&id)) {
            let later = told.get("expires_at").and_then(Value::as_str).is_some_and(|end| end > at.as_str());
            let status = told.get("status").and_then(Value::as_str).unwrap_or_default();
            let ends = match row.kind {
                IdType::Membership => status != "revoked",
                IdType::Invitation => status == "pending" && later,
                _ => false,
            };
            if ends {
                told.insert("status".to_owned(), json!("revoked"));
                told.insert("updated_at".to_owned(), json!(at));
            }
        }
    }

    /// With a membership go the tuples of its user in the scope. Of one on the organization itself the event does not tell whether it
    /// was in that scope: there the rows are believed.
    fn withdraw(&mut self, event: &Event, rows: &Dump) {
        let (Some(org), Some(usr)) = (event.org_id, event.subject_ids.get(1)) else { return };
        let (scope, subject) = (wire(&org), json!(usr.as_uuid().hyphenated().to_string()));
        let object = json!(org.as_uuid().hyphenated().to_string());
        let stays = |row: &AnyId, told: &Told| {
            let of_user = told.get("subject_type") == Some(&json!("usr")) && told.get("subject_id") == Some(&subject);
            let unclear = told.get("object_id") == Some(&object);
            let is_there = || rows.tuples.iter().any(|tuple| tuple.id.any() == *row);
            row.kind != IdType::Tuple || !of_user || told.get("org_id") != Some(&scope) || unclear && is_there()
        };
        self.rows.retain(|row, told| stays(row, told));
    }

    fn compare(mut self, rows: &Dump, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        let users = rows.users.iter().map(|row| (row.id.any(), wire(row)));
        let orgs = rows.organizations.iter().map(|row| (row.id.any(), wire(row)));
        let mems = rows.memberships.iter().map(|row| (row.id.any(), wire(row)));
        let invs = rows.invitations.iter().map(|row| (row.id.any(), wire(row)));
        let tuples = rows.tuples.iter().map(|row| (row.id.any(), wire(row)));
        let roles = rows.roles.iter().map(|row| (row.id.any(), wire(row)));
        let groups = rows.groups.iter().map(|row| (row.id.any(), wire(row)));
        lines.extend(self.access.compare(rows, self.imported, now));
        for (id, row) in users.chain(orgs).chain(roles).chain(groups).chain(mems).chain(invs).chain(tuples) {
            let Some(told) = self.rows.remove(&id) else {
                if !self.imported {
                    lines.push(format!("no event tells of {id}"));
                }
                continue;
            };
            for (field, value) in told.iter().filter(|(field, _)| !OTHER.contains(&field.as_str())) {
                // The log of a tuple without a scope is that of its object; and some rows do not say when they changed.
                let skips = id.kind == IdType::Tuple && field == "org_id" && row.get(field) == Some(&Value::Null);
                let known =
                    row.get(field).is_some_and(|found| found == value) || row.get(field).is_none() && LOG_ONLY.contains(&field.as_str());
                if !skips && !known {
                    lines.push(format!("{id}: events tell `{field}` {value}, the row says {}", row.get(field).unwrap_or(&Value::Null)));
                }
            }
        }
        let is_over = |told: &Told| told.get("expires_at").and_then(Value::as_str).is_some_and(|end| end <= now.to_string().as_str());
        // An import clears away what has expired and is in its way, and tells nothing of it.
        let gone = self.rows.into_iter().filter(|(id, told)| !(id.kind == IdType::Tuple && self.imported && is_over(told)));
        lines.extend(gone.map(|(id, _)| format!("events tell of {id}, and there is no such row")));
        lines
    }
}

/// What an event knows and not every kind of row.
const LOG_ONLY: [&str; 2] = ["updated_at", "org_id"];

/// The fields of a row that begins, with what they are where its event does not name them; nothing for another event.
fn first_fields(kind: &str) -> Option<Told> {
    let none = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect::<Told>();
    Some(match kind {
        "user.created" => none(&["display_name"]),
        "organization.created" => {
            let mut fields = none(&["name", "slug", "parent_id", "seat_limit", "external_id"]);
            fields.insert("metadata".to_owned(), json!({}));
            fields
        }
        "membership.added" => {
            let mut fields = none(&["expires_at", "invited_by", "replaces", "removed_by"]);
            fields.insert("metadata".to_owned(), json!({}));
            fields
        }
        "invitation.created" => Map::from_iter([("pre_tuples".to_owned(), json!([]))]),
        "tuple.created" => none(&["expires_at"]),
        "role.created" => none(&["description"]),
        _ => return None,
    })
}

pub(super) fn fields(fields: &impl Serialize) -> Told {
    match wire(fields) {
        Value::Object(fields) => fields,
        _ => Told::new(),
    }
}

fn wire(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(error.to_string()))
}
