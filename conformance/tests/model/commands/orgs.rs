//! Users and organizations.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tenantry_core::{OrgId, OrgStatus, Role, User, UserId, UserStatus};

use super::{Draft, Maker, draft};
use crate::machine::Theme;

const NAMES: [&str; 5] = ["Acme Inc.", "Straße 7", "ΟΔΟΣ", "50% _off_ \\", "İstanbul"];
pub(super) const SLUGS: [&str; 6] = ["acme", "beta", "core-2", "delta", "echo", "a"];
pub(super) const METADATA: [&str; 3] = [r"{}", r#"{"plan": "gold", "n": [1, 1.5, null]}"#, r#"{"é\"": {"": true}}"#];

impl Maker {
    pub(super) fn create_user(&mut self) -> Option<Draft> {
        if self.view.rows.users.len() > 7 {
            return None;
        }
        let name = self.maybe(40, |maker| json!(if maker.slip(50) { "two\nlines" } else { maker.one_of(&NAMES) }));
        let actor = if self.slip(50) { Some(self.person()) } else { None };
        Some(draft("create_user", json!({ "display_name": name })).by(actor))
    }

    pub(super) fn user_row(&mut self, fits: impl Fn(&Self, &User) -> bool) -> Option<UserId> {
        if self.slip(20) {
            return Some(self.person());
        }
        let view = Arc::clone(&self.view);
        self.pick(&view.rows.users, fits).map(|user| user.id)
    }

    pub(super) fn suspend_user(&mut self) -> Option<Draft> {
        let usr = self.user_row(|_, user| user.status != UserStatus::Revoked)?;
        let actor = if self.slip(20) {
            Some(self.person())
        } else if self.dice.percent(20) && self.acts(usr) {
            Some(usr)
        } else {
            None
        };
        Some(draft("suspend_user", json!({"usr_id": self.view.refer(usr)})).by(actor))
    }

    pub(super) fn reinstate_user(&mut self) -> Option<Draft> {
        let usr = self.user_row(|_, user| user.status == UserStatus::Suspended)?;
        Some(draft("reinstate_user", json!({"usr_id": self.view.refer(usr)})))
    }

    pub(super) fn revoke_user(&mut self) -> Option<Draft> {
        let owns = |maker: &Self, usr: UserId| {
            maker.view.rows.memberships.iter().any(|mem| mem.usr_id == usr && maker.is_active(mem) && maker.is_sole(mem))
        };
        let usr = self.user_row(|maker, user| user.status != UserStatus::Revoked && !owns(maker, user.id))?;
        Some(draft("revoke_user", json!({"usr_id": self.view.refer(usr)})))
    }

    /// A slug that is free, or in a step that is to fail perhaps one that is taken or none.
    pub(super) fn slug(&mut self) -> &'static str {
        if self.slip(30) {
            return self.one_of(&["-a", "Acme", "a\n"]);
        }
        let view = Arc::clone(&self.view);
        let taken = |slug: &str| view.rows.slugs.iter().any(|(held, _)| held.as_str() == slug);
        self.pick(&SLUGS, |_, slug| !taken(slug)).copied().unwrap_or("zeta")
    }

    pub(super) fn create_org(&mut self) -> Option<Draft> {
        let is_tree = self.view.theme == Theme::Trees;
        if self.view.rows.organizations.len() > if is_tree { 16 } else { 6 } {
            return None;
        }
        let view = Arc::clone(&self.view);
        let active = view.rows.organizations.iter().filter(|org| org.status == OrgStatus::Active);
        let parent = if is_tree && self.dice.percent(85) {
            active.max_by_key(|org| org.depth()).cloned()
        } else if self.dice.percent(35) {
            self.active_org()
        } else {
            None
        };
        let parent = parent.filter(|parent| parent.depth() < 9 || self.dice.percent(50));
        let actor = parent.as_ref().and_then(|parent| self.manager(parent.id));
        let creator = actor.filter(|_| !self.slip(30)).unwrap_or_else(|| self.person());
        let (slug, name) = (self.maybe(40, |maker| json!(maker.slug())), self.maybe(40, |maker| json!(maker.one_of(&NAMES))));
        let cascade = self.maybe(20, |maker| json!(maker.dice.percent(50)));
        let input = json!({"creator": view.refer(creator), "parent_id": parent.map(|parent| view.refer(parent.id)), "slug": slug,
            "name": name, "cascade_permissions": cascade});
        Some(draft("create_org", input).by(actor))
    }

    pub(super) fn update_org(&mut self) -> Option<Draft> {
        let org = self.any_org(|_, org| org.status != OrgStatus::Revoked)?;
        let mut input = Map::from_iter([("org_id".to_owned(), json!(self.view.refer(org.id)))]);
        let patch = |maker: &mut Self, value: Value| if maker.dice.percent(20) { Value::Null } else { value };
        for _ in 0..=self.dice.below(3) {
            let (field, value) = match self.dice.below(9) {
                0 => ("name", json!(if self.slip(50) { "" } else { self.one_of(&NAMES) })),
                1 | 2 => ("slug", json!(self.slug())),
                3 => ("cascade_permissions", json!(self.dice.percent(50))),
                4 => ("inherit_permissions", json!(self.dice.percent(50))),
                5 | 7 => ("seat_limit", json!(if self.slip(50) { -1 } else { i64::from(self.dice.percent(50)) * 3 + 1 })),
                6 => ("external_id", json!("crm-7")),
                _ => ("metadata", serde_json::from_str(self.one_of(&METADATA)).expect("JSON")),
            };
            let value = if value.is_boolean() { value } else { patch(self, value) };
            input.insert(field.to_owned(), value);
        }
        let actor = self.manager(org.id);
        Some(draft("update_org", Value::Object(input)).by(actor))
    }

    pub(super) fn suspend_org(&mut self) -> Option<Draft> {
        let org = self.active_org()?;
        let actor = self.acting(org.id, Role::Owner.rank());
        Some(draft("suspend_org", json!({"org_id": self.view.refer(org.id)})).by(actor))
    }

    pub(super) fn reinstate_org(&mut self) -> Option<Draft> {
        let org = self.any_org(|_, org| org.status == OrgStatus::Suspended)?;
        Some(draft("reinstate_org", json!({"org_id": self.view.refer(org.id)})))
    }

    pub(super) fn revoke_org(&mut self) -> Option<Draft> {
        let has_children = |maker: &Self, id: OrgId| {
            maker.view.rows.organizations.iter().any(|org| org.parent_id == Some(id) && org.status != OrgStatus::Revoked)
        };
        let parent = self.slip(60);
        let org = self.any_org(|maker, org| org.status != OrgStatus::Revoked && has_children(maker, org.id) == parent)?;
        let actor = self.acting(org.id, Role::Owner.rank());
        Some(draft("revoke_org", json!({"org_id": self.view.refer(org.id)})).by(actor))
    }
}

const PEOPLE: [&str; 4] = ["Ann", "Ann", "Zoë", "例"];

/// Tenants.
impl Maker {
    /// On whose behalf something of a user's own is done: mostly nobody's, else theirs, now and then another one's.
    fn oneself(&mut self, usr: UserId) -> Option<UserId> {
        if !self.dice.percent(30) {
            return None;
        }
        Some(if self.slip(30) { self.person() } else { usr })
    }

    fn with_policy(&mut self, mut input: Value) -> Value {
        let mode = if self.slip(10) { "strict" } else { self.one_of(&["flexible", "personal", "personal", "required", "required"]) };
        input["mode"] = json!(mode);
        input["max_tenants"] = self.maybe(60, |maker| json!(i64::try_from(maker.dice.below(4)).expect("a number")));
        input["default_name"] = self.maybe(20, |maker| json!(if maker.slip(30) { "" } else { maker.one_of(&NAMES) }));
        input
    }

    /// So that there are some for whom one is made, someone of whom nothing is known yet comes now and then.
    fn somebody(&mut self) -> UserId {
        let number = self.dice.below(6);
        let id = format!("usr_019600000000700080000000000000f{number}");
        if self.dice.percent(30) { id.parse().expect("an id") } else { self.person() }
    }

    pub(super) fn ensure_tenant_for_user(&mut self) -> Option<Draft> {
        let usr = self.somebody();
        if self.view.rows.organizations.len() > 9 {
            return None;
        }
        let name = self.maybe(70, |maker| json!(if maker.slip(20) { "" } else { maker.one_of(&PEOPLE) }));
        let actor = self.oneself(usr);
        let input = self.with_policy(json!({"usr_id": self.view.refer(usr), "name": name}));
        Some(draft("ensure_tenant_for_user", input).by(actor))
    }

    pub(super) fn create_tenant_with_ownership(&mut self) -> Option<Draft> {
        if self.view.rows.organizations.len() > 9 {
            return None;
        }
        let usr = self.person();
        // Names make slugs, those of organizations of other names too.
        let name = if self.slip(20) { "" } else { self.one_of(&["Acme", "acme!", "Beta", "Core 2", "Ann's Workspace", "例"]) };
        let slug = self.maybe(20, |maker| json!(maker.slug()));
        let actor = self.oneself(usr);
        let input = self.with_policy(json!({"usr_id": self.view.refer(usr), "name": name, "slug": slug}));
        Some(draft("create_tenant_with_ownership", input).by(actor))
    }

    pub(super) fn delete_tenant(&mut self) -> Option<Draft> {
        let owns =
            |maker: &Self, mem: &tenantry_core::Membership| mem.role == Role::Owner && maker.is_active(mem) && maker.acts(mem.usr_id);
        let mem = self.member(owns)?;
        let actor = self.oneself(mem.usr_id);
        let input = self.with_policy(json!({"usr_id": self.view.refer(mem.usr_id), "org_id": self.view.refer(mem.org_id)}));
        Some(draft("delete_tenant", input).by(actor))
    }
}
