//! What may follow on what the reference holds: mostly something that fits, now and then something that does not.

mod access;
mod imports;
mod members;
mod offers;
mod orgs;
mod reads;
mod tuples;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tenantry_core::{Dump, Id, Membership, MembershipStatus, OrgId, OrgStatus, Organization, Role, Timestamp, UserId, UserStatus, wire};

use crate::machine::{EXTERNAL, Model, Open, Theme};
use crate::step::{ADVANCE, Actor, Step};
use crate::tree::Dice;

/// What is known when a step is made.
pub(crate) struct View {
    theme: Theme,
    tag: usize,
    now: Timestamp,
    rows: Dump,
    names: HashMap<String, String>,
    external: Vec<UserId>,
    open: Vec<Open>,
    /// The rows of earlier imports.
    imports: Vec<Value>,
}

impl View {
    pub(crate) fn new(model: &Model) -> Self {
        let imports = model.history.iter().filter(|step| step.operation == "import").filter_map(|step| step.input.get("rows").cloned());
        Self {
            theme: model.theme,
            tag: model.history.len(),
            now: model.now(),
            rows: model.rows.clone(),
            names: model.names.clone(),
            external: EXTERNAL.iter().map(|name| model.vars[*name].parse().expect("a user's id")).collect(),
            open: model.open.clone(),
            imports: imports.collect(),
        }
    }

    /// How an id is written: by its variable, where it has one.
    fn refer(&self, id: impl Id) -> String {
        let id = id.to_string();
        self.names.get(&id).map_or_else(|| id.clone(), |name| format!("{{{name}}}"))
    }
}

/// A step without its tag.
struct Draft {
    operation: &'static str,
    input: Value,
    actor: Option<UserId>,
    vouched: Option<Vec<String>>,
}

fn draft(operation: &'static str, input: Value) -> Draft {
    Draft { operation, input, actor: None, vouched: None }
}

impl Draft {
    fn by(mut self, actor: Option<UserId>) -> Self {
        self.actor = actor;
        self
    }
}

/// Makes a step, where there is something that it could be about.
type Make = fn(&mut Maker) -> Option<Draft>;

/// How often each is tried, for members, trees, offers, grants and permissions.
const TABLE: &[([u32; 5], Make)] = &[
    ([5, 3, 8, 8, 5], Maker::advance_clock),
    ([4, 3, 3, 3, 2], Maker::create_user),
    ([4, 3, 3, 3, 1], Maker::suspend_user),
    ([9, 7, 6, 6, 2], Maker::reinstate_user),
    ([1, 1, 1, 1, 1], Maker::revoke_user),
    ([8, 70, 6, 5, 6], Maker::create_org),
    ([5, 8, 3, 2, 3], Maker::update_org),
    ([2, 3, 2, 2, 2], Maker::suspend_org),
    ([4, 8, 3, 3, 4], Maker::reinstate_org),
    ([2, 6, 1, 1, 1], Maker::revoke_org),
    ([7, 5, 3, 2, 2], Maker::ensure_tenant_for_user),
    ([4, 4, 1, 1, 1], Maker::create_tenant_with_ownership),
    ([3, 3, 1, 1, 1], Maker::delete_tenant),
    ([24, 8, 8, 14, 12], Maker::add_member),
    ([12, 2, 2, 3, 5], Maker::change_role),
    ([8, 1, 2, 2, 1], Maker::update_membership),
    ([7, 1, 2, 3, 1], Maker::suspend_membership),
    ([12, 2, 3, 5, 3], Maker::reinstate_membership),
    ([8, 2, 2, 3, 2], Maker::self_leave),
    ([9, 2, 3, 3, 2], Maker::admin_remove),
    ([6, 2, 1, 1, 1], Maker::transfer_ownership),
    ([3, 2, 22, 3, 3], Maker::create_invitation),
    ([1, 1, 7, 1, 1], Maker::create_invitations),
    ([4, 1, 18, 3, 3], Maker::accept_invitation),
    ([1, 1, 5, 1, 1], Maker::decline_invitation),
    ([1, 1, 5, 1, 1], Maker::revoke_invitation),
    ([1, 1, 9, 1, 1], Maker::extend_invitation),
    ([2, 1, 6, 6, 2], Maker::sweep),
    ([4, 2, 3, 34, 2], Maker::create_tuple),
    ([1, 1, 1, 10, 1], Maker::delete_tuple),
    ([2, 3, 3, 2, 1], Maker::import),
    ([3, 3, 3, 3, 1], Maker::read_users),
    ([4, 14, 3, 3, 1], Maker::read_orgs),
    ([14, 4, 4, 4, 1], Maker::read_members),
    ([2, 1, 12, 1, 1], Maker::read_invitations),
    ([3, 2, 2, 14, 1], Maker::read_tuples),
    ([4, 3, 3, 22, 1], Maker::check),
    ([5, 5, 4, 4, 1], Maker::read_changes),
    ([6, 8, 7, 7, 4], Maker::next_page),
    ([1, 1, 1, 1, 10], Maker::define_permission),
    ([0, 0, 0, 0, 5], Maker::sync_catalog),
    ([1, 1, 1, 1, 12], Maker::create_role),
    ([0, 0, 0, 0, 4], Maker::update_role),
    ([0, 0, 0, 0, 16], Maker::delete_role),
    ([0, 0, 0, 0, 12], Maker::grant_role_permission),
    ([0, 0, 0, 0, 4], Maker::revoke_role_permission),
    ([0, 0, 0, 0, 3], Maker::seed_system_roles),
    ([0, 0, 0, 0, 4], Maker::seed_role_permissions),
    ([0, 0, 0, 0, 18], Maker::create_group),
    ([0, 0, 0, 0, 6], Maker::update_group),
    ([0, 0, 0, 0, 2], Maker::delete_group),
    ([0, 0, 0, 0, 18], Maker::add_group_member),
    ([0, 0, 0, 0, 14], Maker::remove_group_member),
    ([0, 0, 0, 0, 18], Maker::add_group_role),
    ([0, 0, 0, 0, 12], Maker::remove_group_role),
    ([0, 0, 0, 0, 12], Maker::set_org_override),
    ([0, 0, 0, 0, 12], Maker::set_membership_override),
    ([0, 4, 0, 0, 7], Maker::move_org),
    ([1, 1, 1, 1, 50], Maker::ask),
    ([0, 0, 0, 0, 44], Maker::read_access),
];

/// A step that may follow.
pub(crate) fn any_step(view: &Arc<View>, dice: Dice) -> Step {
    let mut maker = Maker { view: Arc::clone(view), dice, flaw: false };
    let column = match view.theme {
        Theme::Members => 0,
        Theme::Trees => 1,
        Theme::Offers => 2,
        Theme::Grants => 3,
        Theme::Permissions => 4,
    };
    let total: u32 = TABLE.iter().map(|(weights, _)| weights[column]).sum();
    loop {
        let mut number = u32::try_from(maker.dice.below(total as usize)).expect("a number");
        let make = TABLE.iter().find_map(|(weights, make)| {
            let here = number < weights[column];
            number = number.saturating_sub(weights[column]);
            here.then_some(make)
        });
        maker.flaw = maker.dice.percent(40);
        // Where there is nothing yet that it could be about, something else.
        let Some(draft) = make.and_then(|make| make(&mut maker)) else { continue };
        return maker.finish(draft);
    }
}

const ROLES: [&str; 6] = ["owner", "admin", "member", "guest", "viewer", "editor"];
/// Two of them differ in the bytes alone.
const IDENTIFIERS: [&str; 5] = ["ann@example.org", "Ann@example.org", "caf\u{e9}@example.org", "cafe\u{301}@example.org", "+49 89 1"];
const RELATIONS: [&str; 4] = ["viewer", "editor", "biller", "parent"];

/// The documents that tuples are about.
fn doc(number: usize) -> String {
    format!("01960000-0000-7000-8000-00000000d0c{number}")
}

const DOCS: usize = 4;

/// Makes one step.
struct Maker {
    view: Arc<View>,
    dice: Dice,
    /// Whether something about it shall not fit yet. One thing mostly, so that it is that which decides; the rest fits as far as that
    /// is looked after.
    flaw: bool,
}

impl Maker {
    /// The step, now and then with a wrong form or with what a command says of itself.
    fn finish(mut self, draft: Draft) -> Step {
        let Value::Object(mut input) = draft.input else { panic!("an input is an object") };
        // What is left out is not there, rather than null.
        let clears = |field: &str| matches!(draft.operation, "update_org" | "update_membership") && field != "ttl_seconds";
        input.retain(|field, value| !value.is_null() || clears(field));
        if wire::operation(draft.operation).is_some_and(|operation| operation.writes) && self.dice.percent(10) {
            input.insert("request_id".to_owned(), json!(format!("req-{}", self.view.tag)));
            input.insert("reason".to_owned(), json!("asked for by mail"));
        }
        if self.slip(25) {
            self.spoil(&mut input);
        }
        let actor = draft.actor.map(|usr| Actor { usr: self.view.refer(usr), identifiers: draft.vouched });
        Step { tag: self.view.tag, operation: draft.operation, input, actor }
    }

    /// Takes a field away, or gives it another value.
    fn spoil(&mut self, input: &mut Map<String, Value>) {
        let fields: Vec<String> =
            input.keys().filter(|field| !["ttl_seconds", "seconds", "rows"].contains(&field.as_str())).cloned().collect();
        let Some(field) = self.dice.pick(&fields) else { return };
        let unknown = match field.as_str() {
            "usr_id" => "usr_01960000000070008000000000000001",
            "mem_id" => "mem_01960000000070008000000000000001",
            "inv_id" => "inv_01960000000070008000000000000001",
            "role_id" | "replacement_role_id" => "rol_01960000000070008000000000000001",
            "group_id" => "grp_01960000000070008000000000000001",
            "tup_id" => "tup_01960000000070008000000000000001",
            _ => "org_01960000000070008000000000000001",
        };
        match self.dice.below(6) {
            0 => drop(input.remove(&field)),
            1 => drop(input.insert(field, json!("xyz_01960000000070008000000000000001"))),
            2 => drop(input.insert(field, json!("no id\n"))),
            3 => drop(input.insert(field, json!(7))),
            _ => drop(input.insert(field, json!(unknown))),
        }
    }

    /// Whether this is the place for the flaw, so many times in a hundred.
    fn slip(&mut self, percent: usize) -> bool {
        let slips = self.flaw && self.dice.percent(percent);
        self.flaw &= !slips;
        slips
    }

    /// One that fits, or the flaw.
    fn pick<'r, T>(&mut self, rows: &'r [T], fits: impl Fn(&Self, &T) -> bool) -> Option<&'r T> {
        let (fitting, others): (Vec<&T>, Vec<&T>) = rows.iter().partition(|row| fits(self, row));
        if !others.is_empty() && self.slip(50) { self.dice.pick(&others) } else { self.dice.pick(&fitting) }
    }

    fn one_of(&mut self, texts: &[&'static str]) -> &'static str {
        self.dice.pick(texts).expect("some texts")
    }

    /// This, so many times in a hundred.
    fn maybe(&mut self, percent: usize, value: impl FnOnce(&mut Self) -> Value) -> Value {
        if self.dice.percent(percent) { value(self) } else { Value::Null }
    }

    /// Whether an organization and all above it are active.
    fn lives(&self, org: OrgId) -> bool {
        let is_active = |id: OrgId| self.org(id).is_some_and(|org| org.status == OrgStatus::Active);
        self.org(org).is_some_and(|org| org.ancestors.iter().copied().chain([org.id]).all(is_active))
    }

    fn org(&self, id: OrgId) -> Option<&Organization> {
        self.view.rows.organizations.iter().find(|org| org.id == id)
    }

    /// Whether a user has no row or an active one.
    fn acts(&self, usr: UserId) -> bool {
        let row = self.view.rows.users.iter().find(|user| user.id == usr);
        row.is_none_or(|user| user.status == UserStatus::Active)
    }

    fn is_active(&self, mem: &Membership) -> bool {
        mem.status_at(self.view.now) == MembershipStatus::Active
    }

    /// Whether no other owner acts in its organization.
    fn is_sole(&self, mem: &Membership) -> bool {
        let acting = |other: &&Membership| {
            other.org_id == mem.org_id
                && other.id != mem.id
                && other.role == Role::Owner
                && self.is_active(other)
                && self.acts(other.usr_id)
        };
        mem.role == Role::Owner && !self.view.rows.memberships.iter().any(|other| acting(&other))
    }

    fn in_active_org(&self, org: OrgId) -> bool {
        self.org(org).is_some_and(|org| org.status == OrgStatus::Active)
    }

    /// Users with and without rows, and whoever else is a member.
    fn people(&self) -> Vec<UserId> {
        let rows = &self.view.rows;
        let members = rows.memberships.iter().map(|mem| mem.usr_id);
        let all: BTreeSet<UserId> =
            self.view.external.iter().copied().chain(rows.users.iter().map(|user| user.id)).chain(members).collect();
        all.into_iter().collect()
    }

    /// A user; one that counts, where that matters.
    fn person(&mut self) -> UserId {
        let people = self.people();
        let person = self.pick(&people, |maker, usr| maker.acts(*usr)).copied();
        person.unwrap_or(self.view.external[0])
    }

    fn person_text(&mut self) -> Value {
        let person = self.person();
        json!(self.view.refer(person))
    }

    fn any_org(&mut self, fits: impl Fn(&Self, &Organization) -> bool) -> Option<Organization> {
        let view = Arc::clone(&self.view);
        self.pick(&view.rows.organizations, fits).cloned()
    }

    fn active_org(&mut self) -> Option<Organization> {
        self.any_org(|_, org| org.status == OrgStatus::Active)
    }

    fn member(&mut self, fits: impl Fn(&Self, &Membership) -> bool) -> Option<Membership> {
        let view = Arc::clone(&self.view);
        self.pick(&view.rows.memberships, fits).cloned()
    }

    /// On whose behalf something in an organization is done: mostly nobody's, else an owner's or admin's that counts, now and then
    /// anybody's.
    fn manager(&mut self, org: OrgId) -> Option<UserId> {
        let rank = if self.dice.percent(70) { Role::Owner } else { Role::Admin }.rank();
        self.acting(org, rank)
    }

    /// The same of any member.
    fn reader(&mut self, org: OrgId) -> Option<UserId> {
        self.acting(org, 0)
    }

    fn acting(&mut self, org: OrgId, rank: u8) -> Option<UserId> {
        if !self.dice.percent(35) {
            return None;
        }
        if self.slip(40) {
            return Some(self.person());
        }
        let view = Arc::clone(&self.view);
        let live = self.lives(org);
        let may = |maker: &Self, mem: &Membership| {
            mem.org_id == org && live && mem.role.rank() >= rank && maker.is_active(mem) && maker.acts(mem.usr_id)
        };
        self.pick(&view.rows.memberships, may).map(|mem| mem.usr_id)
    }

    fn role(&mut self) -> &'static str {
        if self.slip(10) {
            return "nobody";
        }
        // Where it is known: mostly, and above all where permissions are what it is about.
        if self.view.theme == Theme::Permissions && self.dice.percent(40) {
            return self.one_of(&access::ROLE_SLUGS);
        }
        self.one_of(&["owner", "owner", "admin", "admin", "member", "member", "guest", "viewer", "editor"])
    }

    /// How long something lasts, in seconds.
    fn ttl(&mut self) -> i64 {
        if self.slip(20) {
            return -i64::from(self.dice.percent(50));
        }
        let seconds = if self.dice.percent(70) { self.dice.below(60) + 1 } else { 86_400 };
        i64::try_from(seconds).expect("a number")
    }

    fn limit(&mut self) -> Value {
        self.maybe(60, |maker| json!(i64::try_from(maker.dice.below(4)).expect("a number")))
    }

    fn status(&mut self, all: &[&'static str]) -> Value {
        self.maybe(50, |maker| json!(maker.one_of(all)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    fn advance_clock(&mut self) -> Option<Draft> {
        let seconds = if self.dice.percent(5) { 100_000 } else { self.dice.below(40) + 1 };
        Some(draft(ADVANCE, json!({ "seconds": seconds })))
    }

    /// Whether a user has an active or suspended membership.
    fn belongs(&self, usr: UserId, org: OrgId) -> bool {
        let counts = |mem: &Membership| [MembershipStatus::Active, MembershipStatus::Suspended].contains(&mem.status_at(self.view.now));
        self.view.rows.memberships.iter().any(|mem| (mem.usr_id, mem.org_id) == (usr, org) && counts(mem))
    }

    fn tag(&self) -> usize {
        self.view.tag
    }
}
