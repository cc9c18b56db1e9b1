//! The store does what core's state does: the same commands give the same answers and leave the same rows.

#![allow(clippy::unwrap_used, reason = "a test may end so")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use tenantry_core::json::Value;
use tenantry_core::rules::Rules;
use tenantry_core::source::ManualClock;
use tenantry_core::{
    AcceptInvitation, AddMember, AdminRemove, Caller, Cause, ChangeRole, CheckAny, CheckOne, Clock, CountMembers, CreateInvitation,
    CreateInvitations, CreateOrg, CreateTenant, CreateTuple, CreateUser, DeclineInvitation, DeleteTenant, DeleteTuple, Dump, EnsureTenant,
    EntityRef, Error, ExtendInvitation, Import, ImportInvitation, ImportMember, ImportOrg, ImportRow, ImportTuple, ImportUser, Inspect,
    InvitationId, InvitationInput, InvitationStatus, ListAllChanges, ListChanges, ListChildren, ListDescendants, ListInvitations,
    ListInvitationsFor, ListMembers, ListMemberships, ListOrgs, ListSiblings, ListTuplesForObject, ListTuplesForSubject, Membership,
    MembershipId, MembershipStatus, OrgId, OrgStatus, PageRequest, Patch, PreTuple, ReadTree, Reason, ReinstateMembership, ReinstateOrg,
    ReinstateUser, RequestId, RevokeInvitation, RevokeOrg, RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser, Sweep,
    TenancyStore, TenantMode, TenantPolicy, Timestamp, TransferOwnership, TupleId, UpdateMembership, UpdateOrg, UserId,
};
use tenantry_sqlite::Options;

/// The answers of a run, those of commands with the rows that were there after it.
#[derive(Debug, Default)]
struct Transcript(Vec<(String, Option<Dump>)>);

impl Transcript {
    fn note<T: Debug>(&mut self, call: &str, answer: Result<T, Error>, rows: Option<Dump>) -> Option<T> {
        let told = match &answer {
            Ok(value) => format!("{call}: {value:?}"),
            Err(error) => format!("{call}: {} {error}", error.code()),
        };
        self.0.push((told, rows));
        answer.ok()
    }
}

#[track_caller]
fn same(ours: &Transcript, wanted: &Transcript) {
    for (step, (ours, wanted)) in ours.0.iter().zip(&wanted.0).enumerate() {
        assert_eq!(ours.0, wanted.0, "answer {step}");
        assert_eq!(ours.1, wanted.1, "rows after answer {step}: {}", ours.0);
    }
    assert_eq!(ours.0.len(), wanted.0.len());
}

/// Things of the application.
const DOCS: [&str; 3] =
    ["0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9d00", "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9d01", "0196f3c2-1b7a-0c3d-9e4f-5a6b7c8d9d02"];
const PEOPLE: [&str; 3] = ["ann@example.org", "Ann@example.org", "bob"];

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Whoever writes a document reads it, and so does who reads what it lies in, or belongs to it.
fn rules() -> Arc<Rules> {
    let through =
        |relation| format!(r#"{{"type":"tuple_to_userset","tupleset_relation":"parent","computed_userset_relation":"{relation}"}}"#);
    let this = r#"[{"type":"this"}]"#;
    let text = format!(
        r#"{{"doc":{{"parent":{this},"writer":{this},
            "reader":[{{"type":"this"}},{{"type":"computed_userset","relation":"writer"}},{},{}]}}}}"#,
        through("reader"),
        through("member")
    );
    Arc::new(Rules::parse(&value(&text)).unwrap())
}

fn import() -> Import {
    fn id<I: std::str::FromStr<Err: Debug>>(prefix: &str, last: char) -> I {
        format!("{prefix}_0196f3c21b7a7c3d9e4f5a6b7c8d9e0{last}").parse().unwrap()
    }
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let usr: UserId = id("usr", 'a');
    let one = id("org", '1');
    let mem = |last: char, role: &str| ImportMember {
        created_at: at("2024-05-01T00:00:00Z"),
        metadata: Some(value(r#"{"from":"elsewhere"}"#)),
        ..ImportMember::new(id("mem", last), usr, one, role)
    };
    let org = |last: char, parent_id: Option<OrgId>| ImportOrg {
        parent_id,
        name: Some("Größe".to_owned()),
        slug: Some(format!("imported-{last}")),
        cascade_permissions: false,
        seat_limit: Some(1),
        external_id: Some("crm/7".to_owned()),
        metadata: Some(value(r#"{"rate":0.1,"nested":[null,{"k":"\u0000"}]}"#)),
        ..ImportOrg::new(id("org", last))
    };
    let invited = |last: char, status: InvitationStatus| ImportInvitation {
        id: id("inv", last),
        org_id: one,
        identifier: "ann@example.org".to_owned(),
        role: "member".to_owned(),
        role_id: None,
        status,
        pre_tuples: vec![PreTuple::new("reader", "doc", DOCS[0]), PreTuple::new("reader", "doc", DOCS[0])],
        invited_by: usr,
        invited_user_id: (status == InvitationStatus::Accepted).then(|| id("usr", 'b')),
        created_at: None,
        expires_at: at("2025-01-01T00:00:00Z").unwrap(),
        terminal_at: (status == InvitationStatus::Accepted).then(|| at("2024-06-01T00:00:00Z").unwrap()),
        terminal_by: None,
    };
    let tuple = |last: char, subject: (&str, &str), org_id: Option<OrgId>| ImportTuple {
        id: id("tup", last),
        subject_type: subject.0.to_owned(),
        subject_id: subject.1.to_owned(),
        relation: "reader".to_owned(),
        object_type: "doc".to_owned(),
        object_id: DOCS[1].to_owned(),
        org_id,
        created_at: at("2024-05-01T00:00:00Z"),
        created_by: None,
        expires_at: at("2027-01-01T00:00:00Z"),
    };
    let rows = vec![
        ImportRow::User(ImportUser {
            display_name: Some("Imported".to_owned()),
            created_at: at("2024-01-01T00:00:00.5Z"),
            ..ImportUser::new(usr)
        }),
        ImportRow::Org(org('1', None)),
        ImportRow::Org(org('2', Some(one))),
        ImportRow::Member(ImportMember { status: MembershipStatus::Revoked, removed_by: Some(usr), ..mem('1', "guest") }),
        ImportRow::Member(ImportMember { replaces: Some(id("mem", '1')), ..mem('2', "owner") }),
        ImportRow::Member(ImportMember { org_id: id("org", '2'), ..mem('3', "owner") }),
        ImportRow::Member(ImportMember {
            org_id: id("org", '2'),
            usr_id: id("usr", 'b'),
            status: MembershipStatus::Expired,
            expires_at: at("2025-01-01T00:00:00Z"),
            ..mem('4', "viewer")
        }),
        ImportRow::Invitation(invited('1', InvitationStatus::Expired)),
        ImportRow::Invitation(invited('2', InvitationStatus::Pending)),
        ImportRow::Invitation(invited('3', InvitationStatus::Accepted)),
        ImportRow::Tuple(tuple('1', ("usr", &usr.to_string()), Some(one))),
        ImportRow::Tuple(tuple('2', ("folder", DOCS[2]), None)),
        ImportRow::Tuple(tuple('3', ("usr", DOCS[2]), None)),
    ];
    let more = [
        r#"{"type":"permission","slug":"books.lend","name":"Lend books"}"#,
        r#"{"type":"permission","slug":"books.read"}"#,
        r#"{"type":"role","id":"rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","slug":"porter"}"#,
        r#"{"type":"role","id":"rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e02","slug":"steward","inherits_to_descendants":true}"#,
        r#"{"type":"role_permission","role_id":"rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","permission":"books.lend","expires_at":"2027-01-01T00:00:00Z"}"#,
        r#"{"type":"role_permission","role_id":"rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e02","permission":"books.read"}"#,
        r#"{"type":"membership","id":"mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e07","usr_id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0c","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d9e02","role":"porter"}"#,
        r#"{"type":"group","id":"grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d9e02","slug":"night-shift"}"#,
        r#"{"type":"group_member","group_id":"grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d9e02","usr_id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0c","expires_at":"2024-01-01T00:00:00Z"}"#,
        r#"{"type":"group_role","group_id":"grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d9e02","role":"steward"}"#,
        r#"{"type":"override","holder":"org_0196f3c21b7a7c3d9e4f5a6b7c8d9e01","permission":"books.read","effect":"deny"}"#,
        r#"{"type":"override","holder":"mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e07","permission":"books.lend","effect":"grant"}"#,
    ];
    let rows = rows.into_iter().chain(more.map(|line| tenantry_core::wire::import_row(&value(line)).unwrap()));
    Import::new((1..).zip(rows).collect())
}

/// Every operation at least once, with and without success.
async fn script(store: &(impl TenancyStore + Inspect), clock: &ManualClock) -> Transcript {
    let mut told = Transcript::default();
    macro_rules! step {
        ($call:ident($request:expr)) => {{
            clock.advance_micros(1_500);
            let answer = store.$call($request).await;
            told.note(stringify!($call), answer, store.dump().await.ok())
        }};
    }
    let ada = step!(create_user(CreateUser::new().display_name("Ada \u{1F600} L'Ovelace"))).unwrap().user.id;
    let bob = step!(create_user(CreateUser::new())).unwrap().user.id;
    let eve = step!(create_user(CreateUser::new().display_name("Eve"))).unwrap().user.id;
    let external: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap();
    step!(create_user(CreateUser::new().display_name("a\u{0}b")));

    let root = step!(create_org(CreateOrg::new(ada).name("ÄCME %_\\ Ltd").slug("acme"))).unwrap();
    let root_id = root.org.id;
    step!(create_org(CreateOrg::new(ada).slug("acme")));
    let child = step!(create_org(CreateOrg::new(bob).name("Child").parent(root_id))).unwrap().org;
    step!(create_org(CreateOrg::new(external).parent(child.id)));
    let by_bob = step!(add_member(AddMember::new(root_id, bob, "admin").invited_by(ada))).unwrap();
    step!(add_member(AddMember::new(root_id, bob, "guest")));
    step!(add_member(AddMember::new(root_id, eve, "janitor")));
    let soon = by_bob.created_at.plus_seconds(60);
    let of_eve = step!(add_member(AddMember::new(root_id, eve, "member").expires_at(soon))).unwrap();
    step!(update_membership(UpdateMembership::new(of_eve.id).expires_at(Patch::Set(soon.plus_seconds(1)))));
    step!(update_membership(UpdateMembership::new(of_eve.id).expires_at(Patch::Clear)));
    step!(update_membership(UpdateMembership::new(of_eve.id).expires_at(Patch::Set(soon))));
    clock.advance_micros(61_000_000);
    step!(get_membership(of_eve.id));
    let of_eve = step!(add_member(AddMember::new(root_id, eve, "guest"))).unwrap();
    let of_eve = step!(change_role(ChangeRole::new(of_eve.id, "editor"))).unwrap();
    step!(change_role(ChangeRole::new(of_eve.id, "editor")));
    step!(suspend_membership(SuspendMembership::new(of_eve.id)));
    step!(suspend_membership(SuspendMembership::new(of_eve.id)));
    step!(reinstate_membership(ReinstateMembership::new(of_eve.id)));
    step!(admin_remove(AdminRemove::new(of_eve.id, bob)));
    step!(admin_remove(AdminRemove::new(root.owner_membership.id, bob)));
    step!(self_leave(SelfLeave::new(root.owner_membership.id)));
    let moved = step!(transfer_ownership(TransferOwnership::new(root_id, root.owner_membership.id, by_bob.id))).unwrap();
    step!(self_leave(SelfLeave::new(moved.to_membership.id).transfer_to(ada)));
    step!(suspend_user(SuspendUser::new(ada)));
    step!(suspend_user(SuspendUser::new(ada)));
    step!(reinstate_user(ReinstateUser::new(ada)));
    step!(revoke_user(RevokeUser::new(ada)));
    step!(add_member(AddMember::new(root_id, eve, "owner")));
    step!(revoke_user(RevokeUser::new(ada)));
    step!(update_org(UpdateOrg::new(root_id).name(Patch::Set("Neu".to_owned())).slug(Patch::Set("neu".to_owned()))));
    step!(update_org(UpdateOrg::new(root_id).name(Patch::Clear).cascade_permissions(false)));
    step!(update_org(UpdateOrg::new(child.id).slug(Patch::Set("neu".to_owned()))));
    step!(update_org(UpdateOrg::new(child.id).slug(Patch::Set("acme".to_owned())).inherit_permissions(false)));
    step!(suspend_org(SuspendOrg::new(child.id)));
    step!(add_member(AddMember::new(child.id, eve, "guest")));
    step!(reinstate_org(ReinstateOrg::new(child.id)));
    step!(revoke_org(RevokeOrg::new(root_id)));
    let leaf = step!(create_org(CreateOrg::new(eve).slug("leaf").parent(root_id))).unwrap().org;
    for (usr, role) in [(external, "guest"), (bob, "viewer")] {
        step!(add_member(AddMember::new(leaf.id, usr, role)));
    }
    step!(revoke_org(RevokeOrg::new(leaf.id)));
    step!(revoke_org(RevokeOrg::new(leaf.id)));
    step!(get_org_by_slug("leaf"));
    step!(create_org(CreateOrg::new(eve).slug("leaf")));
    step!(import(import()));
    step!(import(import()));

    script_of_offers(store, clock, &mut told, [bob, eve]).await;
    told.0.extend(reads(store).await.0);
    told
}

/// Invitations and tuples, one after the other.
async fn script_of_offers(store: &(impl TenancyStore + Inspect), clock: &ManualClock, told: &mut Transcript, [bob, eve]: [UserId; 2]) {
    macro_rules! step {
        ($call:ident($request:expr)) => {{
            clock.advance_micros(1_500);
            let answer = store.$call($request).await;
            told.note(stringify!($call), answer, store.dump().await.ok())
        }};
    }
    let club = step!(create_org(CreateOrg::new(eve).slug("club"))).unwrap().org.id;
    let fields = UpdateOrg::new(club).external_id(Patch::Set("\u{1F600}".to_owned())).metadata(Patch::Set(value(r#"{"a":[1,2.5]}"#)));
    step!(update_org(fields.seat_limit(Patch::Set(3))));
    let mem = store.get_membership_for(club, eve).await.unwrap().id;
    step!(update_membership(UpdateMembership::new(mem).metadata(Patch::Set(value(r#"{"since":"\u00e9"}"#)))));
    let end = clock.now().plus_seconds(600);
    let promises = vec![PreTuple::new("reader", "doc", DOCS[0]), PreTuple::new("writer", "doc", DOCS[1])];
    let invited = |whom: &str, role: &str| InvitationInput::new(whom, role, end).pre_tuples(promises.clone());
    let first = step!(create_invitation(CreateInvitation::new(club, eve, invited(PEOPLE[0], "member")))).unwrap().id;
    step!(create_invitation(CreateInvitation::new(club, eve, invited(PEOPLE[0], "member"))));
    let rows = [PEOPLE[1], PEOPLE[0], PEOPLE[1], PEOPLE[2], "late"].map(|whom| invited(whom, "guest")).to_vec();
    let made: Vec<InvitationId> = step!(create_invitations(CreateInvitations::new(club, eve, rows)))
        .unwrap()
        .into_iter()
        .filter_map(|row| row.0.ok().map(|inv| inv.id))
        .collect();
    let [for_newcomer, for_nobody, late]: [InvitationId; 3] = made.try_into().unwrap();
    let bob_key = bob.to_string();
    let to_doc = |subject: (&str, &str), relation: &str, doc: &str| CreateTuple::new(subject, relation, ("doc", doc));
    step!(create_tuple(to_doc(("usr", &bob_key), "reader", DOCS[0]))).unwrap();
    let soon = clock.now().plus_seconds(30);
    let short = step!(create_tuple(to_doc(("usr", &bob_key), "writer", DOCS[2]).expires_at(soon))).unwrap().id;
    step!(create_tuple(to_doc(("usr", &bob_key), "writer", DOCS[2])));
    step!(accept_invitation(AcceptInvitation::by(first, bob, PEOPLE[1])));
    let accepted = step!(accept_invitation(AcceptInvitation::by(first, bob, PEOPLE[0]))).unwrap();
    assert_eq!(accepted.materialized_tuples.len(), 1, "the other promise is held already");
    let newcomer = step!(accept_invitation(AcceptInvitation::by_new_user(for_newcomer))).unwrap().membership;
    step!(accept_invitation(AcceptInvitation::by_new_user(for_nobody)));
    step!(decline_invitation(DeclineInvitation::new(for_nobody)));
    step!(extend_invitation(ExtendInvitation::new(late, soon)));
    step!(revoke_invitation(RevokeInvitation::new(for_nobody, eve)));
    let scoped = to_doc(("usr", &newcomer.usr_id.to_string()), "reader", DOCS[2]).scope(club);
    step!(create_tuple(scoped.clone()));
    step!(create_tuple(scoped));
    step!(create_tuple(to_doc(("org", &club.to_string()), "parent", DOCS[2])));
    step!(create_tuple(CreateTuple::new(("usr", &bob_key), "billing", ("org", &club.to_string()))));
    step!(create_tuple(CreateTuple::new(("usr", &bob_key), "owner", ("org", &club.to_string()))));
    step!(delete_tuple(DeleteTuple::new(TupleId::from_uuid(newcomer.id.as_uuid()).unwrap())));
    told.0.extend(reads(store).await.0);
    step!(suspend_membership(SuspendMembership::new(newcomer.id)));
    told.0.extend(reads(store).await.0);
    clock.advance_micros(40_000_000);
    step!(get_tuple(short));
    step!(create_tuple(to_doc(("usr", &bob_key), "writer", DOCS[2])));
    step!(extend_invitation(ExtendInvitation::new(late, end)));
    step!(admin_remove(AdminRemove::new(newcomer.id, eve)));
    step!(create_invitation(CreateInvitation::new(club, eve, invited("last", "guest"))));
    clock.advance_micros(600_000_000);
    step!(sweep(Sweep::new().limit(1)));
    step!(sweep(Sweep::new()));
    step!(create_invitation(CreateInvitation::new(club, eve, InvitationInput::new("last", "guest", end.plus_seconds(600)))));
    step!(revoke_org(RevokeOrg::new(club)));
}

/// Every read, of everything that is there and of some that is not.
async fn reads(store: &(impl TenancyStore + Inspect)) -> Transcript {
    let mut told = Transcript::default();
    let rows = store.dump().await.unwrap();
    macro_rules! look {
        ($call:ident($($argument:expr),*)) => {{
            let answer = store.$call($($argument),*).await;
            told.note(stringify!($call), answer, None)
        }};
    }
    let nobody: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap();
    let nowhere: OrgId = "org_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap();
    let nothing: MembershipId = "mem_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap();
    let users: BTreeSet<UserId> = rows.memberships.iter().map(|mem| mem.usr_id).chain([nobody]).collect();
    let orgs: Vec<OrgId> = rows.organizations.iter().map(|org| org.id).chain([nowhere]).collect();
    let mems: Vec<MembershipId> = rows.memberships.iter().rev().map(|mem| mem.id).chain([nothing]).collect();
    let statuses = || MembershipStatus::ALL.iter().copied().map(Some).chain([None]);

    for usr in &users {
        look!(get_user(*usr));
        for status in statuses() {
            let mut request = ListMemberships::new(*usr);
            request.status = status;
            let first = look!(list_memberships(request.clone().page(PageRequest::first().limit(2)))).unwrap();
            look!(list_memberships(request.page(PageRequest::after_optional(first.next_cursor))));
        }
    }
    for org in &orgs {
        look!(get_org(*org));
        look!(get_org_path(*org));
        if let Some(first) = look!(list_children(ListChildren::new(*org).page(PageRequest::first().limit(1)))) {
            look!(list_children(ListChildren::new(*org).page(PageRequest::after_optional(first.next_cursor))));
        }
        for levels in [None, Some(1), Some(2)] {
            let mut request = ListDescendants::new(*org);
            request.levels = levels;
            if let Some(first) = look!(list_descendants(request.clone().page(PageRequest::first().limit(1)))) {
                look!(list_descendants(request.page(PageRequest::after_optional(first.next_cursor))));
            }
        }
        look!(list_siblings(ListSiblings::new(*org)));
        look!(org_tree(ReadTree::new(*org)));
        for status in statuses() {
            let mut request = ListMembers::new(*org);
            request.status = status;
            if let Some(first) = look!(list_members(request.clone().page(PageRequest::first().limit(1)))) {
                look!(list_members(request.page(PageRequest::after_optional(first.next_cursor))));
            }
            let mut request = CountMembers::new(*org);
            request.status = status;
            look!(count_members(request));
        }
        for after in [0, 1, 3, u64::MAX] {
            look!(changes(ListChanges::new(*org).after_revision(after).limit(2)));
        }
        for usr in &users {
            look!(get_membership_for(*org, *usr));
        }
    }
    look!(get_orgs(&orgs.iter().chain(&orgs).take(200).copied().collect::<Vec<_>>()));
    look!(get_memberships(&mems.iter().take(200).copied().collect::<Vec<_>>()));
    for mem in mems {
        look!(get_membership(mem));
        look!(membership_history(mem));
    }
    for status in OrgStatus::ALL.iter().copied().map(Some).chain([None]) {
        for query in ["", "acme", "ÄC", "äc", "%", "_", "\\", "neu", "ILD", "größe", "no such", "a\u{0}"] {
            let mut request = ListOrgs::new().query(query);
            request.status = status;
            let first = look!(list_orgs(request.clone().page(PageRequest::first().limit(2)))).unwrap();
            look!(list_orgs(request.page(PageRequest::after_optional(first.next_cursor))));
        }
        let mut request = ListOrgs::new();
        request.status = status;
        look!(list_orgs(request));
    }
    for slug in ["acme", "neu", "leaf", "none"] {
        look!(get_org_by_slug(slug));
    }
    for event in &rows.events {
        look!(outcome(event.id));
    }
    look!(outcome("aud_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap()));
    let mut last = None;
    loop {
        let mut request = ListAllChanges::new().limit(7);
        request.after = last;
        let page = look!(changes_all(request)).unwrap();
        last = page.data.last().map(|event| event.id);
        if page.next_cursor.is_none() {
            break;
        }
    }
    look!(changes_all(ListAllChanges::new().after("aud_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap())));
    offers(&*store.with_rules(rules()), &rows, &mut told).await;
    for usr in users.iter().take(4) {
        let caller = Caller::guarded(*usr).vouching([PEOPLE[0]]);
        offers(&*store.with_caller(caller), &rows, &mut told).await;
    }
    told
}

/// Reads of invitations and tuples, and checks, on behalf of whoever the store acts for.
async fn offers(store: &dyn TenancyStore, rows: &Dump, told: &mut Transcript) {
    macro_rules! look {
        ($call:ident($($argument:expr),*)) => {{
            let answer = store.$call($($argument),*).await;
            told.note(stringify!($call), answer, None)
        }};
    }
    for org in rows.organizations.iter().map(|org| org.id) {
        for status in InvitationStatus::ALL.iter().copied().map(Some).chain([None]) {
            let mut request = ListInvitations::new(org);
            request.status = status;
            if let Some(first) = look!(list_invitations(request.clone().page(PageRequest::first().limit(1)))) {
                look!(list_invitations(request.page(PageRequest::after_optional(first.next_cursor))));
            }
        }
    }
    for whom in PEOPLE {
        for status in InvitationStatus::ALL.iter().copied().map(Some).chain([None]) {
            let mut request = ListInvitationsFor::new(whom);
            request.status = status;
            if let Some(first) = look!(list_invitations_for(request.clone().page(PageRequest::first().limit(1)))) {
                look!(list_invitations_for(request.page(PageRequest::after_optional(first.next_cursor))));
            }
        }
    }
    for inv in &rows.invitations {
        look!(get_invitation(inv.id));
    }
    let derived = rows.memberships.iter().map(|mem| TupleId::from_uuid(mem.id.as_uuid()).unwrap());
    for tuple in rows.tuples.iter().map(|tuple| tuple.id).chain(derived) {
        look!(get_tuple(tuple));
    }
    let text = |entity: &EntityRef| (entity.kind.to_string(), entity.id.hyphenated().to_string());
    let users = rows.memberships.iter().map(|mem| EntityRef::user(mem.usr_id));
    let subjects: BTreeSet<EntityRef> = rows.tuples.iter().map(|tuple| tuple.key.subject).chain(users).collect();
    let orgs = rows.organizations.iter().map(|org| EntityRef::org(org.id));
    let objects: BTreeSet<EntityRef> = rows.tuples.iter().map(|tuple| tuple.key.object).chain(orgs).collect();
    for (kind, id) in subjects.iter().map(text) {
        let request = ListTuplesForSubject::new(kind, id);
        if let Some(first) = look!(list_tuples_for_subject(request.clone().page(PageRequest::first().limit(2)))) {
            look!(list_tuples_for_subject(request.page(PageRequest::after_optional(first.next_cursor))));
        }
    }
    for (kind, id) in objects.iter().map(text) {
        for relation in [None, Some("reader"), Some("member"), Some("owner"), Some("parent")] {
            let mut request = ListTuplesForObject::new(kind.as_str(), id.as_str());
            request.relation = relation.map(str::to_owned);
            if let Some(first) = look!(list_tuples_for_object(request.clone().page(PageRequest::first().limit(1)))) {
                look!(list_tuples_for_object(request.page(PageRequest::after_optional(first.next_cursor))));
            }
        }
    }
    for (subject, id) in subjects.iter().map(text) {
        let each = objects.iter().map(text).flat_map(|(kind, object)| {
            let ask = |relation| CheckOne::new((&subject, &id), relation, (&kind, &object));
            ["reader", "writer", "member", "owner"].map(ask)
        });
        let asked: Vec<CheckOne> = each.take(200).collect();
        look!(check_many(asked.clone()));
        look!(check(asked.into_iter().next().unwrap()));
        look!(check_any(CheckAny::new((&subject, &id), ["writer", "reader"], ("doc", DOCS[2]))));
    }
}

#[tokio::test]
async fn a_script_of_every_operation_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let ((sources, clock), (reference, other_clock)) = (support::sources(1), support::reference(1));
    let store = Options::new().sources(sources).open(folder.path().join("a.db")).unwrap();
    let wanted = script(&reference, &other_clock).await;
    assert!(wanted.0.iter().any(|(told, _)| told.contains("ImportCounts")), "the script came to its end");
    same(&script(&store, &clock).await, &wanted);
}

#[tokio::test]
async fn a_script_of_every_operation_in_memory() {
    let ((sources, clock), (reference, other_clock)) = (support::sources(2), support::reference(2));
    let store = Options::new().sources(sources).open_in_memory().unwrap();
    same(&script(&store, &clock).await, &script(&reference, &other_clock).await);
}

/// A small generator: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.get(self.below(from.len())).unwrap()
    }

    /// Mostly one of the last few: what came before has often come to an end.
    fn recent<T: Copy>(&mut self, from: &[T]) -> T {
        if self.below(3) == 0 { self.pick(from) } else { self.pick(from.get(from.len().saturating_sub(5)..).unwrap()) }
    }
}

/// Commands at random over few rows, so that most checks are met from both sides.
#[expect(clippy::too_many_lines, reason = "one arm for each command, and each is short")]
async fn wander(store: &(impl TenancyStore + Inspect), clock: &ManualClock, seed: u64, steps: usize) -> Transcript {
    let mut told = Transcript::default();
    let mut dice = Dice(seed);
    let mut users: Vec<UserId> = vec!["usr_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let mut orgs: Vec<OrgId> = vec!["org_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let mut mems: Vec<MembershipId> = vec!["mem_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let mut invs: Vec<(InvitationId, &str)> = vec![("inv_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap(), PEOPLE[0])];
    let mut tups: Vec<TupleId> = vec!["tup_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let roles = ["owner", "owner", "admin", "member", "guest", "viewer", "editor"];
    let slugs = ["one", "two", "three"];
    for _ in 0..steps {
        clock.advance_micros(700_000);
        let end = clock.now().plus_seconds(i64::try_from(dice.below(40)).unwrap());
        let (usr, org, mem) = (dice.recent(&users), dice.recent(&orgs), dice.recent(&mems));
        let ((inv, invited), tup) = (dice.recent(&invs), dice.recent(&tups));
        let whom = if dice.below(3) == 0 { dice.pick(&PEOPLE) } else { invited };
        let cause = Cause { request_id: RequestId::parse(whom), reason: Reason::parse("at random").filter(|_| dice.below(2) == 0) };
        let acting = match dice.below(4) {
            0 => store.with_caller(Caller::guarded(usr).vouching([whom])).with_cause(cause),
            _ => store.with_cause(cause),
        };
        macro_rules! step {
            ($call:ident($request:expr)) => {{
                let request = $request;
                let answer = acting.$call(request).await;
                told.note(stringify!($call), answer, store.dump().await.ok())
            }};
        }
        let kept = |kept: Option<Membership>, mems: &mut Vec<MembershipId>| mems.extend(kept.map(|mem| mem.id));
        match dice.below(30) {
            0 => users.extend(step!(create_user(CreateUser::new())).map(|made| made.user.id)),
            1 | 2 => {
                let mut request = CreateOrg::new(usr);
                if dice.below(2) == 0 {
                    request = request.parent(org);
                }
                if dice.below(2) == 0 {
                    request = request.slug(dice.pick(&slugs));
                }
                if let Some(made) = step!(create_org(request)) {
                    orgs.push(made.org.id);
                    mems.push(made.owner_membership.id);
                }
            }
            3..=5 => kept(step!(add_member(AddMember::new(org, usr, dice.pick(&roles)))), &mut mems),
            6 => kept(step!(add_member(AddMember::new(org, usr, "guest").expires_at(end).invited_by(dice.pick(&users)))), &mut mems),
            7 => kept(step!(change_role(ChangeRole::new(mem, dice.pick(&roles)))), &mut mems),
            8 => kept(step!(suspend_membership(SuspendMembership::new(mem))), &mut mems),
            9 => kept(step!(reinstate_membership(ReinstateMembership::new(mem))), &mut mems),
            10 => kept(step!(self_leave(SelfLeave::new(mem))), &mut mems),
            11 => kept(step!(self_leave(SelfLeave::new(mem).transfer_to(usr))), &mut mems),
            12 => kept(step!(admin_remove(AdminRemove::new(mem, usr))), &mut mems),
            13 => {
                if let Some(moved) = step!(transfer_ownership(TransferOwnership::new(org, mem, dice.pick(&mems)))) {
                    mems.extend([moved.from_membership.id, moved.to_membership.id]);
                }
            }
            14 => {
                let request = UpdateMembership::new(mem).expires_at(Patch::Set(end));
                kept(step!(update_membership(request.metadata(Patch::Set(value(r#"{"k":1e-7}"#))))), &mut mems);
            }
            15 => drop(step!(update_org(UpdateOrg::new(org).slug(Patch::Set(dice.pick(&slugs).to_owned()))))),
            16 => {
                let limit = i64::try_from(dice.below(4)).unwrap();
                drop(step!(update_org(UpdateOrg::new(org).seat_limit(Patch::Set(limit)).metadata(Patch::Set(value("{}"))))));
            }
            17 if dice.below(4) == 0 => {
                let policy = TenantPolicy::new(dice.pick(&TenantMode::ALL)).max_tenants(u32::try_from(dice.below(3)).unwrap());
                match dice.below(3) {
                    0 => drop(step!(delete_tenant(DeleteTenant::new(usr, org, policy)))),
                    1 => {
                        if let Some(made) = step!(create_tenant_with_ownership(CreateTenant::new(usr, dice.pick(&slugs), policy))) {
                            orgs.push(made.org.id);
                            mems.push(made.owner_membership.id);
                        }
                    }
                    _ => {
                        let made = step!(ensure_tenant_for_user(EnsureTenant::new(usr, policy).name("Ann")));
                        orgs.extend(made.as_ref().and_then(|made| made.org.as_ref()).map(|org| org.id));
                        mems.extend(made.and_then(|made| made.membership).map(|mem| mem.id));
                    }
                }
            }
            17 if dice.below(2) == 0 => drop(step!(suspend_org(SuspendOrg::new(org)))),
            17 if dice.below(3) == 0 => drop(step!(revoke_org(RevokeOrg::new(org)))),
            17 => drop(step!(reinstate_org(ReinstateOrg::new(org)))),
            18 if dice.below(2) == 0 => drop(step!(suspend_user(SuspendUser::new(usr)))),
            18 if dice.below(3) == 0 => drop(step!(revoke_user(RevokeUser::new(usr)))),
            18 => drop(step!(reinstate_user(ReinstateUser::new(usr)))),
            19 | 20 => {
                let promises = vec![PreTuple::new(dice.pick(&["reader", "writer"]), "doc", dice.pick(&DOCS))];
                let input = InvitationInput::new(whom, dice.pick(&roles), end).pre_tuples(promises);
                invs.extend(step!(create_invitation(CreateInvitation::new(org, usr, input))).map(|inv| (inv.id, whom)));
            }
            21 => {
                let rows = PEOPLE.map(|whom| InvitationInput::new(whom, "member", end)).to_vec();
                let made = step!(create_invitations(CreateInvitations::new(org, usr, rows))).unwrap_or_default();
                let made = made.into_iter().zip(PEOPLE).filter_map(|(row, whom)| Some((row.0.ok()?.id, whom)));
                invs.extend(made);
            }
            22 | 23 => {
                let request = if dice.below(3) == 0 { AcceptInvitation::by_new_user(inv) } else { AcceptInvitation::by(inv, usr, whom) };
                if let Some(accepted) = step!(accept_invitation(request)) {
                    mems.push(accepted.membership.id);
                    tups.extend(accepted.materialized_tuples.iter().map(|tuple| tuple.id));
                }
            }
            24 => drop(step!(extend_invitation(ExtendInvitation::new(inv, end)))),
            25 if dice.below(2) == 0 => drop(step!(decline_invitation(DeclineInvitation::by(inv, usr, whom)))),
            25 if dice.below(2) == 0 => drop(step!(revoke_invitation(RevokeInvitation::new(inv, usr)))),
            25 => drop(step!(sweep(Sweep::new().limit(2)))),
            26..=28 => {
                let (usr, place) = (usr.to_string(), org.to_string());
                let subject = dice.pick(&[("usr", usr.as_str()), ("usr", usr.as_str()), ("org", place.as_str()), ("doc", DOCS[0])]);
                let object = dice.pick(&[("doc", DOCS[0]), ("doc", DOCS[1]), ("doc", DOCS[2]), ("org", place.as_str())]);
                let mut request = CreateTuple::new(subject, dice.pick(&["reader", "writer", "parent", "member"]), object);
                if dice.below(2) == 0 {
                    request = request.scope(dice.pick(&orgs));
                }
                if dice.below(3) == 0 {
                    request = request.expires_at(end);
                }
                tups.extend(step!(create_tuple(request)).map(|tuple| tuple.id));
            }
            _ => {
                step!(delete_tuple(DeleteTuple::new(tup)));
            }
        }
    }
    told.0.extend(reads(store).await.0);
    told
}

#[tokio::test]
async fn a_random_walk() {
    for seed in 1..=4 {
        let ((sources, clock), (reference, other_clock)) = (support::sources(seed), support::reference(seed));
        let store = Options::new().sources(sources).open_in_memory().unwrap();
        let wanted = wander(&reference, &other_clock, seed, 400).await;
        same(&wander(&store, &clock, seed, 400).await, &wanted);
    }
}
