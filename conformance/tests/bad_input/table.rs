//! The table: for each form of a field, each bad value and what is said of it.
#![allow(clippy::match_same_arms, reason = "each line of a table stands for itself")]

use serde_json::{Value, json};
use tenantry_conformance::testing::World;

/// What a field takes, in more detail than its kind: texts have several forms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// An id with this prefix.
    Id(&'static str),
    /// A list of ids with this prefix.
    Ids(&'static str),
    /// A name to show.
    Name,
    /// A slug that is given.
    Slug,
    /// A slug that is looked for: what is none is simply not found.
    SlugSought,
    /// A role's slug: what is none is simply unknown.
    Role,
    /// A text to search for: any.
    Query,
    Bool,
    Time,
    OrgStatus,
    MembershipStatus,
    Cursor,
    Limit,
    Revision,
    /// A list of rows of an import.
    Rows,
    /// The kind of a row of an import.
    RowKind,
}

/// The form of each field of each operation.
pub(crate) fn form(operation: &str, field: &str) -> Form {
    match (operation, field) {
        ("get_org_by_slug", "slug") => Form::SlugSought,
        ("import of a user", "id") => Form::Id("usr"),
        ("import of an organization", "id") => Form::Id("org"),
        ("import of a membership", "id" | "replaces") => Form::Id("mem"),
        ("import of a user" | "import of an organization", "status") => Form::OrgStatus,
        (_, "rows") => Form::Rows,
        (_, "type") => Form::RowKind,
        (_, "removed_by" | "usr_id" | "creator" | "invited_by" | "transfer_to" | "admin_usr_id") => Form::Id("usr"),
        (_, "org_id" | "parent_id") => Form::Id("org"),
        (_, "mem_id" | "from_mem_id" | "to_mem_id") => Form::Id("mem"),
        (_, "usr_ids") => Form::Ids("usr"),
        (_, "org_ids") => Form::Ids("org"),
        (_, "mem_ids") => Form::Ids("mem"),
        (_, "name" | "display_name") => Form::Name,
        (_, "slug") => Form::Slug,
        (_, "role" | "new_role") => Form::Role,
        (_, "query") => Form::Query,
        (_, "cascade_permissions" | "inherit_permissions") => Form::Bool,
        (_, "expires_at" | "created_at" | "updated_at") => Form::Time,
        ("list_orgs", "status") => Form::OrgStatus,
        (_, "status") => Form::MembershipStatus,
        (_, "cursor") => Form::Cursor,
        (_, "limit") => Form::Limit,
        (_, "after_revision" | "revision") => Form::Revision,
        _ => panic!("{operation}.{field} has no form in the table"),
    }
}

/// What is expected of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Expect {
    /// `invalid_format.` and the field.
    Format,
    /// The same as leaving the field out: refused where it is required, else what the base gives.
    Missing,
    /// The value is no reason to refuse: what the base gives.
    Accepted,
    /// This code.
    Code(&'static str),
}

use Expect::{Accepted, Code, Format, Missing};

const ID: Expect = Code("invalid_id");
const TYPE: Expect = Code("invalid_id_type");
const CURSOR: Expect = Code("invalid_cursor");
const SLUG: Expect = Code("precondition.org_slug_format");
const ROLE: Expect = Code("precondition.unknown_role");
const NF: Expect = Code("not_found");

/// One value for a field.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) label: &'static str,
    /// `None` leaves the field out.
    pub(crate) value: Option<Value>,
    pub(crate) expect: Expect,
}

/// A row of values that every form is tried with; the expectations are in the order of `COLUMNS`.
type Row = (&'static str, Option<Value>, [Expect; 12]);

fn column(form: Form) -> usize {
    match form {
        Form::Id(_) => 0,
        Form::Ids(_) => 1,
        Form::Name => 2,
        Form::Slug => 3,
        Form::SlugSought => 4,
        Form::Role => 5,
        Form::Query => 6,
        Form::Bool => 7,
        Form::Time => 8,
        Form::OrgStatus | Form::MembershipStatus => 9,
        Form::Cursor => 10,
        Form::Limit | Form::Revision => 11,
        // A list of rows is refused like one of ids, a kind of row like a status.
        Form::Rows => 1,
        Form::RowKind => 9,
    }
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    const F: Expect = Format;
    const M: Expect = Missing;
    const A: Expect = Accepted;
    let big = Some(json!("x".repeat(1 << 20)));
    vec![
        // label                  value                               Id  Ids Name Slug  Sought Role  Query Bool Time Stat Cursor  Number
        ("missing",               None,                              [M,  M,  M,   M,    M,     M,    M,    M,   M,   M,   M,      M]),
        ("null",                  Some(json!(null)),                 [M,  M,  M,   M,    M,     M,    M,    F,   M,   M,   M,      M]),
        ("true",                  Some(json!(true)),                 [F,  F,  F,   F,    F,     F,    F,    A,   F,   F,   CURSOR, F]),
        ("a number",              Some(json!(7)),                    [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, A]),
        ("a list",                Some(json!([])),                   [F,  A,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("an object",             Some(json!({})),                   [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("an object with an id",  Some(json!({"id": "x"})),          [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("a fraction",            Some(json!(1.5)),                  [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("a whole float",         Some(json!(2.0)),                  [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("the largest i64",       Some(json!(i64::MAX)),             [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, A]),
        ("the largest u64",       Some(json!(u64::MAX)),             [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("1e300",                 Some(json!(1e300)),                [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F]),
        ("empty text",            Some(json!("")),                   [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("text",                  Some(json!("x")),                  [ID, F,  A,   A,    NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("text with NUL",         Some(json!("a\0b")),               [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("1 MB of text",          big,                               [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("a newline",             Some(json!("\n")),                 [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("a year before 1970",    Some(json!("1969-12-31T23:59:59Z")), [ID, F, A,  SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("a year behind 9999",    Some(json!("10000-01-01T00:00:00Z")), [ID, F, A, SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("a day that is none",    Some(json!("2026-02-30T00:00:00Z")), [ID, F, A,  SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
        ("SQL",                   Some(json!("'; DROP TABLE x; --")), [ID, F, A,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F]),
    ]
}

/// Every value to try a field with.
pub(crate) fn cases(operation: &str, field: &str, world: &World) -> Vec<Case> {
    let form = form(operation, field);
    let common = rows().into_iter().map(|(label, value, expects)| Case { label, value, expect: expects[column(form)] });
    common.chain(of_form(form, world).into_iter().map(|(label, value, expect)| Case { label, value: Some(value), expect })).collect()
}

fn of_form(form: Form, world: &World) -> Vec<(&'static str, Value, Expect)> {
    match form {
        Form::Id(prefix) => ids(prefix, world),
        Form::Ids(prefix) => lists_of_ids(prefix, world),
        Form::Name => vec![
            ("200 characters", json!("é".repeat(200)), Accepted),
            ("201 characters", json!("é".repeat(201)), Format),
            ("a control character", json!("a\u{85}"), Format),
        ],
        Form::Slug => vec![
            ("63 bytes", json!("s".repeat(63)), Accepted),
            ("64 bytes", json!("s".repeat(64)), SLUG),
            ("an uppercase letter", json!("Acme"), SLUG),
            ("a trailing newline", json!("acme\n"), SLUG),
            ("a leading hyphen", json!("-acme"), SLUG),
            ("a letter outside ASCII", json!("acmé"), SLUG),
        ],
        Form::SlugSought => vec![("a slug that nobody has", json!("nobody"), NF), ("an uppercase letter", json!("Acme"), NF)],
        Form::Role => vec![("an uppercase letter", json!("Member"), ROLE), ("a role that is none", json!("boss"), ROLE)],
        Form::Query => vec![("wildcards", json!("%_\\"), Accepted), ("a letter that folds to two", json!("İß"), Accepted)],
        Form::Bool => vec![("false", json!(false), Accepted), ("the word", json!("true"), Format), ("zero", json!(0), Format)],
        Form::Time => vec![
            ("no offset", json!("2027-01-01T00:00:00"), Format),
            ("a day alone", json!("2027-01-01"), Format),
            ("an offset that leads out of the years", json!("9999-12-31T23:59:59-01:00"), Format),
            ("seconds since 1970", json!(1_800_000_000), Format),
            ("a trailing newline", json!("2027-01-01T00:00:00Z\n"), Format),
        ],
        Form::OrgStatus => vec![
            ("revoked", json!("revoked"), Accepted),
            ("expired", json!("expired"), Format),
            ("an uppercase letter", json!("Active"), Format),
        ],
        Form::MembershipStatus => vec![("expired", json!("expired"), Accepted), ("pending", json!("pending"), Format)],
        Form::Cursor => vec![
            ("base64 of nothing", json!("AAAA"), CURSOR),
            ("an id", json!("org_01960000000070008000000000000001"), CURSOR),
            ("a letter outside ASCII", json!("é"), CURSOR),
        ],
        Form::Limit => vec![
            ("the smallest i64", json!(i64::MIN), Accepted),
            ("a negative number", json!(-1), Accepted),
            ("zero", json!(0), Accepted),
            ("a number as text", json!("7"), Format),
        ],
        Form::Revision => vec![
            ("the smallest i64", json!(i64::MIN), Format),
            ("a negative number", json!(-1), Format),
            ("zero", json!(0), Accepted),
            ("a number as text", json!("7"), Format),
        ],
        Form::Rows => vec![
            ("null for a row", json!([null]), Code("invalid_format.input")),
            ("text for a row", json!(["user"]), Code("invalid_format.input")),
            ("a row that says nothing", json!([{}]), Code("invalid_format.type")),
        ],
        Form::RowKind => vec![("an uppercase letter", json!("User"), Format), ("a kind that is no row", json!("event"), Format)],
    }
}

const DIGITS: &str = "01960000000070008000000000000099";

fn ids(prefix: &str, world: &World) -> Vec<(&'static str, Value, Expect)> {
    // A row of the world that is of another kind.
    let other = if prefix == "org" { world.owner.to_string() } else { world.org.to_string() };
    vec![
        ("unknown", json!(format!("{prefix}_{DIGITS}")), NF),
        ("an id of another kind", json!(other), ID),
        ("an id of a kind that is not used here", json!(format!("tup_{DIGITS}")), ID),
        ("an unregistered prefix", json!(format!("xyz_{DIGITS}")), TYPE),
        ("an uppercase prefix", json!(format!("{}_{DIGITS}", prefix.to_uppercase())), TYPE),
        ("no prefix", json!(format!("_{DIGITS}")), TYPE),
        ("a UUID", json!("01960000-0000-7000-8000-000000000001"), ID),
        ("no separator", json!(format!("{prefix}{DIGITS}")), ID),
        ("a digit too few", json!(format!("{prefix}_{}", &DIGITS[1..])), ID),
        ("a digit too many", json!(format!("{prefix}_{DIGITS}0")), ID),
        ("an uppercase digit", json!(format!("{prefix}_0196000000007000800000000000000A")), ID),
        ("NUL among the digits", json!(format!("{prefix}_0196000000007000800000000000000\0")), ID),
        ("a trailing newline", json!(format!("{prefix}_{DIGITS}\n")), ID),
        ("a version digit out of range", json!(format!("{prefix}_01960000000090008000000000000001")), ID),
        ("the nil UUID", json!(format!("{prefix}_{}", "0".repeat(32))), ID),
        ("1 MB of digits", json!(format!("{prefix}_{}", "0".repeat(1 << 20))), ID),
    ]
}

fn lists_of_ids(prefix: &str, world: &World) -> Vec<(&'static str, Value, Expect)> {
    let good = json!(format!("{prefix}_{DIGITS}"));
    let many = |count: usize| Value::Array(vec![good.clone(); count]);
    let mut cases = vec![
        ("an unknown id", json!([good]), Accepted),
        ("the same id 200 times", many(200), Accepted),
        ("the same id 201 times", many(201), Format),
        ("null in the list", json!([good, null]), Format),
        ("a number in the list", json!([good, 7]), Format),
        ("a list in the list", json!([[good]]), Format),
        ("a missing list", json!({"0": good}), Format),
    ];
    let entries = ids(prefix, world).into_iter().filter(|(label, ..)| *label != "unknown");
    cases.extend(entries.map(|(label, id, expect)| (label, json!([good, id]), expect)));
    cases
}
