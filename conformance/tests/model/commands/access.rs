//! Permissions, roles, groups, overrides and moves. All of it is written by trusted callers.

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_core::{Group, OrgStatus, Organization, Role, RoleDefinition, UserId};

use super::{Draft, Maker, draft};

/// The catalog of every sequence, as far as it is defined.
const PERMISSIONS: [&str; 5] = ["doc.read", "doc.write", "doc.list", "bill.read", "bill.pay.all"];
/// What roles are called: two of them can be shadowed, and one is a relation of tuples too.
pub(super) const ROLE_SLUGS: [&str; 3] = ["clerk", "auditor", "biller"];
const GROUP_SLUGS: [&str; 3] = ["desk", "night", "ops"];
/// The fixed id of the built-in role `member`.
const MEMBER_ROLE: &str = "rol_74656e616e7487728000000000000003";

impl Maker {
    /// A permission that is defined, or the flaw.
    fn permission(&mut self) -> &'static str {
        if self.slip(20) {
            return self.one_of(&["doc.none", "Doc.read", "doc", "doc.read\n"]);
        }
        let view = Arc::clone(&self.view);
        let defined = |slug: &str| view.rows.permissions.iter().any(|row| row.slug.as_str() == slug);
        self.pick(&PERMISSIONS, |_, slug| defined(slug)).copied().unwrap_or("doc.read")
    }

    fn permissions(&mut self) -> Value {
        (0..=self.dice.below(3)).map(|_| json!(self.permission())).collect()
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn define_permission(&mut self) -> Option<Draft> {
        let slug = if self.slip(20) { "doc" } else { self.one_of(&PERMISSIONS) };
        let category = self.maybe(20, |maker| json!(maker.one_of(&["documents", "money"])));
        let actor = if self.slip(20) { Some(self.person()) } else { None };
        Some(draft("define_permission", json!({"slug": slug, "category": category})).by(actor))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn sync_catalog(&mut self) -> Option<Draft> {
        let mut custom: Vec<Value> = (0..self.dice.below(4)).map(|_| json!({"slug": self.one_of(&PERMISSIONS)})).collect();
        if self.dice.percent(40) {
            custom.push(json!({"slug": "doc.read", "name": self.one_of(&["Read", "Look at"])}));
        }
        let manifest = self.maybe(40, |maker| {
            let surface = [json!(true), json!({"include": ["list", "create"]}), json!({"exclude": ["delete"]})];
            json!([{"collection": "bill", "api": maker.dice.pick(&surface), "actions": ["settle"]}])
        });
        Some(draft("sync_catalog", json!({"custom": custom, "manifest": manifest})))
    }

    pub(super) fn create_role(&mut self) -> Option<Draft> {
        let org = if self.dice.percent(75) { Some(self.active_org()?) } else { None };
        let slug = if self.slip(30) { self.one_of(&["member", "Clerk", "c"]) } else { self.one_of(&ROLE_SLUGS) };
        let inherits = self.maybe(60, |maker| json!(maker.dice.percent(75)));
        let permissions = self.maybe(60, Self::permissions);
        let actor = if self.slip(10) { Some(self.person()) } else { None };
        let org = org.map(|org| self.view.refer(org.id));
        let input = json!({"org_id": org, "slug": slug, "inherits_to_descendants": inherits, "permissions": permissions});
        Some(draft("create_role", input).by(actor))
    }

    fn custom_role(&mut self, fits: impl Fn(&Self, &RoleDefinition) -> bool) -> Option<RoleDefinition> {
        let view = Arc::clone(&self.view);
        self.pick(&view.rows.roles, fits).cloned()
    }

    fn any_role(&mut self) -> Option<RoleDefinition> {
        self.custom_role(|maker, role| role.org_id.is_none_or(|org| maker.in_active_org(org)))
    }

    /// Which roles are known in an organization, by id.
    fn role_known(&mut self, org: &Organization) -> String {
        if self.dice.percent(20) {
            return MEMBER_ROLE.to_owned();
        }
        let known = |_: &Self, role: &RoleDefinition| role.org_id.is_none_or(|home| home == org.id || org.ancestors.contains(&home));
        let role = self.custom_role(known);
        role.map_or_else(|| MEMBER_ROLE.to_owned(), |role| self.view.refer(role.id))
    }

    pub(super) fn update_role(&mut self) -> Option<Draft> {
        let role = self.any_role()?;
        let (name, inherits) = (self.maybe(50, |_| json!("Renamed")), self.maybe(60, |maker| json!(maker.dice.percent(60))));
        let input = json!({"role_id": self.view.refer(role.id), "name": name, "inherits_to_descendants": inherits});
        Some(draft("update_role", input))
    }

    pub(super) fn delete_role(&mut self) -> Option<Draft> {
        let role = self.custom_role(|maker, role| !role.is_system && role.org_id.is_none_or(|org| maker.in_active_org(org)))?;
        let org = role.org_id.and_then(|org| self.org(org).cloned());
        let replacement = match org {
            Some(org) if self.dice.percent(70) => Some(self.role_known(&org)),
            _ => None,
        };
        Some(draft("delete_role", json!({"role_id": self.view.refer(role.id), "replacement_role_id": replacement})))
    }

    pub(super) fn grant_role_permission(&mut self) -> Option<Draft> {
        let role = self.any_role()?;
        let ends = self.maybe(30, |maker| json!(maker.ttl()));
        let input = json!({"role_id": self.view.refer(role.id), "permission": self.permission(), "ttl_seconds": ends});
        Some(draft("grant_role_permission", input))
    }

    pub(super) fn revoke_role_permission(&mut self) -> Option<Draft> {
        let role = self.any_role()?;
        Some(draft("revoke_role_permission", json!({"role_id": self.view.refer(role.id), "permission": self.permission()})))
    }

    pub(super) fn seed_role_permissions(&mut self) -> Option<Draft> {
        // Mostly roles that are there.
        let of_system: Vec<String> =
            self.view.rows.roles.iter().filter(|role| role.org_id.is_none()).map(|role| role.slug.to_string()).collect();
        if of_system.is_empty() {
            return None;
        }
        let mut matrix = serde_json::Map::new();
        for _ in 0..=self.dice.below(2) {
            let role = if self.slip(10) { "owner".to_owned() } else { self.dice.pick(&of_system)? };
            let pattern = self.one_of(&["*", "*.read", "doc.*", "*.w*", "none.*"]);
            let out = self.dice.percent(30).then_some("!*.write");
            matrix.insert(role, json!([Some(pattern), out].into_iter().flatten().collect::<Vec<_>>()));
        }
        let matrix: Vec<Value> = matrix.into_iter().map(|(role, patterns)| json!({"role": role, "permissions": patterns})).collect();
        Some(draft("seed_role_permissions", json!({"matrix": matrix, "prune": self.dice.percent(40)})))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn seed_system_roles(&mut self) -> Option<Draft> {
        let inherits = self.maybe(60, |maker| json!([maker.one_of(&["owner", "member", "nobody"])]));
        Some(draft("seed_system_roles", json!({"inherits_to_descendants": inherits})))
    }

    pub(super) fn create_group(&mut self) -> Option<Draft> {
        let org = self.active_org()?;
        let slug = if self.slip(20) { "Desk" } else { self.one_of(&GROUP_SLUGS) };
        Some(draft("create_group", json!({"org_id": self.view.refer(org.id), "slug": slug})))
    }

    fn group(&mut self) -> Option<(Group, Organization)> {
        let view = Arc::clone(&self.view);
        let group = self.pick(&view.rows.groups, |maker, group| maker.in_active_org(group.org_id)).cloned()?;
        let org = self.org(group.org_id).cloned()?;
        Some((group, org))
    }

    pub(super) fn update_group(&mut self) -> Option<Draft> {
        let (group, _) = self.group()?;
        Some(draft("update_group", json!({"group_id": self.view.refer(group.id), "name": "Renamed"})))
    }

    pub(super) fn delete_group(&mut self) -> Option<Draft> {
        let (group, _) = self.group()?;
        Some(draft("delete_group", json!({"group_id": self.view.refer(group.id)})))
    }

    fn member_of(&mut self, org: &Organization) -> UserId {
        let people = self.people();
        let member = self.pick(&people, |maker, usr| maker.belongs(*usr, org.id)).copied();
        member.unwrap_or(self.view.external[0])
    }

    pub(super) fn add_group_member(&mut self) -> Option<Draft> {
        let (group, org) = self.group()?;
        let (usr, ends) = (self.member_of(&org), self.maybe(30, |maker| json!(maker.ttl())));
        let input = json!({"group_id": self.view.refer(group.id), "usr_id": self.view.refer(usr), "ttl_seconds": ends});
        Some(draft("add_group_member", input))
    }

    pub(super) fn remove_group_member(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        let row = self.dice.pick(&view.rows.group_members)?;
        let usr = if self.slip(30) { self.person() } else { row.usr_id };
        Some(draft("remove_group_member", json!({"group_id": view.refer(row.group_id), "usr_id": view.refer(usr)})))
    }

    pub(super) fn add_group_role(&mut self) -> Option<Draft> {
        let (group, org) = self.group()?;
        let (role, ends) = (self.role_known(&org), self.maybe(30, |maker| json!(maker.ttl())));
        Some(draft("add_group_role", json!({"group_id": self.view.refer(group.id), "role_id": role, "ttl_seconds": ends})))
    }

    pub(super) fn remove_group_role(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        let row = self.dice.pick(&view.rows.group_roles)?;
        Some(draft("remove_group_role", json!({"group_id": view.refer(row.group_id), "role_id": view.refer(row.role.id())})))
    }

    pub(super) fn set_org_override(&mut self) -> Option<Draft> {
        let org = self.active_org()?;
        let effect = self.one_of(&["grant", "deny", "deny", "inherit"]);
        let ends = if effect == "inherit" { Value::Null } else { self.maybe(30, |maker| json!(maker.ttl())) };
        let org = self.view.refer(org.id);
        let input = json!({"org_id": org, "permission": self.permission(), "effect": effect, "ttl_seconds": ends});
        Some(draft("set_org_override", input))
    }

    pub(super) fn set_membership_override(&mut self) -> Option<Draft> {
        let mem = self.member(|maker, mem| maker.belongs(mem.usr_id, mem.org_id) && maker.in_active_org(mem.org_id))?;
        let effect = self.one_of(&["grant", "deny", "clear"]);
        let ends = if effect == "clear" { Value::Null } else { self.maybe(30, |maker| json!(maker.ttl())) };
        let mem = self.view.refer(mem.id);
        let input = json!({"mem_id": mem, "permission": self.permission(), "effect": effect, "ttl_seconds": ends});
        Some(draft("set_membership_override", input))
    }

    pub(super) fn move_org(&mut self) -> Option<Draft> {
        let org = self.active_org()?;
        let below = self.slip(30);
        let fits = |_: &Self, other: &Organization| {
            other.status == OrgStatus::Active && (other.id == org.id || other.ancestors.contains(&org.id)) == below
        };
        let parent = if self.dice.percent(75) { self.any_org(fits).map(|parent| self.view.refer(parent.id)) } else { None };
        if self.dice.percent(20) {
            let limit = self.limit();
            let asked = json!({"org_id": self.view.refer(org.id), "new_parent_id": parent, "limit": limit});
            return Some(draft("preview_move_org", asked));
        }
        Some(draft("move_org", json!({"org_id": self.view.refer(org.id), "new_parent_id": parent})))
    }

    /// Somebody and an organization, mostly one where they have something.
    fn asked(&mut self) -> Option<(UserId, String)> {
        let org = self.any_org(Self::shown)?;
        let usr = if self.dice.percent(70) { self.member_of(&org) } else { self.person() };
        Some((usr, self.view.refer(org.id)))
    }

    fn shown(&self, org: &Organization) -> bool {
        self.lives(org.id) || org.status != OrgStatus::Revoked
    }

    /// Who asks: mostly nobody in particular, else somebody about themselves, now and then about another.
    fn asking(&mut self, usr: UserId) -> Option<UserId> {
        if !self.dice.percent(20) {
            return None;
        }
        Some(if self.slip(30) { self.person() } else { usr })
    }

    pub(super) fn ask(&mut self) -> Option<Draft> {
        let (usr, org) = self.asked()?;
        let mut actor = self.asking(usr);
        let name = self.view.refer(usr);
        let of_both = json!({"usr_id": name, "org_id": org});
        let with = |field: &str, value: Value| {
            let mut input = of_both.clone();
            input[field] = value;
            input
        };
        let (operation, input) = match self.dice.below(10) {
            0 | 1 => ("resolve_permissions", of_both),
            2 => ("has_permission", with("permission", json!(self.permission()))),
            3 => ("has_all_permissions", with("permissions", self.permissions())),
            4 => ("has_any_permission", with("permissions", self.permissions())),
            5 => ("explain_permission", with("permission", json!(self.permission()))),
            6 => {
                let mut asks = vec![with("permission", json!(self.permission()))];
                for _ in 0..self.dice.below(3) {
                    let (usr, org) = self.asked()?;
                    asks.push(json!({"usr_id": self.view.refer(usr), "org_id": org, "permission": self.permission()}));
                }
                ("has_permissions", json!({ "asks": asks }))
            }
            7 => {
                actor = None;
                ("list_users_with", json!({"org_id": org, "permission": self.permission(), "limit": self.limit()}))
            }
            8 => {
                actor = None;
                let permission = self.dice.percent(30).then(|| self.permission());
                let only = self.dice.percent(30).then(|| name.clone());
                ("review_permissions", json!({"org_id": org, "permission": permission, "usr_id": only, "limit": self.limit()}))
            }
            _ => ("list_orgs_with", json!({"usr_id": name, "permission": self.permission(), "limit": self.limit()})),
        };
        Some(draft(operation, input).by(actor))
    }

    pub(super) fn read_access(&mut self) -> Option<Draft> {
        let limit = self.limit();
        Some(match self.dice.below(9) {
            0 => draft("list_permissions", json!({ "limit": limit })),
            1 => {
                let role = self.any_role()?;
                draft("get_role", json!({"role_id": self.view.refer(role.id)}))
            }
            2 => {
                let org = if self.dice.percent(60) { Some(self.active_org()?) } else { None };
                let actor = org.as_ref().and_then(|org| self.reader(org.id));
                let org = org.map(|org| self.view.refer(org.id));
                draft("list_roles", json!({"org_id": org, "limit": limit})).by(actor)
            }
            3 => {
                let (group, org) = self.group()?;
                let actor = self.reader(org.id);
                draft("get_group", json!({"group_id": self.view.refer(group.id)})).by(actor)
            }
            4 => {
                let org = self.active_org()?;
                let actor = self.reader(org.id);
                draft("list_groups", json!({"org_id": self.view.refer(org.id), "limit": limit})).by(actor)
            }
            5 => {
                let (group, _) = self.group()?;
                draft("list_group_members", json!({"group_id": self.view.refer(group.id), "limit": limit}))
            }
            6 => {
                let (group, _) = self.group()?;
                draft("list_group_roles", json!({"group_id": self.view.refer(group.id), "limit": limit}))
            }
            7 => {
                let org = self.active_org()?;
                let actor = self.acting(org.id, Role::Admin.rank());
                draft("list_org_overrides", json!({"org_id": self.view.refer(org.id), "limit": limit})).by(actor)
            }
            _ => {
                let mem = self.member(|maker, mem| maker.belongs(mem.usr_id, mem.org_id))?;
                draft("list_membership_overrides", json!({"mem_id": self.view.refer(mem.id), "limit": limit}))
            }
        })
    }
}
