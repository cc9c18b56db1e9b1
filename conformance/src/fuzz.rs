//! What must hold of any bytes that come from outside. Each harness takes whatever it is given, never panics on it, and asserts a
//! property of what it could read.
//!
//! They are driven twice: by proptest in `cargo xtask test`, with any bytes and with damaged copies of good ones ([`seeds`]), and by
//! libFuzzer in `cargo xtask fuzz`, where the toolchain has it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use serde_json::{Value, json};
use tenantry_core::doctor::examine;
use tenantry_core::id::{encode, is_valid};
use tenantry_core::json::Value as CoreValue;
use tenantry_core::rules::{Limits, Node, Rules};
use tenantry_core::source::ManualClock;
use tenantry_core::wire::{self, CallError};
use tenantry_core::{
    AnyId, CheckOne, Clock, DomainError, EntityRef, Error, EventId, ExternalId, Id, IdType, Identifier, InvitationId, MembershipId, Name,
    ObjectType, OrgId, Reason, Relation, RequestId, Role, Slug, Sources, TenancyStore, Timestamp, TupleId, UserId,
};

use crate::fixture::{self, Fixture, Mode, own_fixtures};
use crate::store::{Fresh, FreshError, TestStore};
use crate::testing::{World, reference};

/// A harness. It answers whether the bytes were taken, so that a driver can tell whether it gets anywhere.
pub type Harness = fn(&[u8]) -> bool;

/// Every harness, by the name of its target.
pub const HARNESSES: [(&str, Harness); 6] =
    [("ids", ids), ("slugs", slugs), ("cursors", cursors), ("fixtures", fixtures), ("imports", imports), ("rules", rules)];

/// 2026-01-01T00:00:00Z, in microseconds.
const START_MICROS: i64 = 1_767_225_600_000_000;
/// What is longer is cut off: the texts and documents of interest are short.
const LONGEST: usize = 1 << 16;

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data.get(..data.len().min(LONGEST))?).ok()
}

/// Runs what never waits, as everything over core's own state.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("core's own state has nothing to wait for"),
    }
}

/// A store of core's own state, and its clock.
fn store() -> (Fresh, Arc<ManualClock>) {
    let start = Timestamp::from_micros(START_MICROS).unwrap_or(Timestamp::MIN);
    let (sources, clock) = Sources::deterministic(start, 1);
    (reference(sources), clock)
}

/// Ids: what is read is written back the same, whatever kind is asked for.
///
/// # Panics
/// When that does not hold.
pub fn ids(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let read = text.parse::<AnyId>();
    assert_eq!(read.is_ok(), is_valid(text, None), "{text:?}");
    match read {
        Ok(id) => {
            assert_eq!(id.to_string(), text);
            assert_eq!(encode(id.kind.prefix(), &id.as_uuid().hyphenated().to_string()).as_deref(), Ok(text));
            assert!(
                is_valid(text, Some(id.kind.prefix()))
                    && IdType::ALL.iter().filter(|kind| is_valid(text, Some(kind.prefix()))).count() == 1
            );
        }
        Err(error) => assert!(!error.to_string().is_empty() && !text.starts_with("usr_") | !error.is_unknown_type(), "{text:?}: {error}"),
    }
    of_kind::<UserId>(text, read.ok());
    of_kind::<OrgId>(text, read.ok());
    of_kind::<MembershipId>(text, read.ok());
    of_kind::<InvitationId>(text, read.ok());
    of_kind::<TupleId>(text, read.ok());
    of_kind::<EventId>(text, read.ok());

    // The two parts of an encoding, and of a subject.
    let (kind, rest) = text.split_once(['\n', ' ']).unwrap_or(("doc", text));
    if let Ok(id) = encode(kind, rest) {
        assert!(IdType::from_prefix(kind).is_some() && id.len() == kind.len() + 33, "{id}");
    }
    if let Some(entity) = ObjectType::parse(kind).and_then(|kind| EntityRef::parse(kind, rest)) {
        let again = EntityRef::parse(entity.kind, &entity.id.hyphenated().to_string());
        assert_eq!(again, Some(entity), "{text:?}");
        assert!(!entity.id.is_nil() && !entity.id.is_max(), "{text:?}");
        return true;
    }
    read.is_ok()
}

fn of_kind<I: Id + PartialEq + std::fmt::Debug>(text: &str, any: Option<AnyId>) {
    let read = text.parse::<I>();
    assert_eq!(read.as_ref().ok().map(Id::any), any.filter(|id| id.kind == I::KIND), "{text:?}");
    if let Ok(id) = read {
        assert_eq!(id.to_string(), text);
        assert_eq!(I::from_uuid(id.as_uuid()), Ok(id));
    }
}

/// Slugs, and the other values that are checked texts: they keep what they were given, have the form of the specification, and are
/// found again by it.
///
/// # Panics
/// When that does not hold.
pub fn slugs(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let bytes = text.as_bytes();
    let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let has_ends = bytes.first().is_some_and(letter) && bytes.last().is_some_and(letter);
    let is_slug = has_ends && bytes.len() <= 63 && bytes.iter().all(|byte| letter(byte) || *byte == b'-');
    kept(Slug::parse(text).as_ref().map(Slug::as_str), text, is_slug);
    let is_name = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    kept(Name::parse(text).as_ref().map(Name::as_str), text, is_name);
    let opaque = |most: usize| (1..=most).contains(&bytes.len()) && !bytes.contains(&0);
    kept(Identifier::parse(text).as_ref().map(Identifier::as_str), text, opaque(320));
    kept(ExternalId::parse(text).as_ref().map(ExternalId::as_str), text, opaque(200));
    kept(RequestId::parse(text).as_ref().map(RequestId::as_str), text, opaque(200));
    kept(Reason::parse(text).as_ref().map(Reason::as_str), text, opaque(1000));
    let is_relation = (2..=32).contains(&bytes.len()) && bytes.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    kept(Relation::parse(text).as_ref().map(Relation::as_str), text, is_relation);
    let is_type = (2..=6).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_lowercase);
    kept(ObjectType::parse(text).as_ref().map(ObjectType::as_str), text, is_type);
    kept(Role::from_slug(text).as_ref().map(Role::slug), text, Role::ALL.iter().any(|role| role.slug() == text));
    if let Ok(moment) = text.parse::<Timestamp>() {
        assert_eq!(moment.to_string().parse(), Ok(moment), "{text:?}");
        assert!(moment.to_string().len() == 27 && (Timestamp::MIN..=Timestamp::MAX).contains(&moment), "{text:?}");
    }
    if let Some(name) = Name::parse(text) {
        // Folding is done once, and loses no part that is searched for.
        let folded = name.folded();
        for part in text.char_indices().map(|(at, _)| text.get(at..).unwrap_or_default()).take(8) {
            let part = Name::parse(part).map(|part| part.folded());
            assert!(part.is_some_and(|part| folded.contains(&part)), "{text:?}");
        }
    }

    let (fresh, _) = store();
    let input = json!({"creator": "usr_01960000000070008000000000000001", "slug": text});
    match call(&*fresh.store, "create_org", &input) {
        Ok(created) => {
            assert!(is_slug, "{text:?} was taken");
            let found = call(&*fresh.store, "get_org_by_slug", &json!({ "slug": text })).ok();
            let found = found.as_ref().and_then(|org| org.get("id"));
            assert!(found.is_some() && found == created.pointer("/org/id"), "{text:?}: {found:?}");
        }
        Err(error) => {
            assert!(!is_slug && error.code() == "precondition.org_slug_format", "{text:?}: {error:?}");
            let found = call(&*fresh.store, "get_org_by_slug", &json!({ "slug": text }));
            assert!(matches!(found, Err(Error::Domain(DomainError::NotFound(_)))), "{text:?}: {found:?}");
        }
    }
    is_slug || is_name
}

fn kept(read: Option<&str>, text: &str, fits: bool) {
    assert_eq!(read, fits.then_some(text), "{text:?}");
}

/// Cursors: one that opens a list is of that list, and leads to the end of it; it opens no other.
///
/// # Panics
/// When that does not hold.
pub fn cursors(data: &[u8]) -> bool {
    let Some(cursor) = text(data) else { return false };
    let (fresh, _) = store();
    let store = &*fresh.store;
    let Ok(world) = now(World::build(store)) else { unreachable!("the world is built") };
    let lists = [
        ("list_orgs", json!({})),
        ("list_orgs", json!({"status": "active"})),
        ("list_children", json!({ "org_id": world.org })),
        ("list_descendants", json!({ "org_id": world.org })),
        ("list_members", json!({ "org_id": world.org })),
        ("list_memberships", json!({ "usr_id": world.owner })),
        ("list_invitations", json!({ "org_id": world.org })),
        ("list_invitations_for", json!({ "identifier": World::IDENTIFIER })),
        ("list_tuples_for_object", json!({"object_type": "org", "object_id": world.org})),
    ];
    let mut opened = 0;
    for (operation, scope) in lists {
        let whole = with(&scope, "limit", 200);
        match call(store, operation, &with(&whole, "cursor", cursor)) {
            Ok(page) => {
                opened += 1;
                let whole = call(store, operation, &whole).unwrap_or_default();
                assert!(rows_of(&whole).ends_with(rows_of(&page)), "{operation}: {cursor:?} leads to {page}");
                // Ours begin alike, since they say which list they are of.
                let ours = call(store, operation, &with(&scope, "limit", 1)).ok().and_then(|page| next_cursor(&page));
                if let Some(ours) = ours {
                    assert_eq!((cursor.len(), cursor.get(..13)), (ours.len(), ours.get(..13)), "{operation}: {cursor:?}");
                }
            }
            Err(error) => assert_eq!(error.code(), "invalid_cursor", "{operation}: {cursor:?}"),
        }
    }
    assert!(opened <= 1, "{cursor:?} opens {opened} lists");
    // The feed goes on from events alone.
    if let Err(error) = call(store, "changes_all", &json!({ "after": cursor })) {
        assert_eq!(error.code(), "invalid_cursor", "{cursor:?}");
    } else {
        assert!(cursor.parse::<EventId>().is_ok(), "{cursor:?}");
        opened += 1;
    }
    opened > 0
}

/// Fixture files: what loads, loads again from its own JSON; ours are stricter than others'; and whatever a test says, the runner
/// comes to its end, twice the same.
///
/// # Panics
/// When that does not hold.
pub fn fixtures(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let load = |text: &str, mode| fixture::read_text("fuzz/fuzz.json", text, mode);
    let (ours, others) = (load(text, Mode::Ours), load(text, Mode::Foreign));
    assert!(ours.is_err() || others.is_ok(), "what is read strictly is read leniently: {others:?}");
    for (read, mode) in [(&ours, Mode::Ours), (&others, Mode::Foreign)] {
        match read {
            Ok(fixture) => {
                let again = serde_json::from_str::<Value>(text).map(|value| load(&value.to_string(), mode));
                assert_eq!(again.ok().as_ref(), Some(read), "written and read again");
                played(fixture);
            }
            Err(problem) => assert!(!problem.what.is_empty() && problem.at.starts_with('$'), "{problem}"),
        }
    }
    others.is_ok()
}

/// Runs the first tests of a file.
fn played(fixture: &Fixture) {
    for test in fixture.tests.iter().take(4) {
        let short = test.steps.as_ref().is_ok_and(|steps| steps.len() <= 64);
        if short {
            let run = || now(crate::runner::run(&Rows, fixture, test));
            assert_eq!(run(), run(), "the same test twice");
        }
    }
}

/// Core's own state as a store under test.
#[derive(Debug)]
struct Rows;

#[async_trait]
impl TestStore for Rows {
    fn name(&self) -> &'static str {
        "state"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        Ok(reference(sources))
    }
}

/// Import documents, one row on each line: they are refused with an error of the specification and leave every row as it was, or
/// come in, and then the doctor finds nothing and the same document once more changes nothing. In an empty store and beside other
/// rows.
///
/// # Panics
/// When that does not hold.
pub fn imports(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let Ok(rows) = lines.map(serde_json::from_str).collect::<Result<Vec<CoreValue>, _>>() else { return false };
    let count = rows.len();
    let input = CoreValue::Map([("rows".to_owned(), CoreValue::List(rows))].into());
    let mut came_in = false;
    for beside_others in [false, true] {
        let (fresh, clock) = store();
        if beside_others {
            assert!(now(World::build(&*fresh.store)).is_ok(), "the world is built");
        }
        let dump = || now(fresh.inspect.dump()).ok();
        let before = dump();
        clock.advance_micros(1_000);
        match call_with(&*fresh.store, "import", &input) {
            Ok(counts) => {
                came_in |= count > 0;
                let after = dump();
                let findings = after.as_ref().map(|dump| examine(dump, clock.now()));
                assert_eq!(findings.as_deref(), Some(&[][..]), "{counts} came in, and all is not well");
                let counted: u64 = counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
                assert_eq!(usize::try_from(counted), Ok(count), "{counts}: every row counts once");
                let again = call_with(&*fresh.store, "import", &input);
                let unchanged = again.as_ref().ok().and_then(|again| again.get("unchanged"));
                assert_eq!(unchanged, Some(&json!(count)), "the second time: {again:?}");
                assert!(dump() == after, "the second time it wrote something");
            }
            Err(Error::Domain(error)) => {
                assert!(dump() == before, "{error:?}, and rows changed");
                assert!(!error.code().is_empty() && !error.to_string().is_empty(), "{error:?}");
            }
            Err(error) => unreachable!("core's own state does not fail: {error:?}"),
        }
    }
    came_in
}

/// Rules in JSON: what is read strictly is read leniently and is the same, what is read is written and read again the same, and a
/// check by it comes to its end.
///
/// # Panics
/// When that does not hold.
pub fn rules(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let Ok(value) = serde_json::from_str::<CoreValue>(text) else { return false };
    let (strict, open) = (Rules::parse(&value), Rules::parse_open(&value));
    if let Ok(strict) = &strict {
        assert_eq!(open.as_ref(), Ok(strict), "read strictly and leniently");
    }
    let rules = match open {
        Ok(rules) => rules,
        Err(error) => {
            assert!(strict.is_err() && !error.to_string().is_empty(), "{error}");
            return false;
        }
    };
    let written = written(&rules, text);
    let again = crate::ops::core_value(&written).ok().and_then(|value| Rules::parse_open(&value).ok());
    assert_eq!(again.as_ref(), Some(&rules), "written and read again");
    checked(rules, text);
    true
}

/// The types and relations that a document of rules names.
fn named(text: &str) -> Vec<(ObjectType, Relation)> {
    let Ok(Value::Object(types)) = serde_json::from_str(text) else { return Vec::new() };
    let relations = |(kind, relations): (&String, &Value)| {
        let kind = ObjectType::parse(kind);
        let names: Vec<String> = relations.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        names.into_iter().filter_map(|name| Some((kind?, Relation::parse(&name)?))).collect::<Vec<_>>()
    };
    types.iter().flat_map(relations).collect()
}

fn written(rules: &Rules, text: &str) -> Value {
    let mut types: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for (kind, relation) in named(text) {
        let nodes = rules.nodes(kind, &relation).unwrap_or_default().iter().map(|node| match node {
            Node::This => json!({"type": "this"}),
            Node::ComputedUserset { relation } => json!({"type": "computed_userset", "relation": relation}),
            Node::TupleToUserset { tupleset_relation, computed_userset_relation } => json!({"type": "tuple_to_userset",
                "tupleset_relation": tupleset_relation, "computed_userset_relation": computed_userset_relation}),
        });
        types.entry(kind.to_string()).or_default().insert(relation.to_string(), nodes.collect());
    }
    json!(types)
}

/// Asks for each relation that has a rule, on objects that lead to each other.
fn checked(rules: Rules, text: &str) {
    let (fresh, _) = store();
    let named = named(text);
    // Each relation leads from one object of the type to another one, and around.
    let object = |number: usize| format!("01960000-0000-7000-8000-00000000d0{:02x}", number % 3);
    for (number, (kind, relation)) in named.iter().enumerate().take(16) {
        for (subject, on) in [(number, number + 1), (number + 1, number)] {
            let tuple = json!({"subject_type": kind, "subject_id": object(subject), "relation": relation, "object_type": kind,
                "object_id": object(on)});
            // What is there already, or gives a role, is as good.
            drop(call(&*fresh.store, "create_tuple", &tuple));
        }
    }
    let store = fresh.store.with_rules(Arc::new(rules.limits(Limits::default().max_frames(1_000))));
    for (number, (kind, relation)) in named.iter().enumerate().take(16) {
        let (subject, object) = (object(number), object(number + 1));
        let check = CheckOne::new((kind.as_str(), &subject), relation.as_str(), (kind.as_str(), &object));
        match now(store.check(check)) {
            Ok(checked) => assert_eq!(checked.allowed, checked.matched_tuple_id.is_some()),
            Err(error) => assert_eq!(error.code(), "evaluation_limit_exceeded"),
        }
    }
}

fn call(store: &dyn TenancyStore, operation: &str, input: &Value) -> Result<Value, Error> {
    match crate::ops::core_value(input) {
        Ok(input) => call_with(store, operation, &input),
        Err(error) => unreachable!("JSON is a value: {error}"),
    }
}

fn call_with(store: &dyn TenancyStore, operation: &str, input: &CoreValue) -> Result<Value, Error> {
    match now(wire::call(store, operation, input)) {
        Ok(reply) => Ok(serde_json::to_value(&reply).unwrap_or(Value::Null)),
        Err(CallError::Store(error)) => Err(error),
        Err(other) => unreachable!("{operation}: {other}"),
    }
}

/// An input with one more field.
fn with(input: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut input = input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.insert(field.to_owned(), value.into());
    }
    input
}

/// The rows of a page.
fn rows_of(page: &Value) -> &[Value] {
    page.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn next_cursor(page: &Value) -> Option<String> {
    page.pointer("/page/next_cursor")?.as_str().map(str::to_owned)
}

/// Good inputs of a harness, to begin with.
pub fn seeds(harness: &str) -> Vec<Vec<u8>> {
    const USER: &str = "usr_01960000000070008000000000000001";

    let lines = |lines: &[Value]| lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let texts: Vec<String> = match harness {
        "ids" => {
            let uuid = "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f";
            let ids = IdType::ALL.iter().map(|kind| format!("{}_{}", kind.prefix(), uuid.replace('-', "")));
            ids.chain([format!("usr {uuid}"), format!("doc\n{uuid}"), format!("doc doc_{}", uuid.replace('-', ""))]).collect()
        }
        "slugs" => {
            let texts = ["acme-2", "x", "Straße", "ΟΔΟΣ İ", "anna@example.org", "viewer", "billing_contact", "owner", "e\u{301}\u{200b}"];
            let moments = ["2026-01-01T00:00:00.000001Z", "2026-01-01t02:00:00+02:00", "9999-12-31T23:59:59.999999Z"];
            texts.iter().chain(&moments).map(ToString::to_string).chain(["x".repeat(63), "é".repeat(200)]).collect()
        }
        "cursors" => own_cursors(),
        "fixtures" => own_texts(),
        "imports" => imported(&lines),
        "rules" => [
            json!({"proj": {"viewer": [{"type": "this"}, {"type": "computed_userset", "relation": "editor"},
                {"type": "tuple_to_userset", "tupleset_relation": "parent", "computed_userset_relation": "viewer"}],
                "editor": [{"type": "this"}], "parent": [{"type": "this"}]}}),
            json!({"doc": {"owner": [], "viewer": [{"type": "computed_userset", "relation": "owner"}]}}),
            json!({"ab": {"cd": [{"type": "computed_userset", "relation": "cd"}]}}),
            json!({}),
        ]
        .iter()
        .map(Value::to_string)
        .collect(),
        _ => vec![USER.to_owned()],
    };
    texts.into_iter().map(String::into_bytes).collect()
}

/// One cursor of each list.
fn own_cursors() -> Vec<String> {
    let (fresh, _) = store();
    let store = &*fresh.store;
    let Ok(world) = now(World::build(store)) else { return Vec::new() };
    let lists = [
        ("list_orgs", json!({"limit": 1})),
        ("list_orgs", json!({"limit": 1, "status": "active"})),
        ("list_members", json!({"limit": 1, "org_id": world.org})),
        ("list_memberships", json!({"limit": 1, "usr_id": world.owner})),
        ("list_invitations", json!({"limit": 1, "org_id": world.org})),
        ("list_invitations_for", json!({"limit": 1, "identifier": World::IDENTIFIER})),
        ("list_tuples_for_object", json!({"limit": 1, "object_type": "org", "object_id": world.org})),
        ("changes_all", json!({"limit": 1})),
    ];
    let cursor = |(operation, input): (&str, Value)| next_cursor(&call(store, operation, &input).ok()?);
    lists.into_iter().filter_map(cursor).collect()
}

/// The first tests of each of our own fixtures.
fn own_texts() -> Vec<String> {
    let folder = own_fixtures();
    let Ok((fixtures, _)) = fixture::load(&folder, Mode::Ours) else { return Vec::new() };
    let shortened = |fixture: Fixture| {
        let text = std::fs::read_to_string(folder.join(&fixture.file)).ok()?;
        let mut value: Value = serde_json::from_str(&text).ok()?;
        value.get_mut("tests")?.as_array_mut()?.truncate(2);
        Some(value.to_string())
    };
    fixtures.into_iter().filter_map(shortened).collect()
}

fn imported(lines: &impl Fn(&[Value]) -> String) -> Vec<String> {
    let id = |prefix: &str, number: u8| format!("{prefix}_019600000000700080000000000000{number:02x}");
    let soon = "2026-02-01T00:00:00Z";
    let org =
        json!({"type": "organization", "id": id("org", 1), "parent_id": null, "name": "Acme", "slug": "acme", "metadata": {"k": [1.5]}});
    let child = json!({"type": "organization", "id": id("org", 2), "parent_id": id("org", 1), "status": "suspended", "seat_limit": 3});
    let owner = |org: u8, number: u8| json!({"type": "membership", "id": id("mem", number), "usr_id": id("usr", 1), "org_id": id("org", org), "role": "owner"});
    let former = json!({"type": "membership", "id": id("mem", 3), "usr_id": id("usr", 2), "org_id": id("org", 1), "role": "guest",
        "status": "revoked", "removed_by": id("usr", 1)});
    let member = json!({"type": "membership", "id": id("mem", 4), "usr_id": id("usr", 2), "org_id": id("org", 1), "role": "admin",
        "replaces": id("mem", 3), "expires_at": soon, "invited_by": id("usr", 1)});
    let invitation = json!({"type": "invitation", "id": id("inv", 1), "org_id": id("org", 1), "identifier": "anna@example.org",
        "role": "member", "invited_by": id("usr", 1), "expires_at": soon,
        "pre_tuples": [{"relation": "viewer", "object_type": "doc", "object_id": "01960000-0000-7000-8000-00000000d0c1"}]});
    let accepted = json!({"type": "invitation", "id": id("inv", 2), "org_id": id("org", 1), "identifier": "ben@example.org", "role": "member",
        "status": "accepted", "invited_by": id("usr", 1), "invited_user_id": id("usr", 2), "expires_at": soon, "terminal_at": soon});
    let tuple = json!({"type": "tuple", "id": id("tup", 1), "subject_type": "usr", "subject_id": id("usr", 2), "relation": "viewer",
        "object_type": "doc", "object_id": id("doc", 1), "org_id": id("org", 1)});
    let open = json!({"type": "tuple", "id": id("tup", 2), "subject_type": "doc", "subject_id": id("doc", 1), "relation": "parent",
        "object_type": "org", "object_id": id("org", 1), "expires_at": soon});
    let user = json!({"type": "user", "id": id("usr", 1), "status": "active", "display_name": "Ada", "created_at": "2020-01-01T00:00:00Z"});
    let gone = json!({"type": "organization", "id": id("org", 3), "status": "revoked", "slug": "acme"});
    vec![
        lines(&[
            user.clone(),
            org.clone(),
            owner(1, 1),
            child,
            owner(2, 2),
            former,
            member,
            invitation,
            accepted,
            tuple,
            open.clone(),
            gone,
        ]),
        lines(&[user, org.clone(), owner(1, 1)]),
        lines(&with_permissions(&id, org, owner(1, 1))),
        // What belongs to no organization.
        lines(&[
            json!({"type": "permission", "slug": "doc.share"}),
            json!({"type": "role", "id": "rol_74656e616e7487728000000000000001", "slug": "owner", "name": "Owner"}),
            json!({"type": "role", "id": id("rol", 9), "slug": "auditor", "description": "Looks.", "inherits_to_descendants": true}),
            json!({"type": "role_permission", "role_id": id("rol", 9), "permission": "doc.share", "expires_at": soon}),
        ]),
        lines(&[json!({"type": "tuple", "id": id("tup", 9), "subject_type": "ab", "subject_id": id("ab", 1), "relation": "cd",
            "object_type": "ef", "object_id": id("ef", 1)})]),
        lines(&[json!({"type": "user", "id": id("usr", 5), "status": "revoked"})]),
    ]
}

/// An organization with whatever there is of permissions.
fn with_permissions(id: &impl Fn(&str, u8) -> String, org: Value, owner: Value) -> Vec<Value> {
    let (org_id, usr) = (id("org", 1), id("usr", 2));
    vec![
        org,
        json!({"type": "permission", "slug": "doc.read", "name": "Read", "category": "Files", "created_at": "2020-01-01T00:00:00Z"}),
        json!({"type": "role", "id": id("rol", 1), "org_id": org_id, "slug": "clerk", "name": "Clerk"}),
        json!({"type": "role_permission", "role_id": id("rol", 1), "permission": "doc.read", "granted_by": usr}),
        owner,
        json!({"type": "membership", "id": id("mem", 2), "usr_id": usr, "org_id": org_id, "role": "gone", "role_id": id("rol", 2),
            "status": "revoked"}),
        json!({"type": "membership", "id": id("mem", 3), "usr_id": usr, "org_id": org_id, "role": "clerk", "role_id": id("rol", 1)}),
        json!({"type": "group", "id": id("grp", 1), "org_id": org_id, "slug": "desk"}),
        json!({"type": "group_member", "group_id": id("grp", 1), "org_id": org_id, "usr_id": usr, "expires_at": "2025-01-01T00:00:00Z"}),
        json!({"type": "group_role", "group_id": id("grp", 1), "org_id": org_id, "role": "clerk"}),
        json!({"type": "override", "holder": org_id, "permission": "doc.read", "effect": "deny"}),
        json!({"type": "override", "holder": id("mem", 3), "permission": "doc.read", "effect": "grant"}),
    ]
}
