//! Checks that the rewrite rules lead in a circle, too far or too wide: a circle is denied, and what meets a limit is neither yes nor
//! no (spec/rules.md), on every store.
//!
//! And rows that do not go together, each well formed by itself: roles of elsewhere, users who are no members, organizations above
//! themselves, ends that have come, and as many permissions as there may be (spec/roles.md, groups.md, organizations.md, overrides.md).

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_conformance::Fresh;
use tenantry_core::rules::{Limits, Rules};
use tenantry_core::source::Clock as _;
use tenantry_core::wire::{self, CallError, Reply};
use tenantry_core::{Caller, CheckAny, CheckOne, DomainError, Error, EvaluationLimit, Role, Sources, TenancyStore, UserId};

use crate::lives::{Stage, text};
use crate::support;

// covers: RUL-4, RUL-5, RUL-14, RUL-15
#[test]
fn in_memory() {
    support::block_on(limits("memory"));
}

// covers: RUL-4, RUL-5, RUL-14, RUL-15
#[test]
fn in_sqlite() {
    support::block_on(limits("sqlite"));
}

// covers: RUL-4, RUL-5, RUL-14, RUL-15
#[test]
fn in_postgres() {
    support::block_on(limits("postgres"));
}

// covers: ROL-4, GRP-9, PAG-9, PAG-10, ERR-5
#[test]
fn roles_in_memory() {
    support::block_on(roles("memory"));
}

// covers: ROL-4, GRP-9, PAG-9, PAG-10, ERR-5
#[test]
fn roles_in_sqlite() {
    support::block_on(roles("sqlite"));
}

// covers: ROL-4, GRP-9, PAG-9, PAG-10, ERR-5
#[test]
fn roles_in_postgres() {
    support::block_on(roles("postgres"));
}

// covers: GRP-2, ERR-5
#[test]
fn strangers_in_memory() {
    support::block_on(strangers("memory"));
}

// covers: GRP-2, ERR-5
#[test]
fn strangers_in_sqlite() {
    support::block_on(strangers("sqlite"));
}

// covers: GRP-2, ERR-5
#[test]
fn strangers_in_postgres() {
    support::block_on(strangers("postgres"));
}

// covers: ORG-34, ORG-35, ERR-5
#[test]
fn moves_in_memory() {
    support::block_on(moves("memory"));
}

// covers: ORG-34, ORG-35, ERR-5
#[test]
fn moves_in_sqlite() {
    support::block_on(moves("sqlite"));
}

// covers: ORG-34, ORG-35, ERR-5
#[test]
fn moves_in_postgres() {
    support::block_on(moves("postgres"));
}

// covers: PRM-2, PRM-20, OVR-1, OVR-2, OVR-4, OVR-6, ERR-5
#[test]
fn ends_in_memory() {
    support::block_on(ends("memory"));
}

// covers: PRM-2, PRM-20, OVR-1, OVR-2, OVR-4, OVR-6, ERR-5
#[test]
fn ends_in_sqlite() {
    support::block_on(ends("sqlite"));
}

// covers: PRM-2, PRM-20, OVR-1, OVR-2, OVR-4, OVR-6, ERR-5
#[test]
fn ends_in_postgres() {
    support::block_on(ends("postgres"));
}

// covers: PRM-6, PRM-24, ROL-2, ERR-5
#[test]
fn many_permissions_in_memory() {
    support::block_on(many_permissions("memory"));
}

// covers: PRM-6, PRM-24, ROL-2, ERR-5
#[test]
fn many_permissions_in_sqlite() {
    support::block_on(many_permissions("sqlite"));
}

// covers: PRM-6, PRM-24, ROL-2, ERR-5
#[test]
fn many_permissions_in_postgres() {
    support::block_on(many_permissions("postgres"));
}

const ALICE: u128 = 0x0196_0000_0000_7000_8000_0000_0000_a11c;

/// What a check comes to: the place of the tuple that allows, or nothing, or a limit.
type Outcome = Result<Option<usize>, EvaluationLimit>;

/// Tuples in the order of their ids.
#[derive(Default)]
struct Tuples(Vec<(String, String, String)>);

impl Tuples {
    fn add(&mut self, subject: &str, relation: &str, object: &str) -> usize {
        self.0.push((subject.to_owned(), relation.to_owned(), object.to_owned()));
        self.0.len() - 1
    }

    fn id(place: usize) -> String {
        format!("tup_01970000000070008000{place:012x}")
    }

    /// As rows of an import, which is quicker than a command for each.
    fn rows(&self) -> Value {
        let row = |(place, (subject, relation, object)): (usize, &(String, String, String))| {
            let ((subject_type, subject_id), (object_type, object_id)) = (entity(subject), entity(object));
            json!({"type": "tuple", "id": Self::id(place), "subject_type": subject_type, "subject_id": subject_id, "relation": relation,
                "object_type": object_type, "object_id": object_id})
        };
        self.0.iter().enumerate().map(row).collect()
    }
}

/// `alice`, or a type, a group and a number: `folder:wide:7`.
fn entity(name: &str) -> (String, String) {
    if name == "alice" {
        return ("usr".to_owned(), uuid(ALICE));
    }
    let parts: Vec<&str> = name.split(':').collect();
    let [kind, group, number] = parts[..] else { panic!("{name} is no name") };
    let group: u128 = group.bytes().fold(0, |hash, byte| (hash * 31 + u128::from(byte)) % 0x1_0000);
    let number: u128 = number.parse().expect("a number");
    (kind.to_owned(), uuid(0x0196_0000_0000_7000_8000_0000_0000_0000 | (group << 16) | number))
}

fn uuid(number: u128) -> String {
    uuid::Uuid::from_u128(number).hyphenated().to_string()
}

fn rules() -> Rules {
    let chain = |number: u8| json!([{"type": "computed_userset", "relation": format!("r_{}", char::from(b'a' + number + 1))}]);
    let mut levels: serde_json::Map<String, Value> =
        (0..9).map(|number| (format!("r_{}", char::from(b'a' + number)), chain(number))).collect();
    let up = json!([{"type": "tuple_to_userset", "tupleset_relation": "parent", "computed_userset_relation": "viewer"}]);
    levels.insert("viewer".to_owned(), up.clone());
    let rules = json!({"doc": levels, "folder": {"viewer": up}, "ring": {
        "this_way": [{"type": "computed_userset", "relation": "that_way"}],
        "that_way": [{"type": "computed_userset", "relation": "this_way"}],
        "itself": [{"type": "this"}, {"type": "computed_userset", "relation": "itself"}],
    }});
    Rules::parse_open(&serde_json::from_value(rules).expect("JSON is a value")).expect("rules")
}

/// The tuples, and for each check, of a relation on an object, what it comes to.
fn world() -> (Tuples, Vec<(&'static str, String, Outcome)>) {
    let (mut tuples, mut checks) = (Tuples::default(), Vec::new());
    let mut expect = |relation, object: &str, outcome| checks.push((relation, object.to_owned(), outcome));

    // 10,000 parents, of which the first would allow; and so many that it is just still, or no longer, allowed to ask them.
    let mut wide = |group: &str, parents: usize, viewed: usize| {
        let mut allows = None;
        for number in 0..parents {
            let folder = format!("folder:{group}:{number}");
            tuples.add(&folder, "parent", &format!("doc:{group}:0"));
            if number == viewed {
                allows = Some(tuples.add("alice", "viewer", &folder));
            }
        }
        allows
    };
    wide("wide", 10_000, 0);
    expect("viewer", "doc:wide:0", Err(EvaluationLimit::FanOut));
    let last = wide("most", 1024, 1023);
    expect("viewer", "doc:most:0", Ok(last));
    wide("more", 1025, 0);
    expect("viewer", "doc:more:0", Err(EvaluationLimit::FanOut));
    wide("none", 1024, usize::MAX);
    expect("viewer", "doc:none:0", Ok(None));
    // A tuple on the document itself: nothing further is looked at.
    wide("direct", 1025, 0);
    let direct = tuples.add("alice", "viewer", "doc:direct:0");
    expect("viewer", "doc:direct:0", Ok(Some(direct)));

    // Nine folders above each other, with a tuple so many steps away.
    let mut tower = |group: &str, levels: usize| {
        for level in 1..=levels {
            let below = if level == 1 { format!("doc:{group}:0") } else { format!("folder:{group}:{}", level - 1) };
            tuples.add(&format!("folder:{group}:{level}"), "parent", &below);
        }
        tuples.add("alice", "viewer", &format!("folder:{group}:{levels}"))
    };
    let eight = tower("eight", 8);
    expect("viewer", "doc:eight:0", Ok(Some(eight)));
    tower("nine", 9);
    expect("viewer", "doc:nine:0", Err(EvaluationLimit::Depth));
    tower("ten", 20);
    expect("viewer", "doc:ten:0", Err(EvaluationLimit::Depth));

    // The same by relations on one object: `r_a` leans on `r_b`, and so on to `r_j`, which has no rule.
    let step = tuples.add("alice", "r_i", "doc:steps:0");
    expect("r_a", "doc:steps:0", Ok(Some(step)));
    tuples.add("alice", "r_j", "doc:steps:1");
    expect("r_a", "doc:steps:1", Err(EvaluationLimit::Depth));
    expect("r_a", "doc:steps:2", Err(EvaluationLimit::Depth));
    expect("r_b", "doc:steps:2", Ok(None));

    // Circles, of rules and of tuples: what comes back by the ninth relation is denied.
    for relation in ["this_way", "that_way", "itself"] {
        expect(relation, "ring:rules:0", Ok(None));
    }
    let back = tuples.add("alice", "this_way", "ring:rules:1");
    expect("that_way", "ring:rules:1", Ok(Some(back)));
    for (length, outcome) in
        [(1, Ok(None)), (2, Ok(None)), (8, Ok(None)), (9, Err(EvaluationLimit::Depth)), (30, Err(EvaluationLimit::Depth))]
    {
        for number in 0..length {
            tuples.add(&format!("folder:circle{length}:{}", (number + 1) % length), "parent", &format!("folder:circle{length}:{number}"));
        }
        expect("viewer", &format!("folder:circle{length}:0"), outcome);
    }
    (tuples, checks)
}

async fn limits(name: &str) {
    let (sources, _clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
    let Fresh { store, inspect, guard: _guard } = support::store(name).fresh(sources).await.expect("a fresh store");
    let (tuples, checks) = world();
    let rows = json!({"rows": tuples.rows()});
    let imported = wire::call(&*store, "import", &serde_json::from_value(rows).expect("JSON is a value")).await;
    assert!(matches!(imported, Ok(Reply::Imported(counts)) if counts.tuples == tuples.0.len() as u64), "{imported:?}");
    let before = inspect.dump().await.expect("its rows");

    let store = store.with_rules(Arc::new(rules()));
    let alice = entity("alice");
    let alice = (alice.0.as_str(), alice.1.as_str());
    for (relation, object, expected) in &checks {
        let what = format!("{name}: {relation} on {object}");
        let (kind, id) = entity(object);
        let object = (kind.as_str(), id.as_str());
        let one = CheckOne::new(alice, relation, object);
        assert_eq!(outcome(store.check(one.clone()).await), *expected, "{what}");
        assert_eq!(outcome(store.check_any(CheckAny::new(alice, [*relation], object)).await), *expected, "{what}, any");
        // A relation that nobody has comes first and changes nothing; behind one that holds nothing is looked at.
        assert_eq!(outcome(store.check_any(CheckAny::new(alice, ["nothing", *relation], object)).await), *expected, "{what}, second");
        let alice: UserId = format!("usr_{}", alice.1.replace('-', "")).parse().expect("an id");
        let guarded = store.with_caller(Caller::guarded(alice));
        assert_eq!(outcome(guarded.check(one).await), *expected, "{what}, guarded");
    }
    many(&*store, alice, &checks, name).await;
    frames(&*store, alice, name).await;
    assert!(inspect.dump().await.expect("its rows") == before, "{name}: a check changed rows");
}

fn outcome(checked: Result<tenantry_core::rules::Checked, Error>) -> Outcome {
    match checked {
        Ok(checked) => {
            assert_eq!(checked.allowed, checked.matched_tuple_id.is_some());
            Ok(checked.matched_tuple_id.map(|id| place(&id.to_string())))
        }
        Err(Error::Domain(error @ DomainError::EvaluationLimit(limit))) => {
            assert_eq!((error.code().as_str(), error.class()), ("evaluation_limit_exceeded", "EvaluationLimitExceededError"));
            Err(limit)
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn place(id: &str) -> usize {
    usize::from_str_radix(&id[24..], 16).expect("the number of a tuple")
}

/// All at once: each is answered as alone, and one that meets a limit bars none of the others.
async fn many(store: &dyn TenancyStore, alice: (&str, &str), checks: &[(&'static str, String, Outcome)], name: &str) {
    let entry = |(relation, object, _): &(&'static str, String, Outcome)| {
        let (kind, id) = entity(object);
        json!({"subject_type": alice.0, "subject_id": alice.1, "relation": relation, "object_type": kind, "object_id": id})
    };
    let input = json!({"checks": checks.iter().map(entry).collect::<Vec<_>>()});
    let reply = wire::call(store, "check_many", &serde_json::from_value(input).expect("JSON is a value")).await;
    let reply = serde_json::to_value(reply.unwrap_or_else(|error: CallError| panic!("{error:?}"))).expect("a reply");
    let data = reply["data"].as_array().expect("a list");
    assert_eq!(data.len(), checks.len());
    for ((relation, object, expected), row) in checks.iter().zip(data) {
        let id = expected.ok().flatten().map(Tuples::id);
        let code = expected.is_err().then_some("evaluation_limit_exceeded");
        assert_eq!(
            (&row["allowed"], &row["matched_tuple_id"]),
            (&json!(id.is_some()), &json!(id)),
            "{name}: {relation} on {object}: {row}"
        );
        assert_eq!(row["error"]["code"], json!(code), "{name}: {relation} on {object}: {row}");
    }
}

/// With other limits: a check asks for a pair of relation and object once however often it comes upon it.
async fn frames(store: &dyn TenancyStore, alice: (&str, &str), name: &str) {
    let (kind, id) = entity("doc:none:0");
    for (frames, expected) in [(1024, Err(EvaluationLimit::Frames)), (1025, Ok(None)), (1026, Ok(None)), (1, Err(EvaluationLimit::Frames))]
    {
        let store = store.with_rules(Arc::new(rules().limits(Limits::default().max_frames(frames))));
        let checked = store.check(CheckOne::new(alice, "viewer", (&kind, &id))).await;
        assert_eq!(outcome(checked), expected, "{name}: {frames} frames");
    }
    for (fan_out, expected) in [(1023, Err(EvaluationLimit::FanOut)), (1024, Ok(None)), (10_000, Ok(None))] {
        let store = store.with_rules(Arc::new(rules().limits(Limits::default().max_fan_out(fan_out))));
        let checked = store.check(CheckOne::new(alice, "viewer", (&kind, &id))).await;
        assert_eq!(outcome(checked), expected, "{name}: a fan-out of {fan_out}");
    }
}

const FUTURE: &str = "2027-01-01T00:00:00Z";
const UNKNOWN_ROLE: &str = "precondition.unknown_role";

/// An organization below this one, or a root, of the stage's owner.
async fn org(stage: &Stage, parent: Option<&str>) -> String {
    text(&stage.must("create_org", json!({"creator": stage.owner, "parent_id": parent})).await["org"]["id"])
}

async fn role(stage: &Stage, org: Option<&str>, slug: &str) -> String {
    text(&stage.must("create_role", json!({"org_id": org, "slug": slug})).await["id"])
}

async fn group(stage: &Stage, org: &str) -> String {
    text(&stage.must("create_group", json!({"org_id": org, "slug": "team"})).await["id"])
}

async fn join(stage: &Stage, org: &str, usr: &str, role: &str) -> String {
    text(&stage.must("add_member", json!({"org_id": org, "usr_id": usr, "role": role})).await["id"])
}

/// The number of rows of a list that has one page.
async fn count(stage: &Stage, list: &str, input: Value) -> usize {
    stage.must(list, input).await["data"].as_array().expect("a list").len()
}

/// Roles of an organization beside, of one below and of one above, the role itself, and texts that look like a role.
async fn roles(name: &'static str) {
    let stage = Stage::new(name).await;
    let (here, beside) = (stage.org.as_str(), org(&stage, None).await);
    let below = org(&stage, Some(here)).await;
    let upper = role(&stage, Some(here), "upper").await;
    let (other, lower) = (role(&stage, Some(&beside), "other").await, role(&stage, Some(&below), "lower").await);
    let (team, team_below) = (group(&stage, here).await, group(&stage, &below).await);
    let usr = stage.user().await;

    // By slug. None of the look-alikes is folded to the role that is known.
    let look_alikes =
        ["Upper", "UPPER", " upper", "upper ", "upper\n", "upper\0", "u\u{440}per", "uppe\u{ff52}", "upper\u{200b}", "u\u{30f}pper"];
    for slug in ["other", "lower"].into_iter().chain(look_alikes) {
        stage.refused("add_member", json!({"org_id": here, "usr_id": usr, "role": slug}), UNKNOWN_ROLE).await;
        let invited = json!({"org_id": here, "identifier": "a@x", "role": slug, "invited_by": stage.owner, "expires_at": FUTURE});
        stage.refused("create_invitation", invited, UNKNOWN_ROLE).await;
    }
    let mem = join(&stage, here, &usr, "upper").await;
    for slug in ["other", "lower"].into_iter().chain(look_alikes) {
        stage.refused("change_role", json!({"mem_id": mem, "new_role": slug}), UNKNOWN_ROLE).await;
    }
    // What is known above is known below.
    let mem_below = join(&stage, &below, &usr, "upper").await;
    stage.must("change_role", json!({"mem_id": mem_below, "new_role": "lower"})).await;

    // By id.
    for id in [&other, &lower] {
        stage.refused("add_group_role", json!({"group_id": team, "role_id": id}), UNKNOWN_ROLE).await;
        // Before the end, which has come too.
        let ended = json!({"group_id": team, "role_id": id, "expires_at": "2025-01-01T00:00:00Z"});
        stage.refused("add_group_role", ended, UNKNOWN_ROLE).await;
        stage.refused("delete_role", json!({"role_id": upper, "replacement_role_id": id}), UNKNOWN_ROLE).await;
    }
    for id in [&upper, &lower] {
        stage.must("add_group_role", json!({"group_id": team_below, "role_id": id})).await;
    }
    stage.refused("delete_role", json!({"role_id": upper, "replacement_role_id": upper}), UNKNOWN_ROLE).await;
    stage.refused("delete_role", json!({"role_id": upper}), "precondition.role_in_use").await;
    stage.refused("delete_role", json!({"role_id": lower}), "precondition.role_in_use").await;

    // Roles of the system stay, and ownership is not handed over so, with rows or without.
    let owner = Role::Owner.id().to_string();
    stage.refused("delete_role", json!({"role_id": upper, "replacement_role_id": owner}), UNKNOWN_ROLE).await;
    stage.must("add_group_role", json!({"group_id": team, "role_id": owner})).await;
    stage.must("seed_system_roles", json!({})).await;
    stage.must("add_group_role", json!({"group_id": team, "role_id": Role::Guest.id().to_string()})).await;
    stage.refused("delete_role", json!({"role_id": upper, "replacement_role_id": owner}), UNKNOWN_ROLE).await;
    let auditor = role(&stage, None, "auditor").await;
    for id in [&owner, &auditor] {
        stage.refused("delete_role", json!({"role_id": id}), "precondition.system_role").await;
        stage.refused("delete_role", json!({"role_id": id, "replacement_role_id": upper}), "precondition.system_role").await;
        // Before the look at the replacement.
        let unknown = "rol_01960000000070008000000000000099";
        stage.refused("delete_role", json!({"role_id": id, "replacement_role_id": unknown}), "precondition.system_role").await;
    }
    for slug in ["upper", "owner", "guest"] {
        stage.refused("create_role", json!({"org_id": here, "slug": slug}), "conflict.role_slug").await;
    }
    for slug in ["auditor", "owner", "guest"] {
        stage.refused("create_role", json!({"slug": slug}), "conflict.role_slug").await;
    }

    // A cursor is that of its list and its organization.
    let page = stage.must("list_roles", json!({"org_id": here, "limit": 1})).await;
    let cursor = page["page"]["next_cursor"].clone();
    assert!(cursor.is_string(), "{name}: {page}");
    for (list, mut input) in [
        ("list_roles", json!({"org_id": below})),
        ("list_roles", json!({})),
        ("list_groups", json!({"org_id": here})),
        ("list_group_roles", json!({"group_id": team})),
        ("list_group_members", json!({"group_id": team})),
        ("list_org_overrides", json!({"org_id": here})),
        ("list_membership_overrides", json!({"mem_id": mem})),
        ("list_permissions", json!({})),
        ("list_users_with", json!({"org_id": here, "permission": "doc.read"})),
        ("review_permissions", json!({"org_id": here})),
        ("preview_move_org", json!({"org_id": here})),
        ("list_orgs_with", json!({"usr_id": usr, "permission": "doc.read"})),
        ("list_children", json!({"org_id": here})),
        ("list_descendants", json!({"org_id": here})),
    ] {
        input["cursor"] = cursor.clone();
        stage.refused(list, input, "invalid_cursor").await;
    }
}

/// Users who are not, or not any more, in the organization whose group it is.
async fn strangers(name: &'static str) {
    const CODE: &str = "precondition.not_a_member";
    let stage = Stage::new(name).await;
    let (here, other) = (stage.org.as_str(), org(&stage, None).await);
    let below = org(&stage, Some(here)).await;
    let (team, team_below) = (group(&stage, here).await, group(&stage, &below).await);
    let into = |group: &str, usr: &str| json!({"group_id": group, "usr_id": usr});

    let [outsider, elsewhere, gone, ending, paused] =
        [stage.user().await, stage.user().await, stage.user().await, stage.user().await, stage.user().await];
    join(&stage, &other, &elsewhere, "owner").await;
    join(&stage, &below, &elsewhere, "member").await;
    let left = join(&stage, here, &gone, "member").await;
    stage.must("add_group_member", into(&team, &gone)).await;
    stage.must("self_leave", json!({"mem_id": left})).await;
    assert_eq!(count(&stage, "list_group_members", json!({"group_id": team})).await, 0, "{name}: who left the organization");
    let soon = json!({"org_id": here, "usr_id": ending, "role": "member", "expires_at": "2026-01-01T00:00:10Z"});
    stage.must("add_member", soon).await;
    stage.clock.advance_micros(60_000_000);

    for usr in [&outsider, &elsewhere, &gone, &ending, "usr_01960000000070008000000000000099"] {
        stage.refused("add_group_member", into(&team, usr), CODE).await;
        let mut ended = into(&team, usr);
        ended["expires_at"] = json!("2025-01-01T00:00:00Z");
        // Before the end, which has come too.
        stage.refused("add_group_member", ended, CODE).await;
    }
    // A membership above, or one that would be inherited, is none.
    let above = join(&stage, here, &outsider, "admin").await;
    stage.refused("add_group_member", into(&team_below, &outsider), CODE).await;
    stage.must("add_group_member", into(&team_below, &elsewhere)).await;
    // A suspended one is one.
    let mem = join(&stage, here, &paused, "member").await;
    stage.must("suspend_membership", json!({"mem_id": mem})).await;
    stage.must("add_group_member", into(&team, &paused)).await;
    // Taking out whoever is not in it changes nothing.
    for usr in [&outsider, &gone, &ending] {
        assert_eq!(stage.must("remove_group_member", into(&team, usr)).await, Value::Null, "{name}");
    }
    // Of what is not active nothing else is told.
    stage.must("suspend_org", json!({"org_id": here})).await;
    stage.refused("add_group_member", into(&team, &gone), "precondition.org_not_active").await;
    let guest = Role::Guest.id().to_string();
    stage.refused("add_group_role", json!({"group_id": team, "role_id": guest}), "precondition.org_not_active").await;
    stage.must("reinstate_org", json!({"org_id": here})).await;
    stage.must("admin_remove", json!({"mem_id": above, "admin_usr_id": stage.owner})).await;
    stage.refused("add_group_member", into(&team, &outsider), CODE).await;
}

/// Organizations above themselves, on an eleventh level, and away from the roles that are held there.
async fn moves(name: &'static str) {
    let stage = Stage::new(name).await;
    let to = |org: &str, parent: &str| json!({"org_id": org, "new_parent_id": parent});
    // A tower of ten levels.
    let mut tower = vec![stage.org.clone()];
    for level in 1..10 {
        let above = tower[level - 1].clone();
        tower.push(org(&stage, Some(&above)).await);
    }
    for level in [0, 1, 5, 8] {
        for parent in [level, level + 1, 9] {
            stage.refused("move_org", to(&tower[level], &tower[parent]), "conflict.cycle").await;
        }
    }
    stage.refused("create_org", json!({"creator": stage.owner, "parent_id": tower[9]}), "conflict.max_depth").await;

    // Two levels, the lower of which is revoked, do not go below the ninth.
    let (two, one) = (org(&stage, None).await, org(&stage, None).await);
    let lower = org(&stage, Some(&two)).await;
    stage.must("revoke_org", json!({"org_id": lower})).await;
    stage.refused("move_org", to(&one, &tower[9]), "conflict.max_depth").await;
    stage.refused("move_org", to(&two, &tower[9]), "conflict.max_depth").await;
    stage.refused("move_org", to(&two, &tower[8]), "conflict.max_depth").await;
    // The tower itself fits below nothing.
    stage.refused("move_org", to(&tower[0], &one), "conflict.max_depth").await;
    stage.refused("move_org", to(&tower[0], &two), "conflict.max_depth").await;

    // Before the look at who is active; which is said then.
    stage.must("suspend_org", json!({"org_id": two})).await;
    stage.refused("move_org", to(&two, &tower[8]), "conflict.max_depth").await;
    stage.refused("move_org", to(&two, &two), "conflict.cycle").await;
    stage.refused("move_org", to(&two, &tower[7]), "precondition.org_not_active").await;
    stage.refused("move_org", to(&one, &two), "precondition.org_not_active").await;
    stage.refused("move_org", to(&one, &lower), "precondition.org_not_active").await;
    stage.refused("move_org", to(&lower, &one), "precondition.org_not_active").await;
    stage.must("reinstate_org", json!({"org_id": two})).await;
    // To where it is already.
    for (level, above) in [(1, 0), (9, 8)] {
        let before = stage.must("get_org", json!({"org_id": tower[level]})).await;
        assert_eq!(stage.must("move_org", to(&tower[level], &tower[above])).await, before, "{name}");
    }
    stage.must("move_org", json!({"org_id": tower[0]})).await;

    // Just deep enough.
    stage.must("move_org", to(&one, &tower[8])).await;
    stage.must("move_org", to(&two, &tower[7])).await;
    let path = stage.must("get_org_path", json!({"org_id": lower})).await;
    assert_eq!(path["data"].as_array().map(Vec::len), Some(10), "{name}: {path}");
    stage.refused("move_org", to(&tower[7], &two), "conflict.cycle").await;
    stage.refused("move_org", to(&tower[7], &lower), "conflict.cycle").await;

    // A role of above that is held below does not let go; nor does a relation become a role by a move.
    role(&stage, Some(&tower[3]), "held").await;
    let usr = stage.user().await;
    let mem = join(&stage, &tower[5], &usr, "held").await;
    for org in [&tower[5], &tower[4]] {
        stage.refused("move_org", json!({"org_id": org}), "precondition.role_binding").await;
        stage.refused("move_org", to(org, &tower[2]), "precondition.role_binding").await;
    }
    stage.must("move_org", to(&tower[5], &tower[3])).await;
    stage.must("admin_remove", json!({"mem_id": mem, "admin_usr_id": stage.owner})).await;
    stage.must("move_org", json!({"org_id": tower[5]})).await;
    let tuple = json!({"subject_type": "usr", "subject_id": "01960000-0000-7000-8000-000000000099", "relation": "held",
        "object_type": "org", "object_id": tower[6]});
    let tuple = stage.must("create_tuple", tuple).await;
    stage.refused("move_org", to(&tower[5], &tower[3]), "precondition.role_binding").await;
    stage.must("move_org", to(&tower[5], &tower[2])).await;
    stage.must("delete_tuple", json!({"tup_id": tuple["id"]})).await;
    stage.must("move_org", to(&tower[5], &tower[3])).await;
}

/// Ends that have come, to the microsecond, and permissions that no catalog has.
async fn ends(name: &'static str) {
    const ENDED: &str = "precondition.past_expiration";
    const UNKNOWN: &str = "precondition.unknown_permission";
    let stage = Stage::new(name).await;
    let usr = stage.user().await;
    let mem = join(&stage, &stage.org, &usr, "member").await;
    let role = role(&stage, Some(&stage.org), "clerk").await;
    let team = group(&stage, &stage.org).await;
    for slug in ["doc.read", "doc.write"] {
        stage.must("define_permission", json!({"slug": slug})).await;
    }
    let on_org = json!({"org_id": stage.org, "permission": "doc.read", "effect": "grant"});
    let on_mem = json!({"mem_id": mem, "permission": "doc.read", "effect": "deny"});
    let commands = [
        ("set_org_override", &on_org),
        ("set_membership_override", &on_mem),
        ("grant_role_permission", &json!({"role_id": role, "permission": "doc.read"})),
        ("add_group_member", &json!({"group_id": team, "usr_id": usr})),
        ("add_group_role", &json!({"group_id": team, "role_id": role})),
    ];
    let with = |input: &Value, field: &str, value: Value| {
        let mut input = input.clone();
        input[field] = value;
        input
    };
    for (operation, input) in commands {
        // The call itself moves the clock by a thousand.
        let after = |micros: i64| json!(stage.clock.now().plus_micros(1_000 + micros).to_string());
        stage.refused(operation, with(input, "expires_at", json!("1970-01-01T00:00:00Z")), ENDED).await;
        stage.refused(operation, with(input, "expires_at", after(-1)), ENDED).await;
        stage.refused(operation, with(input, "expires_at", after(0)), ENDED).await;
        stage.must(operation, with(input, "expires_at", after(1))).await;
    }
    // All of them have ended by now.
    for (list, input) in [
        ("list_org_overrides", json!({"org_id": stage.org})),
        ("list_membership_overrides", json!({"mem_id": mem})),
        ("list_group_members", json!({"group_id": team})),
        ("list_group_roles", json!({"group_id": team})),
    ] {
        assert_eq!(count(&stage, list, input).await, 0, "{name}: {list}");
    }
    assert_eq!(stage.must("get_role", json!({"role_id": role})).await["permissions"], json!([]), "{name}");
    assert_eq!(
        stage.must("has_permission", json!({"usr_id": usr, "org_id": stage.org, "permission": "doc.read"})).await["allowed"],
        json!(false)
    );

    for (operation, input) in [commands[0], commands[1], commands[2]] {
        // Not in the catalog, if only by the case of a letter.
        for slug in ["doc.reaD", "doc.reads", "doc.read.all", "docs.read"] {
            stage.refused(operation, with(input, "permission", json!(slug)), UNKNOWN).await;
            // Before the end, which has come too.
            let ended = with(&with(input, "permission", json!(slug)), "expires_at", json!("2025-01-01T00:00:00Z"));
            stage.refused(operation, ended, UNKNOWN).await;
        }
        for slug in ["doc", "doc.", "Doc.read", "doc.*", "doc.re\u{430}d", "doc.read\n"] {
            stage.refused(operation, with(input, "permission", json!(slug)), "invalid_format.permission").await;
        }
    }
    // Taking away asks neither for the catalog nor for an end.
    for (operation, input, nothing, list, of) in [
        ("set_org_override", &on_org, "inherit", "list_org_overrides", json!({"org_id": stage.org})),
        ("set_membership_override", &on_mem, "clear", "list_membership_overrides", json!({"mem_id": mem})),
    ] {
        for slug in ["doc.read", "doc.reads"] {
            let taken = with(&with(input, "permission", json!(slug)), "effect", json!(nothing));
            assert_eq!(stage.must(operation, with(&taken, "expires_at", json!("2025-01-01T00:00:00Z"))).await, Value::Null, "{name}");
        }
        // A second one takes the place of the first.
        for (effect, rows) in [("grant", 1), ("deny", 1), (nothing, 0), (nothing, 0), ("grant", 1)] {
            stage.must(operation, with(input, "effect", json!(effect))).await;
            assert_eq!(count(&stage, list, of.clone()).await, rows, "{name}: {operation} {effect}");
        }
    }
    // Revoking what is not granted is no change.
    for slug in ["doc.write", "doc.reads"] {
        let revoked = stage.must("revoke_role_permission", json!({"role_id": role, "permission": slug})).await;
        assert_eq!((&revoked["changed"], &revoked["unchanged"]), (&json!([]), &json!([slug])), "{name}");
    }

    // A membership that is over, in an organization that is not.
    stage.must("self_leave", json!({"mem_id": mem})).await;
    stage.refused("set_membership_override", on_mem.clone(), "precondition.mem_not_active").await;
    stage.refused("set_membership_override", with(&on_mem, "permission", json!("doc.reads")), "precondition.mem_not_active").await;
    stage.refused("set_membership_override", with(&on_mem, "effect", json!("clear")), "precondition.mem_not_active").await;
    stage.must("suspend_org", json!({"org_id": stage.org})).await;
    stage.refused("set_membership_override", on_mem, "precondition.org_not_active").await;
    stage.refused("set_org_override", with(&on_org, "permission", json!("doc.reads")), "precondition.org_not_active").await;
    stage.refused("grant_role_permission", json!({"role_id": role, "permission": "doc.reads"}), "precondition.org_not_active").await;
    stage.refused("revoke_role_permission", json!({"role_id": role, "permission": "doc.reads"}), "precondition.org_not_active").await;
    stage.refused("update_role", json!({"role_id": role, "name": "Other"}), "precondition.org_not_active").await;
    stage.refused("update_group", json!({"group_id": team, "name": "Other"}), "precondition.org_not_active").await;
    stage.refused("delete_group", json!({"group_id": team}), "precondition.org_not_active").await;
}

/// As many permissions as one role may grant at once.
async fn many_permissions(name: &'static str) {
    const MOST: usize = 100_000;
    let stage = Stage::new(name).await;
    let slugs: Vec<String> = (0..=MOST).map(|number| format!("bulk.p{number:06}")).collect();
    let known = &slugs[..MOST];
    let definitions: Vec<Value> = known.iter().map(|slug| json!({"slug": slug})).collect();
    let synced = stage.must("sync_catalog", json!({"custom": definitions})).await;
    assert_eq!(synced["created"].as_array().map(Vec::len), Some(MOST), "{name}");
    // Two that disagree, the one at the beginning and the other at the end: nothing of all that comes in.
    let mut disagreeing: Vec<Value> = (1..MOST - 1).map(|number| json!({"slug": format!("other.p{number}")})).collect();
    disagreeing.insert(0, json!({"slug": "other.p0", "name": "One"}));
    disagreeing.push(json!({"slug": "other.p0", "name": "Another"}));
    stage.refused("sync_catalog", json!({"custom": disagreeing}), "conflict.permission_metadata").await;

    let of = |slug: &str, permissions: &[String]| json!({"org_id": stage.org, "slug": slug, "permissions": permissions});
    let with_last = |last: &str| {
        let mut permissions = known[..MOST - 1].to_vec();
        permissions.push(last.to_owned());
        permissions
    };
    stage.refused("create_role", of("bulk", &slugs), "invalid_format.permissions").await;
    stage.refused("create_role", of("owner", &slugs), "invalid_format.permissions").await;
    stage.refused("create_role", of("bulk", &with_last("bulk.*")), "invalid_format.permissions").await;
    stage.refused("create_role", of("bulk", &with_last("bulk.P000000")), "invalid_format.permissions").await;
    stage.refused("create_role", of("bulk", &with_last("bulk.pX")), "precondition.unknown_permission").await;
    stage.refused("create_role", of("owner", &with_last("bulk.pX")), "conflict.role_slug").await;

    let created = stage.must("create_role", of("bulk", known)).await;
    assert!(created["permissions"] == json!(known), "{name}: what it grants is in order");
    let role = json!({"role_id": created["id"]});
    // At once, not altogether.
    stage.must("define_permission", json!({"slug": slugs[MOST]})).await;
    stage.must("grant_role_permission", json!({"role_id": created["id"], "permission": slugs[MOST]})).await;
    assert!(stage.must("get_role", role).await["permissions"] == json!(slugs), "{name}: one more");

    let usr = stage.user().await;
    join(&stage, &stage.org, &usr, "bulk").await;
    let asked = |permission: &str| json!({"usr_id": usr, "org_id": stage.org, "permission": permission});
    for (slug, allowed) in [(&*slugs[0], true), (&*slugs[MOST], true), ("bulk.p", false), ("bulk.p100001", false)] {
        assert_eq!(stage.must("has_permission", asked(slug)).await["allowed"], json!(allowed), "{name}: {slug}");
    }
    stage.refused("has_permission", asked("bulk.P000000"), "invalid_format.permission").await;
    let all = |permissions: &[String]| json!({"usr_id": usr, "org_id": stage.org, "permissions": permissions});
    assert_eq!(stage.must("has_all_permissions", all(&slugs[MOST - 199..])).await["allowed"], json!(true), "{name}");
    for operation in ["has_all_permissions", "has_any_permission"] {
        stage.refused(operation, all(&slugs[..201]), "invalid_format.permissions").await;
        stage.refused(operation, all(&slugs), "invalid_format.permissions").await;
    }
}
