//! Rows at random: what is written, loaded and read over them is what core's state says.

use tenantry_core::{
    Answer, Change, CustomRole, EntityRef, EventQuery, Expiry, Grant, Guard, Identifier, ImportIds, Inquiry, Invitation, InvitationFilter,
    InvitationQuery, InvitationStatus, Load, LoadSpec, Membership, MembershipFilter, MembershipQuery, MembershipStatus, Metadata, OrgId,
    OrgQuery, OrgStatus, Organization, Plan, Question, Refusal, Relation, Role, RoleSlug, Slug, State, Timestamp, Tuple, TupleKey,
    TupleQuery, User, UserId, UserStatus, WhichTuples, Window,
};
use uuid::Uuid;

use crate::apply::apply;
use crate::error::Failure;
use crate::load::load;
use crate::samples::{entity, event, id, invitation, key, membership, metadata, moment, org, tuple, user};
use crate::session::{Savepoint, Session};
use crate::statements::PREFIX;
use crate::{list, tuples};

/// How many there are of each. Tuples and memberships share their numbers, so that their ids meet.
pub(crate) const FEW: u32 = 5;
pub(crate) const MANY: u32 = 24;

/// A small generator: the same numbers for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(bound)).unwrap()
    }

    pub(crate) fn one(&mut self, most: u32) -> u32 {
        1 + self.below(most)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        self.among(from).unwrap()
    }

    fn among<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[usize::try_from(self.below(u32::try_from(from.len()).unwrap())).unwrap()].clone()) }
    }

    pub(crate) fn some<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| value(self))
    }

    pub(crate) fn at(&mut self) -> Timestamp {
        moment(self.below(FEW))
    }

    fn subject_or_object(&mut self) -> EntityRef {
        let kind = self.pick(&["usr", "usr", "org", "org", "doc"]);
        match self.below(12) {
            // No user's or organization's id: its UUID has no version.
            0 => EntityRef { id: Uuid::from_u128(7), ..entity(kind, 1) },
            _ => entity(kind, self.one(FEW)),
        }
    }

    fn relation(&mut self) -> &'static str {
        self.pick(&["owner", "member", "reader", "parent", "chief"])
    }

    /// That of a role of the application's own.
    pub(crate) fn slug_of_role(&mut self) -> &'static str {
        self.pick(&["chief", "clerk"])
    }

    /// A built-in one, or one of the application's own, whether there is such a row or not. A role has one slug for ever.
    pub(crate) fn role(&mut self) -> Role {
        let n = self.one(FEW);
        let slug = RoleSlug::parse(if n.is_multiple_of(2) { "chief" } else { "clerk" }).unwrap();
        if self.below(3) > 0 { self.pick(&Role::ALL) } else { Role::Custom(CustomRole { id: id(n), slug }) }
    }

    fn key(&mut self) -> TupleKey {
        let (subject, relation, object) = (self.subject_or_object(), self.relation(), self.subject_or_object());
        key(subject, relation, object)
    }

    fn scope(&mut self) -> Option<u32> {
        self.some(|dice| dice.one(FEW))
    }

    fn identifier(&mut self) -> &'static str {
        self.pick(&["a", "A", "b"])
    }

    fn metadata(&mut self) -> Metadata {
        if self.below(2) == 0 { Metadata::default() } else { metadata("x") }
    }

    fn slug(&mut self) -> Slug {
        Slug::parse(self.pick(&["one", "two"])).unwrap()
    }

    fn grants(&mut self) -> Vec<Grant> {
        (0..self.below(3)).map(|_| self.key()).map(|key| Grant { relation: key.relation, object: key.object }).collect()
    }
}

/// Organizations in a few trees, and what any change needs to be there.
pub(crate) fn orgs(dice: &mut Dice) -> Plan {
    let mut rows: Vec<Organization> = Vec::new();
    for n in 1..=FEW {
        let parent = dice.some(|dice| dice.below(n)).filter(|parent| *parent > 0);
        let above = parent.and_then(|parent| rows.iter().find(|row| row.id == id(parent)));
        let ancestors = above.map(|above| above.ancestors.iter().copied().chain([above.id]).collect()).unwrap_or_default();
        let seat_limit = dice.some(|dice| dice.below(3));
        let parent_id = above.map(|above| above.id);
        rows.push(Organization { parent_id, ancestors, seat_limit, metadata: dice.metadata(), ..org(n) });
    }
    Plan { changes: rows.into_iter().map(Change::InsertOrg).collect(), ..Plan::default() }
}

pub(crate) fn change(dice: &mut Dice, state: &State, at: Timestamp) -> Change {
    let (n, org, usr) = (dice.one(MANY), dice.one(FEW), dice.one(FEW));
    let user_status = |dice: &mut Dice| dice.pick(UserStatus::ALL);
    let stored = [MembershipStatus::Active, MembershipStatus::Active, MembershipStatus::Suspended, MembershipStatus::Revoked];
    let inv_status = |dice: &mut Dice| dice.pick(InvitationStatus::ALL);
    let spec = LoadSpec::OrgEnd { org: id(org), ids: 3, owner: None };
    let ends = state.load(Load { spec: &spec, actor: None, at });
    match dice.below(22) {
        0 => Change::InsertUser(User { status: user_status(dice), ..user(usr) }),
        1 => Change::SetUserStatus { id: id(usr), from: user_status(dice), to: user_status(dice) },
        2 => Change::UpdateOrg {
            id: id(org),
            status: dice.pick(OrgStatus::ALL),
            name: None,
            slug: dice.some(Dice::slug),
            cascade_permissions: true,
            inherit_permissions: false,
            seat_limit: dice.some(|dice| dice.below(3)),
            external_id: None,
            metadata: dice.metadata(),
        },
        3 => Change::SetOrgStatus { id: id(org), from: dice.pick(OrgStatus::ALL), to: dice.pick(OrgStatus::ALL) },
        4 => Change::ClaimSlug { slug: dice.slug(), org_id: id(org) },
        5 => Change::ReleaseSlug { slug: dice.slug(), org_id: id(org) },
        6..=8 => {
            let (role, status) = (dice.role(), dice.pick(&stored));
            let (expires_at, metadata) = (dice.some(Dice::at), dice.metadata());
            Change::InsertMembership(Membership { role, status, expires_at, metadata, ..membership(n, org, usr) })
        }
        9 => Change::SetMembershipStatus {
            org_id: id(org),
            id: id(n),
            // Nothing comes back from the last one: no plan says so.
            from: dice.pick(&stored[..3]),
            to: dice.pick(&stored),
            removed_by: dice.some(|_| id(usr)),
        },
        10 => Change::UpdateMembership {
            org_id: id(org),
            id: id(n),
            from: dice.some(Dice::at),
            expires_at: dice.some(Dice::at),
            metadata: dice.metadata(),
        },
        11 if dice.below(6) == 0 => Change::EndMemberships { org_id: id(org), count: ends.current.0 },
        11 | 12 => {
            let inv = Invitation { status: inv_status(dice), expires_at: dice.at(), ..invitation(n, org, dice.identifier()) };
            Change::InsertInvitation(Invitation { role: dice.role(), pre_tuples: dice.grants(), judged: dice.below(2) == 0, ..inv })
        }
        13 => Change::EndInvitation {
            org_id: id(org),
            id: id(n),
            to: inv_status(dice),
            terminal_at: at,
            terminal_by: dice.some(|_| id(usr)),
            invited_user_id: dice.some(|_| id(usr)),
        },
        14 => Change::ExtendInvitation { org_id: id(org), id: id(n), from: inv_status(dice), expires_at: dice.at() },
        15 if dice.below(6) == 0 => {
            Change::RevokeInvitations { org_id: id(org), count: ends.pending_count, terminal_by: dice.some(|_| id(usr)) }
        }
        16 => Change::DeleteTuple { id: id(n) },
        17 if dice.below(3) == 0 => {
            let spec = LoadSpec::Join { org: id(org), usr: id(usr), role: None };
            let count = state.load(Load { spec: &spec, actor: None, at }).member_tuples;
            Change::DeleteTuplesOfMember { org_id: id(org), usr_id: id(usr), count }
        }
        17 if dice.below(6) == 0 => Change::DeleteTuplesOfOrg { org_id: id(org), count: ends.org_tuples },
        _ => {
            let (expires_at, created_by) = (dice.some(Dice::at), dice.some(|_| id(usr)));
            // Often what another one says, in another scope or of a membership.
            let rows = state.dump();
            let said = rows.tuples.into_iter().map(|tuple| tuple.key).chain(rows.memberships.iter().map(|mem| Tuple::derived(mem).key));
            let said: Vec<TupleKey> = said.collect();
            let key = dice.some(|dice| dice.among(&said)).flatten().unwrap_or_else(|| dice.key());
            Change::InsertTuple(Tuple { expires_at, created_by, ..tuple(n, dice.scope(), key) })
        }
    }
}

fn guard(dice: &mut Dice) -> Guard {
    match dice.below(7) {
        // Both the usual numbers of a few rows and some that cannot be.
        6 => Guard::Memberships { usr_id: id(dice.one(FEW)), rows: dice.below(4).into(), ended: dice.below(3).into() },
        4 => Guard::NewOrgs,
        5 => Guard::NoOrg { id: id(dice.one(FEW)) },
        0 => Guard::User { id: id(dice.one(FEW)), revision: dice.some(|dice| u64::from(dice.below(2))), advance: dice.below(2) == 0 },
        1 => Guard::NewUsers { without_memberships: vec![id(dice.one(FEW))] },
        2 => Guard::Org { id: id(dice.one(FEW)), revision: dice.one(3).into(), events: dice.below(2).into() },
        _ => Guard::Object { object: dice.subject_or_object(), org_id: id(dice.one(FEW)) },
    }
}

pub(crate) fn written(db: &Session, plan: &Plan) -> Result<(), Refusal> {
    let savepoint = Savepoint::set(db).unwrap();
    match apply(db, plan) {
        Ok(()) => savepoint.keep().map_err(|error| panic!("{error}")),
        // Under the lock, what would be a conflict elsewhere is an inconsistent row.
        Err(Failure::Refused(Refusal::Inconsistent { .. })) if !plan.guards.is_empty() => Err(Refusal::Conflict),
        Err(Failure::Refused(refusal)) => Err(refusal),
        Err(Failure::Driver(error)) => panic!("{error}"),
    }
}

fn ids_of_import(dice: &mut Dice) -> ImportIds {
    let some = |dice: &mut Dice, most: u32| (0..dice.below(6)).map(|_| dice.one(most)).collect::<Vec<_>>();
    ImportIds {
        users: some(dice, FEW).into_iter().map(id).collect(),
        orgs: some(dice, FEW + 1).into_iter().map(id).collect(),
        memberships: some(dice, MANY).into_iter().map(id).collect(),
        invitations: some(dice, MANY).into_iter().map(id).collect(),
        tuples: some(dice, MANY).into_iter().map(id).collect(),
        keys: (0..4).map(|_| (dice.key(), dice.scope().map(id))).collect(),
        slugs: vec![dice.slug(), dice.slug()],
        ..ImportIds::default()
    }
}

/// One of each kind.
fn specs(dice: &mut Dice, state: &State) -> Vec<LoadSpec> {
    let (usr, other, org): (UserId, UserId, OrgId) = (id(dice.one(FEW)), id(dice.one(FEW)), id(dice.one(FEW + 1)));
    let (mem, inv, tup) = (dice.one(MANY), id(dice.one(MANY)), id(dice.one(MANY)));
    let identifiers = ["a", "b", "a", "c"].map(|text| Identifier::parse(text).unwrap()).to_vec();
    // A place that is taken, where there is one.
    let (key, scope) = dice.among(&state.dump().tuples).map_or_else(|| (dice.key(), None), |tuple| (tuple.key, tuple.org_id));
    vec![
        LoadSpec::Nothing,
        LoadSpec::User { usr },
        LoadSpec::Owner { usr },
        LoadSpec::NewOrg { creator: usr, parent: dice.some(|_| org), slug: dice.some(Dice::slug) },
        LoadSpec::Org { org, slug: dice.some(Dice::slug) },
        LoadSpec::OrgEnd { org, ids: dice.below(4), owner: dice.some(|_| usr) },
        LoadSpec::Tenants { usr: other, slugs: (0..dice.below(4)).map(|_| dice.slug()).collect() },
        LoadSpec::Join { org, usr, role: RoleSlug::parse(dice.slug_of_role()) },
        LoadSpec::Member {
            mem: id(mem),
            peer: dice.some(|_| other),
            role: dice.some(|dice| RoleSlug::parse(dice.slug_of_role())).flatten(),
        },
        LoadSpec::Pair { org, from: id(mem), to: id(dice.one(MANY)) },
        LoadSpec::Invite {
            org,
            identifiers,
            grants: dice.grants(),
            roles: vec![RoleSlug::parse("chief").unwrap(), RoleSlug::parse("clerk").unwrap()],
        },
        LoadSpec::Invitation { inv },
        LoadSpec::Accept { inv, usr: dice.some(|_| usr) },
        LoadSpec::NewTuple { key: dice.key(), org: dice.scope().map(id) },
        LoadSpec::NewTuple { key, org: scope },
        LoadSpec::Tuple { id: tup },
        LoadSpec::Expired { limit: dice.below(6) },
        LoadSpec::Ids(Box::new(ids_of_import(dice))),
    ]
}

/// One question about one tuple.
struct Asked(Timestamp, TupleKey, Option<Answer>);

impl Inquiry for Asked {
    fn at(&self) -> Timestamp {
        self.0
    }

    fn is_single(&self) -> bool {
        true
    }

    fn lone(&self) -> Option<&TupleKey> {
        Some(&self.1)
    }

    fn restart(&mut self) {
        self.2 = None;
    }

    fn questions(&mut self) -> Vec<Question> {
        if self.2.is_some() { Vec::new() } else { vec![Question::Holds(self.1.clone())] }
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        self.2 = answers.into_iter().next();
    }
}

/// Questions in two rounds.
struct Asks(Timestamp, Vec<Vec<Question>>, Vec<Answer>);

impl Inquiry for Asks {
    fn at(&self) -> Timestamp {
        self.0
    }

    fn is_single(&self) -> bool {
        false
    }

    fn restart(&mut self) {
        panic!("a transaction of SQLite keeps its moment");
    }

    fn questions(&mut self) -> Vec<Question> {
        self.1.pop().unwrap_or_default()
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        self.2.extend(answers);
    }
}

fn checks(db: &Session, state: &State, dice: &mut Dice, at: Timestamp) {
    let known: Vec<TupleKey> = state.dump().tuples.into_iter().map(|tuple| tuple.key).collect();
    let derived = state.dump().memberships.into_iter().map(|mem| Tuple::derived(&mem).key);
    let holds: Vec<Question> = known.iter().cloned().chain(derived).chain([dice.key()]).map(Question::Holds).collect();
    let relations = ["owner", "member", "reader", "parent"];
    let subjects = relations.map(|relation| Question::Subjects {
        relation: Relation::parse(relation).unwrap(),
        object: dice.subject_or_object(),
        most: dice.below(4),
    });
    for question in &holds {
        let Question::Holds(key) = question else { continue };
        for told in [tuples::inquire(db, Asked(at, key.clone(), None)).unwrap(), state.inquire(Asked(at, key.clone(), None))] {
            assert_eq!(told.2, Some(state.answer(question, at)), "{key:?}");
        }
    }
    let rounds = vec![subjects.to_vec(), holds];
    let wanted: Vec<Answer> = rounds.iter().rev().flatten().map(|question| state.answer(question, at)).collect();
    assert_eq!(tuples::inquire(db, Asks(at, rounds, Vec::new())).unwrap().2, wanted);
}

fn reads(db: &Session, state: &State, dice: &mut Dice, at: Timestamp) {
    let (usr, org): (UserId, OrgId) = (id(dice.one(FEW)), id(dice.one(FEW + 1)));
    let after = dice.some(|dice| dice.below(MANY));
    let fetch = dice.below(6);

    let ends = [None, Some(Expiry::After(at)), Some(Expiry::NotAfter(at))];
    let statuses = InvitationStatus::ALL.iter().copied().map(Some).chain([None]);
    let both = ends.iter().flat_map(|pending| statuses.clone().map(|stored| Some(InvitationFilter { pending: *pending, stored })));
    for filter in both.chain([None]) {
        let window = Window { after: after.map(id), fetch };
        let identifier = Identifier::parse(dice.identifier()).unwrap();
        for query in [InvitationQuery::OfOrg { org, filter, window }, InvitationQuery::For { identifier, filter, window }] {
            assert_eq!(list::invitations(db, &query).unwrap(), state.read_invitations(&query), "{query:?}");
        }
    }
    let query = InvitationQuery::Id(id(dice.one(MANY)));
    assert_eq!(list::invitations(db, &query).unwrap(), state.read_invitations(&query), "{query:?}");

    for expiry in ends {
        let filter = Some(MembershipFilter { stored: MembershipStatus::Active, expiry });
        let window = Window { after: after.map(id), fetch };
        for query in [MembershipQuery::OfOrg { org, filter, window }, MembershipQuery::OfUser { usr, filter, window }] {
            assert_eq!(list::memberships(db, query.clone()).unwrap(), state.read_memberships(&query), "{query:?}");
        }
        assert_eq!(list::count_members(db, org, filter).unwrap(), state.count_members(org, filter));
    }
    let query = MembershipQuery::Siblings(id(dice.one(MANY)));
    assert_eq!(list::memberships(db, query.clone()).unwrap(), state.read_memberships(&query), "{query:?}");
    let window = Window { after: after.map(id), fetch };
    let below = |levels| OrgQuery::Descendants { org, levels, window };
    for query in [OrgQuery::Path(org), OrgQuery::Children { parent: org, window }, below(None), below(Some(1)), below(Some(2))] {
        assert_eq!(list::orgs(db, query.clone()).unwrap(), state.read_orgs(&query), "{query:?}");
    }

    let window = Window { after: after.map(id), fetch };
    let which = [
        WhichTuples::Id(id(dice.one(MANY))),
        WhichTuples::OfSubject { subject: dice.subject_or_object(), window },
        WhichTuples::OfSubject { subject: EntityRef::user(usr), window: Window { after: None, fetch: 100 } },
        WhichTuples::OfObject { object: dice.subject_or_object(), relation: None, window },
        WhichTuples::OfObject { object: dice.subject_or_object(), relation: Relation::parse(dice.relation()), window },
        WhichTuples::OfObject { object: EntityRef::org(org), relation: None, window: Window { after: None, fetch: 100 } },
        WhichTuples::OfObject { object: EntityRef::org(org), relation: Relation::parse(dice.relation()), window },
    ];
    for which in which {
        let query = TupleQuery { at, which };
        assert_eq!(tuples::tuples(db, &query).unwrap(), state.read_tuples(&query), "{query:?}");
    }
    let places: Vec<OrgId> = (1..=FEW + 1).rev().map(id).collect();
    assert_eq!(list::standings(db, usr, &places).unwrap(), state.read_standings(usr, &places));
    for after in [None, Some(id(dice.one(MANY)))] {
        let query = EventQuery::All { after, fetch };
        assert_eq!(list::events(db, &query).unwrap(), state.read_events(&query), "{query:?}");
    }
}

#[test]
fn everything_over_random_rows_is_as_the_state_says() {
    let (mut taken, mut refused, mut counted) = (0, 0, 0);
    for seed in 1..=8 {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let (db, mut state) = (Session::scratch(PREFIX), State::new());
        let first = orgs(&mut dice);
        written(&db, &first).unwrap();
        state.apply(&first).unwrap();
        for step in 0..400 {
            let at = dice.at();
            let plan = if dice.below(6) == 0 {
                Plan { at: Some(at), guards: vec![guard(&mut dice)], ..Plan::default() }
            } else {
                let change = change(&mut dice, &state, at);
                let told = dice.some(|dice| event(dice.one(MANY), dice.some(|dice| (dice.one(2), dice.one(3).into()))));
                // A plan with a guard is told apart by it, so these have none.
                Plan { at: Some(at), changes: vec![change], events: told.into_iter().collect(), ..Plan::default() }
            };
            let done = written(&db, &plan);
            assert_eq!(done, state.apply(&plan), "{plan:?}");
            *(if done.is_ok() { &mut taken } else { &mut refused }) += 1;
            if step % 4 > 0 {
                continue;
            }
            assert_eq!(list::dump(&db).unwrap(), state.dump(), "{plan:?}");
            for spec in specs(&mut dice, &state) {
                let asked = Load { spec: &spec, actor: dice.some(|dice| id(dice.one(FEW))), at };
                assert_eq!(load(&db, asked).unwrap(), state.load(asked), "{asked:?}");
            }
            let at = dice.at();
            checks(&db, &state, &mut dice, at);
            reads(&db, &state, &mut dice, at);
            let all =
                TupleQuery { at, which: WhichTuples::OfSubject { subject: entity("usr", 1), window: Window { after: None, fetch: 100 } } };
            counted += state.read_tuples(&all).len();
        }
    }
    // Not everything is refused, and not everything is hidden.
    assert!(taken > 600 && refused > 500 && counted > 200, "{taken} {refused} {counted}");
}
