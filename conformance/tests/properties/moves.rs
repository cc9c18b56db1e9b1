//! Random commands, over what is there. Each becomes an operation and its input in wire form, so that several stores can be given the
//! same one.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenantry_core::source::{Clock, ManualClock};
use tenantry_core::wire::{self, CallError};
use tenantry_core::{Dump, Error, OrgStatus, TenancyStore, Timestamp};

use crate::access::{self, Access};
use crate::imports::{self, Load};

/// A command. Numbers choose among the rows that are there when it is played: organizations, memberships, invitations and tuples from
/// the newest.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    Wait(u8),
    CreateUser,
    SuspendUser(u8),
    ReinstateUser(u8),
    RevokeUser(u8),
    CreateOrg {
        creator: u8,
        parent: Option<u8>,
        slug: Option<u8>,
    },
    /// Below the deepest there is.
    Deepen {
        creator: u8,
    },
    UpdateOrg {
        org: u8,
        slug: Patch,
        cascade: Option<bool>,
        seats: Patch,
        other: Patch,
    },
    SuspendOrg(u8),
    ReinstateOrg(u8),
    RevokeOrg(u8),
    AddMember {
        org: u8,
        usr: u8,
        role: u8,
        seconds: Option<u8>,
    },
    ChangeRole {
        mem: u8,
        role: u8,
    },
    UpdateMembership {
        mem: u8,
        seconds: Patch,
        metadata: Patch,
    },
    SuspendMembership(u8),
    ReinstateMembership(u8),
    SelfLeave {
        mem: u8,
        to: Option<u8>,
    },
    AdminRemove {
        mem: u8,
        admin: u8,
    },
    Transfer {
        org: u8,
        from: u8,
        to: u8,
    },
    Invite {
        org: u8,
        by: u8,
        offer: Offer,
    },
    InviteMany {
        org: u8,
        by: u8,
        offers: Vec<Offer>,
    },
    /// By a user, mostly with the right identifier; by a new one without.
    Accept {
        inv: u8,
        usr: Option<u8>,
        right: bool,
    },
    Decline {
        inv: u8,
        usr: Option<u8>,
    },
    RevokeInvitation {
        inv: u8,
        usr: u8,
    },
    Extend {
        inv: u8,
        seconds: u8,
    },
    Sweep(Option<u8>),
    CreateTuple(Grant),
    DeleteTuple(u8),
    /// The tuple that a membership is.
    DeleteDerived(u8),
    Import(Load),
    Access(Access),
}

/// What becomes of an optional field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patch {
    Keep,
    Clear,
    Set(u8),
}

impl Patch {
    /// Puts it into an input.
    fn put(self, input: &mut Map<String, Value>, field: &str, value: impl Fn(u8) -> Value) {
        match self {
            Self::Keep => None,
            Self::Clear => input.insert(field.to_owned(), Value::Null),
            Self::Set(number) => input.insert(field.to_owned(), value(number)),
        };
    }
}

/// What an invitation says.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    who: u8,
    role: u8,
    seconds: u8,
    promises: Vec<(u8, u8)>,
}

/// What a tuple says.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    subject: Entity,
    relation: u8,
    object: Entity,
    scope: Option<u8>,
    seconds: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Entity {
    User(u8),
    Org(u8),
    Doc(u8),
}

/// Few of each, so that they meet.
pub(crate) const USERS: u8 = 6;
/// Of them, those that have no row, ever.
const EXTERNAL: u8 = 2;
const SLUGS: u8 = 4;
/// Of organizations, memberships, invitations and tuples, the newest.
pub(crate) const ROWS: u8 = 8;
const IDENTIFIERS: u8 = 4;
/// Objects of the application's own.
const DOCS: u8 = 3;
pub(crate) const ROLES: [&str; 6] = ["owner", "admin", "member", "guest", "viewer", "editor"];
const GIVEN_ROLES: [&str; 8] = ["owner", "owner", "admin", "member", "guest", "viewer", "editor", "nobody"];
/// Relations of stored tuples, some of them roles.
pub(crate) const RELATIONS: [&str; 4] = ["viewer", "member", "parent", "biller"];

pub(crate) fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![5 => any_move_of_members(), 4 => any_move_of_offers(), 1 => imports::any_load().prop_map(Move::Import)]
}

/// The same, and whatever there is about permissions.
pub(crate) fn any_move_at_all() -> impl Strategy<Value = Move> {
    prop_oneof![3 => any_move(), 2 => access::any_access().prop_map(Move::Access)]
}

/// Whatever moves users, organizations and memberships.
fn any_move_of_members() -> impl Strategy<Value = Move> {
    let (usr, row, slug, role) = (0..USERS, 0..ROWS, 0..SLUGS, 0..8_u8);
    let opt = prop::option::of::<std::ops::Range<u8>>;
    prop_oneof![
        2 => (0..40_u8).prop_map(Move::Wait),
        1 => Just(Move::CreateUser),
        3 => usr.clone().prop_map(Move::SuspendUser),
        1 => usr.clone().prop_map(Move::ReinstateUser),
        1 => usr.clone().prop_map(Move::RevokeUser),
        5 => usr.clone().prop_map(|creator| Move::Deepen { creator }),
        2 => (usr.clone(), opt(row.clone()), opt(slug.clone())).prop_map(|(creator, parent, slug)| Move::CreateOrg { creator, parent, slug }),
        2 => (row.clone(), patch(slug), any::<Option<bool>>(), patch(1..6), patch(0..3))
            .prop_map(|(org, slug, cascade, seats, other)| Move::UpdateOrg { org, slug, cascade, seats, other }),
        1 => row.clone().prop_map(Move::SuspendOrg),
        2 => row.clone().prop_map(Move::ReinstateOrg),
        1 => row.clone().prop_map(Move::RevokeOrg),
        10 => (row.clone(), usr.clone(), role.clone(), opt(1..60))
            .prop_map(|(org, usr, role, seconds)| Move::AddMember { org, usr, role, seconds }),
        3 => (row.clone(), role).prop_map(|(mem, role)| Move::ChangeRole { mem, role }),
        2 => (row.clone(), patch(0..60), patch(0..3)).prop_map(|(mem, seconds, metadata)| Move::UpdateMembership { mem, seconds, metadata }),
        3 => row.clone().prop_map(Move::SuspendMembership),
        2 => row.clone().prop_map(Move::ReinstateMembership),
        5 => (row.clone(), opt(usr.clone())).prop_map(|(mem, to)| Move::SelfLeave { mem, to }),
        3 => (row.clone(), usr).prop_map(|(mem, admin)| Move::AdminRemove { mem, admin }),
        2 => (row.clone(), row.clone(), row).prop_map(|(org, from, to)| Move::Transfer { org, from, to }),
    ]
}

/// New organizations and members, without whatever ends them.
pub(crate) fn any_move_of_joining() -> impl Strategy<Value = Move> {
    let opt = prop::option::of::<std::ops::Range<u8>>;
    prop_oneof![
        1 => (0..USERS, opt(0..ROWS)).prop_map(|(creator, parent)| Move::CreateOrg { creator, parent, slug: None }),
        4 => (0..ROWS, 0..USERS, 0..8_u8).prop_map(|(org, usr, role)| Move::AddMember { org, usr, role, seconds: None }),
    ]
}

/// Whatever moves invitations and tuples.
fn any_move_of_offers() -> impl Strategy<Value = Move> {
    let (usr, row) = (0..USERS, 0..ROWS);
    let opt = prop::option::of::<std::ops::Range<u8>>;
    let offer = || {
        let promises = prop::collection::vec((0..4_u8, 0..DOCS), 0..3);
        (0..IDENTIFIERS, 0..8_u8, 0..60_u8, promises).prop_map(|(who, role, seconds, promises)| Offer { who, role, seconds, promises })
    };
    let entity = || {
        prop_oneof![
            3 => (0..USERS).prop_map(Entity::User),
            1 => (0..ROWS).prop_map(Entity::Org),
            2 => (0..DOCS).prop_map(Entity::Doc),
        ]
    };
    let grant = (entity(), 0..4_u8, entity(), opt(0..ROWS), opt(0..60)).prop_map(|(subject, relation, object, scope, seconds)| Grant {
        subject,
        relation,
        object,
        scope,
        seconds,
    });
    prop_oneof![
        2 => (0..40_u8).prop_map(Move::Wait),
        6 => (row.clone(), usr.clone(), offer()).prop_map(|(org, by, offer)| Move::Invite { org, by, offer }),
        2 => (row.clone(), usr.clone(), prop::collection::vec(offer(), 1..5)).prop_map(|(org, by, offers)| Move::InviteMany { org, by, offers }),
        5 => (row.clone(), opt(usr.clone()), prop::bool::weighted(0.8)).prop_map(|(inv, usr, right)| Move::Accept { inv, usr, right }),
        1 => (row.clone(), opt(usr.clone())).prop_map(|(inv, usr)| Move::Decline { inv, usr }),
        1 => (row.clone(), usr).prop_map(|(inv, usr)| Move::RevokeInvitation { inv, usr }),
        3 => (row.clone(), 0..60_u8).prop_map(|(inv, seconds)| Move::Extend { inv, seconds }),
        1 => opt(0..4).prop_map(Move::Sweep),
        10 => grant.prop_map(Move::CreateTuple),
        2 => row.clone().prop_map(Move::DeleteTuple),
        1 => row.prop_map(Move::DeleteDerived),
    ]
}

fn patch(values: std::ops::Range<u8>) -> impl Strategy<Value = Patch> {
    prop_oneof![2 => Just(Patch::Keep), 1 => Just(Patch::Clear), 2 => values.prop_map(Patch::Set)]
}

/// The users with rows that moves choose from.
pub(crate) async fn users(store: &dyn TenancyStore) {
    for _ in EXTERNAL..USERS {
        call(store, "create_user", &json!({})).await.expect("a user");
    }
}

/// Calls an operation; a call that is none is a defect of the test.
pub(crate) async fn call(store: &dyn TenancyStore, operation: &str, input: &Value) -> Result<Value, Error> {
    let read = serde_json::from_value(input.clone()).expect("JSON is a value");
    match wire::call(store, operation, &read).await {
        Ok(reply) => Ok(serde_json::to_value(reply).expect("a reply")),
        Err(CallError::Store(error)) => Err(error),
        Err(other) => panic!("{operation} {input}: {other}"),
    }
}

impl Move {
    /// Plays it over the rows as they are; where there is no row to choose, nothing happens.
    pub(crate) async fn play(&self, store: &dyn TenancyStore, clock: &ManualClock, rows: &Dump) -> Result<(), Error> {
        self.wait(clock);
        match self.input(rows, clock.now()) {
            Some((operation, input)) => call(store, operation, &input).await.map(drop),
            None => Ok(()),
        }
    }

    /// Moves the clock, if that is what it does.
    pub(crate) fn wait(&self, clock: &ManualClock) {
        if let Self::Wait(seconds) = self {
            clock.advance_micros(i64::from(*seconds) * 1_000_000);
        }
    }

    /// The operation and its input, over these rows.
    #[expect(clippy::similar_names, reason = "one arm for each operation, and each is short")]
    pub(crate) fn input(&self, rows: &Dump, now: Timestamp) -> Option<(&'static str, Value)> {
        let end = |seconds: u8| now.plus_seconds(seconds.into()).to_string();
        let (role, user) = (|role: u8| GIVEN_ROLES[usize::from(role)], |number: u8| user(rows, number));
        let (org, member) = (|number: u8| org(rows, number), |number: u8| newest(&rows.memberships, number).map(|mem| mem.id.to_string()));
        let invitation = |number: u8| newest(&rows.invitations, number);
        let offer = |offer: &Offer| {
            let promise =
                |(relation, doc): &(u8, u8)| json!({"relation": relation_of(*relation), "object_type": "doc", "object_id": doc_id(*doc)});
            let promises: Vec<Value> = offer.promises.iter().map(promise).collect();
            json!({"identifier": identifier(offer.who), "role": role(offer.role), "expires_at": end(offer.seconds), "pre_tuples": promises})
        };
        Some(match self {
            Self::Wait(_) => return None,
            Self::CreateUser => ("create_user", json!({})),
            Self::SuspendUser(usr) => ("suspend_user", json!({"usr_id": user(*usr)})),
            Self::ReinstateUser(usr) => ("reinstate_user", json!({"usr_id": user(*usr)})),
            Self::RevokeUser(usr) => ("revoke_user", json!({"usr_id": user(*usr)})),
            Self::CreateOrg { creator, parent, slug } => {
                let (parent, slug) = (parent.and_then(org), slug.map(slug_of));
                ("create_org", json!({"creator": user(*creator), "parent_id": parent, "slug": slug}))
            }
            Self::Deepen { creator } => {
                let live = rows.organizations.iter().filter(|org| org.status == OrgStatus::Active);
                let deepest = live.max_by_key(|org| org.depth())?.id;
                ("create_org", json!({"creator": user(*creator), "parent_id": deepest.to_string()}))
            }
            Self::UpdateOrg { org: which, slug, cascade, seats, other } => {
                let mut input = Map::from_iter([("org_id".to_owned(), json!(org(*which)?))]);
                slug.put(&mut input, "slug", |slug| json!(slug_of(slug)));
                seats.put(&mut input, "seat_limit", |seats| json!(seats));
                other.put(&mut input, "external_id", |number| json!(format!("crm-{number}")));
                other.put(&mut input, "metadata", |number| json!({"number": number, "more": [null, {"é": 1.5}]}));
                input.extend(cascade.map(|cascade| ("cascade_permissions".to_owned(), json!(cascade))));
                ("update_org", Value::Object(input))
            }
            Self::SuspendOrg(which) => ("suspend_org", json!({"org_id": org(*which)?})),
            Self::ReinstateOrg(which) => ("reinstate_org", json!({"org_id": org(*which)?})),
            Self::RevokeOrg(which) => ("revoke_org", json!({"org_id": org(*which)?})),
            Self::AddMember { org: which, usr, role: slug, seconds } => {
                let (org, role, end) = (org(*which)?, role(*slug), seconds.map(end));
                ("add_member", json!({"org_id": org, "usr_id": user(*usr), "role": role, "expires_at": end}))
            }
            Self::ChangeRole { mem, role: slug } => ("change_role", json!({"mem_id": member(*mem)?, "new_role": role(*slug)})),
            Self::UpdateMembership { mem, seconds, metadata } => {
                let mut input = Map::from_iter([("mem_id".to_owned(), json!(member(*mem)?))]);
                seconds.put(&mut input, "expires_at", |seconds| json!(end(seconds)));
                metadata.put(&mut input, "metadata", |number| json!({"number": number}));
                ("update_membership", Value::Object(input))
            }
            Self::SuspendMembership(mem) => ("suspend_membership", json!({"mem_id": member(*mem)?})),
            Self::ReinstateMembership(mem) => ("reinstate_membership", json!({"mem_id": member(*mem)?})),
            Self::SelfLeave { mem, to } => ("self_leave", json!({"mem_id": member(*mem)?, "transfer_to": to.map(user)})),
            Self::AdminRemove { mem, admin } => ("admin_remove", json!({"mem_id": member(*mem)?, "admin_usr_id": user(*admin)})),
            Self::Transfer { org: which, from, to } => {
                // Two memberships of one organization, mostly.
                let org = newest(&rows.organizations, *which)?.id;
                let of_org: Vec<String> = rows.memberships.iter().filter(|mem| mem.org_id == org).map(|mem| mem.id.to_string()).collect();
                let (from, to) = (newest(&of_org, *from)?, newest(&of_org, *to)?);
                ("transfer_ownership", json!({"org_id": org.to_string(), "from_mem_id": from, "to_mem_id": to}))
            }
            Self::Invite { org: which, by, offer: what } => {
                let mut input = offer(what);
                input["org_id"] = json!(org(*which)?);
                input["invited_by"] = json!(user(*by));
                ("create_invitation", input)
            }
            Self::InviteMany { org: which, by, offers } => {
                let offers: Vec<Value> = offers.iter().map(offer).collect();
                ("create_invitations", json!({"org_id": org(*which)?, "invited_by": user(*by), "invitations": offers}))
            }
            Self::Accept { inv, usr, right } => {
                let inv = invitation(*inv)?;
                let identifier = if *right { inv.identifier.to_string() } else { identifier(0) };
                let (usr, identifier) = (usr.map(user), usr.map(|_| identifier));
                ("accept_invitation", json!({"inv_id": inv.id.to_string(), "as_usr_id": usr, "accepting_identifier": identifier}))
            }
            Self::Decline { inv, usr } => {
                ("decline_invitation", json!({"inv_id": invitation(*inv)?.id.to_string(), "as_usr_id": usr.map(user)}))
            }
            Self::RevokeInvitation { inv, usr } => {
                ("revoke_invitation", json!({"inv_id": invitation(*inv)?.id.to_string(), "admin_usr_id": user(*usr)}))
            }
            Self::Extend { inv, seconds } => {
                ("extend_invitation", json!({"inv_id": invitation(*inv)?.id.to_string(), "expires_at": end(*seconds)}))
            }
            Self::Sweep(limit) => ("sweep", json!({ "limit": limit })),
            Self::CreateTuple(Grant { subject, relation, object, scope, seconds }) => {
                let ((subject_type, subject_id), (object_type, object_id)) = (entity(rows, *subject)?, entity(rows, *object)?);
                let scope = scope.and_then(org);
                (
                    "create_tuple",
                    json!({"subject_type": subject_type, "subject_id": subject_id, "relation": relation_of(*relation),
                        "object_type": object_type, "object_id": object_id, "org_id": scope, "expires_at": seconds.map(end)}),
                )
            }
            Self::DeleteTuple(number) => ("delete_tuple", json!({"tup_id": newest(&rows.tuples, *number)?.id.to_string()})),
            Self::DeleteDerived(mem) => ("delete_tuple", json!({"tup_id": member(*mem)?.replacen("mem_", "tup_", 1)})),
            Self::Access(access) => return access.input(rows, now),
            Self::Import(load) => ("import", json!({"rows": load.rows(now)})),
        })
    }
}

fn slug_of(number: u8) -> String {
    format!("slug-{number}")
}

fn relation_of(number: u8) -> &'static str {
    RELATIONS[usize::from(number) % RELATIONS.len()]
}

fn identifier(number: u8) -> String {
    format!("{number}@example.org")
}

/// Every identifier that there may be.
pub(crate) fn identifiers() -> impl Iterator<Item = String> {
    (0..IDENTIFIERS).map(identifier)
}

pub(crate) fn doc_id(number: u8) -> String {
    format!("01960000-0000-7000-8000-00000000d0{number:02x}")
}

/// The objects of the application's own.
pub(crate) fn docs() -> impl Iterator<Item = String> {
    (0..DOCS).map(doc_id)
}

/// The users whom moves choose that have no row.
pub(crate) fn external_users() -> impl Iterator<Item = String> {
    (0..EXTERNAL).map(external_user)
}

fn external_user(number: u8) -> String {
    format!("usr_019600000000700080000000000000{number:02x}")
}

/// The first have no row, ever; the others are the first rows, so that a number stays the same user.
pub(crate) fn user(rows: &Dump, number: u8) -> String {
    let row = number.checked_sub(EXTERNAL).and_then(|number| rows.users.get(usize::from(number)));
    row.map_or_else(|| external_user(number), |row| row.id.to_string())
}

pub(crate) fn org(rows: &Dump, number: u8) -> Option<String> {
    newest(&rows.organizations, number).map(|org| org.id.to_string())
}

fn entity(rows: &Dump, entity: Entity) -> Option<(&'static str, String)> {
    Some(match entity {
        Entity::User(number) => ("usr", user(rows, number)),
        Entity::Org(number) => ("org", org(rows, number)?),
        Entity::Doc(number) => ("doc", doc_id(number)),
    })
}

pub(crate) fn newest<T>(rows: &[T], number: u8) -> Option<&T> {
    rows.iter().rev().cycle().nth(number.into())
}
