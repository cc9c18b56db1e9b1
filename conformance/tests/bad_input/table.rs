//! The table: for each form of a field, each bad value and what is said of it.
#![allow(clippy::match_same_arms, reason = "each line of a table stands for itself")]

use serde_json::{Value, json};
use tenantry_conformance::testing::World;

use crate::bases;

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
    InvitationStatus,
    Cursor,
    /// An event's id: whatever is none is no cursor.
    After,
    Limit,
    Revision,
    /// A list of rows of an import.
    Rows,
    /// The kind of a row of an import.
    RowKind,
    /// A text that is kept as it is, of at most so many bytes.
    Opaque(usize),
    /// The identifier of who acts: whatever it is, it is another one than the invitation's.
    Binding,
    SeatLimit,
    /// A number of levels of a tree.
    Levels,
    /// How many organizations a user may own.
    MaxTenants,
    /// What becomes of a user without an organization.
    TenantMode,
    Metadata,
    Relation,
    /// The type of a subject or an object.
    ObjectType,
    /// The id of a subject or an object, with this type beside it.
    EntityId(&'static str),
    /// A list of relations.
    Relations,
    PreTuples,
    /// A list of invitations, each as its own subject tries it.
    Invitations,
    /// A list of checks, each as its own subject tries it.
    Checks,
    /// A permission's slug.
    Permission,
    /// A list of at most so many slugs of permissions.
    Permissions(usize),
    /// The slug of a role that is made.
    RoleSlug,
    /// A list of slugs of built-in roles.
    BuiltInRoles,
    /// The slug of a group that is made.
    GroupSlug,
    /// A text of several lines.
    Description,
    /// What an override of an organization does.
    OrgEffect,
    /// What an override that is there does.
    Effect,
    /// What an override of a membership does.
    MembershipEffect,
    /// A list of definitions, each as its own subject tries it.
    Definitions,
    /// A list of resources, each as its own subject tries it.
    Manifest,
    /// What a resource is called.
    Collection,
    /// What of a resource is shown.
    Exposure,
    /// A list of a resource's own actions.
    Actions,
    /// Whether a resource's rows belong to an organization.
    TenantScope,
    /// A list of questions, each as its own subject tries it.
    Asks,
    /// What roles shall grant, by patterns.
    Matrix,
}

/// The form of each field of each operation.
pub(crate) fn form(operation: &str, field: &str) -> Form {
    match (operation, field) {
        ("get_org_by_slug", "slug") => Form::SlugSought,
        ("define_permission" | bases::DEFINITION_ENTRY | "import of a permission", "slug") | (_, "permission") => Form::Permission,
        ("create_role" | "import of a role", "slug") => Form::RoleSlug,
        ("create_role", "permissions") => Form::Permissions(100_000),
        ("has_all_permissions" | "has_any_permission", "permissions") => Form::Permissions(200),
        ("seed_system_roles", "inherits_to_descendants") => Form::BuiltInRoles,
        ("create_group" | "import of a group", "slug") => Form::GroupSlug,
        ("import of an override", "effect") => Form::Effect,
        ("import of an override", "holder") => Form::Id("org"),
        ("set_org_override", "effect") => Form::OrgEffect,
        ("set_membership_override", "effect") => Form::MembershipEffect,
        (_, "role_id" | "replacement_role_id") => Form::Id("rol"),
        (_, "group_id") => Form::Id("grp"),
        (_, "description") => Form::Description,
        (_, "custom") => Form::Definitions,
        (_, "manifest") => Form::Manifest,
        (_, "collection") => Form::Collection,
        (_, "api" | "cli" | "mcp") => Form::Exposure,
        (_, "actions") => Form::Actions,
        (_, "tenant_scope") => Form::TenantScope,
        // Kept by the application alone: any text.
        (_, "table" | "tenant_column") => Form::Query,
        (_, "asks") => Form::Asks,
        (_, "matrix") => Form::Matrix,
        ("import of a user", "id") => Form::Id("usr"),
        ("import of an organization", "id") => Form::Id("org"),
        ("import of a membership", "id" | "replaces") => Form::Id("mem"),
        ("import of an invitation", "id") => Form::Id("inv"),
        ("import of a tuple", "id") => Form::Id("tup"),
        ("import of a role", "id") => Form::Id("rol"),
        ("import of a group", "id") => Form::Id("grp"),
        ("import of a user" | "import of an organization", "status") => Form::OrgStatus,
        ("import of an invitation" | "list_invitations" | "list_invitations_for", "status") => Form::InvitationStatus,
        // Looked for: a text that can be none finds nothing.
        ("list_invitations_for", "identifier") => Form::Query,
        // There a document lies in a folder.
        ("import of a tuple", "subject_id") => Form::EntityId("doc"),
        ("import of a tuple", "object_id") => Form::EntityId("folder"),
        (_, "rows") => Form::Rows,
        (_, "type") => Form::RowKind,
        (_, "removed_by" | "usr_id" | "creator" | "invited_by" | "transfer_to" | "admin_usr_id") => Form::Id("usr"),
        (_, "as_usr_id" | "invited_user_id" | "terminal_by" | "created_by" | "granted_by") => Form::Id("usr"),
        (_, "inv_id") => Form::Id("inv"),
        (_, "tup_id") => Form::Id("tup"),
        (_, "org_id" | "parent_id" | "new_parent_id") => Form::Id("org"),
        (_, "mem_id" | "from_mem_id" | "to_mem_id") => Form::Id("mem"),
        (_, "usr_ids") => Form::Ids("usr"),
        (_, "org_ids") => Form::Ids("org"),
        (_, "mem_ids") => Form::Ids("mem"),
        (_, "name" | "display_name" | "default_name" | "category") => Form::Name,
        (_, "mode") => Form::TenantMode,
        (_, "max_tenants") => Form::MaxTenants,
        (_, "slug") => Form::Slug,
        (_, "role" | "new_role") => Form::Role,
        (_, "query") => Form::Query,
        (_, "cascade_permissions" | "inherit_permissions" | "inherits_to_descendants" | "prune") => Form::Bool,
        (_, "expires_at" | "created_at" | "updated_at" | "terminal_at") => Form::Time,
        ("list_orgs", "status") => Form::OrgStatus,
        (_, "status") => Form::MembershipStatus,
        (_, "cursor") => Form::Cursor,
        (_, "limit") => Form::Limit,
        (_, "after_revision" | "revision") => Form::Revision,
        (_, "after") => Form::After,
        (_, "identifier") => Form::Opaque(320),
        (_, "external_id" | "request_id") => Form::Opaque(200),
        (_, "reason") => Form::Opaque(1000),
        (_, "accepting_identifier") => Form::Binding,
        (_, "seat_limit") => Form::SeatLimit,
        (_, "levels") => Form::Levels,
        (_, "metadata") => Form::Metadata,
        (_, "relation") => Form::Relation,
        (_, "subject_type" | "object_type") => Form::ObjectType,
        (_, "subject_id") => Form::EntityId("usr"),
        (_, "object_id") => Form::EntityId("doc"),
        (_, "relations") => Form::Relations,
        (_, "pre_tuples") => Form::PreTuples,
        (_, "invitations") => Form::Invitations,
        (_, "checks") => Form::Checks,
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
const OTHER: Expect = Code("precondition.identifier_mismatch");
const TAKEN: Expect = Code("conflict.role_slug");
const DISAGREE: Expect = Code("conflict.permission_metadata");

/// One value for a field.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) label: &'static str,
    /// `None` leaves the field out.
    pub(crate) value: Option<Value>,
    pub(crate) expect: Expect,
}

/// A row of values that every form is tried with; the expectations are in the order of `COLUMNS`.
type Row = (&'static str, Option<Value>, [Expect; 19]);

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
        Form::OrgStatus | Form::MembershipStatus | Form::InvitationStatus => 9,
        Form::Cursor | Form::After => 10,
        Form::Limit | Form::Revision => 11,
        // A list of rows or promises is refused like one of ids, a kind of row like a status.
        Form::Rows | Form::PreTuples => 1,
        Form::RowKind => 9,
        // Lists that must not be empty are refused like texts of a few letters.
        Form::Relation | Form::ObjectType | Form::EntityId(_) | Form::Relations | Form::Invitations | Form::Checks => 12,
        Form::Opaque(_) => 13,
        Form::Binding => 14,
        Form::SeatLimit | Form::MaxTenants | Form::Levels => 15,
        Form::Metadata => 16,
        Form::GroupSlug | Form::Collection => 17,
        Form::Exposure => 18,
        // What may be an empty list, a word of a few, and what must have a form of its own: as above.
        Form::Permissions(_) | Form::BuiltInRoles | Form::Definitions | Form::Manifest | Form::Actions => 1,
        Form::Effect | Form::OrgEffect | Form::MembershipEffect | Form::TenantScope | Form::TenantMode => 9,
        Form::Permission | Form::RoleSlug | Form::Asks | Form::Matrix => 12,
        Form::Description => 13,
    }
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    const F: Expect = Format;
    const M: Expect = Missing;
    const A: Expect = Accepted;
    let big = Some(json!("x".repeat(1 << 20)));
    vec![
        // label                  value                               Id  Ids Name Slug  Sought Role  Query Bool Time Stat Cursor  Number  Strict Opaque Binding Seats Object Dashed Shown
        ("missing",               None,                              [M,  M,  M,   M,    M,     M,    M,    M,   M,   M,   M,      M,        M,    M,    M,    M,    M,    M,     M]),
        ("null",                  Some(json!(null)),                 [M,  M,  M,   M,    M,     M,    M,    F,   M,   M,   M,      M,        M,    M,    M,    M,    M,    M,     M]),
        ("true",                  Some(json!(true)),                 [F,  F,  F,   F,    F,     F,    F,    A,   F,   F,   CURSOR, F,        F,    F,    F,    F,    F,    F,     A]),
        ("a number",              Some(json!(7)),                    [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, A,        F,    F,    F,    A,    F,    F,     F]),
        ("a list",                Some(json!([])),                   [F,  A,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    F,    F,     F]),
        ("an object",             Some(json!({})),                   [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    A,    F,     F]),
        ("an object with an id",  Some(json!({"id": "x"})),          [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    A,    F,     F]),
        ("a fraction",            Some(json!(1.5)),                  [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    F,    F,     F]),
        ("a whole float",         Some(json!(2.0)),                  [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    F,    F,     F]),
        ("the largest i64",       Some(json!(i64::MAX)),             [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, A,        F,    F,    F,    F,    F,    F,     F]),
        ("the largest u64",       Some(json!(u64::MAX)),             [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    F,    F,     F]),
        ("1e300",                 Some(json!(1e300)),                [F,  F,  F,   F,    F,     F,    F,    F,   F,   F,   CURSOR, F,        F,    F,    F,    F,    F,    F,     F]),
        ("empty text",            Some(json!("")),                   [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    F,    OTHER, F,   F,    F,     F]),
        ("text",                  Some(json!("x")),                  [ID, F,  A,   A,    NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    A,    OTHER, F,   F,    A,     F]),
        ("text with NUL",         Some(json!("a\0b")),               [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    F,    OTHER, F,   F,    F,     F]),
        ("1 MB of text",          big,                               [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    F,    OTHER, F,   F,    F,     F]),
        ("a newline",             Some(json!("\n")),                 [ID, F,  F,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    A,    OTHER, F,   F,    F,     F]),
        ("a year before 1970",    Some(json!("1969-12-31T23:59:59Z")), [ID, F, A,  SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    A,    OTHER, F,   F,    F,     F]),
        ("a year behind 9999",    Some(json!("10000-01-01T00:00:00Z")), [ID, F, A, SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    A,    OTHER, F,   F,    F,     F]),
        ("a day that is none",    Some(json!("2026-02-30T00:00:00Z")), [ID, F, A,  SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    A,    OTHER, F,   F,    F,     F]),
        ("SQL",                   Some(json!("'; DROP TABLE x; --")), [ID, F, A,   SLUG, NF,    ROLE, A,    F,   F,   F,   CURSOR, F,        F,    A,    OTHER, F,   F,    F,     F]),
    ]
}

/// Every value to try a field with.
pub(crate) fn cases(operation: &str, field: &str, world: &World) -> Vec<Case> {
    let form = form(operation, field);
    let common = rows().into_iter().map(|(label, value, expects)| Case { label, value, expect: expects[column(form)] });
    common.chain(of_form(form, world).into_iter().map(|(label, value, expect)| Case { label, value: Some(value), expect })).collect()
}

#[expect(clippy::too_many_lines, reason = "one arm for each form, and each is short")]
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
        Form::InvitationStatus => vec![
            ("pending", json!("pending"), Accepted),
            ("accepted", json!("accepted"), Accepted),
            ("declined", json!("declined"), Accepted),
            ("revoked", json!("revoked"), Accepted),
            ("expired", json!("expired"), Accepted),
            ("active", json!("active"), Format),
            ("an uppercase letter", json!("Pending"), Format),
            ("a trailing newline", json!("pending\n"), Format),
        ],
        Form::After => vec![
            ("an event that nobody has", json!(format!("aud_{DIGITS}")), CURSOR),
            ("an id of another kind", json!(world.org.to_string()), CURSOR),
            ("an unregistered prefix", json!(format!("xyz_{DIGITS}")), CURSOR),
            ("a UUID", json!("01960000-0000-7000-8000-000000000099"), CURSOR),
            ("a revision as text", json!("7"), CURSOR),
            ("the nil UUID", json!(format!("aud_{}", "0".repeat(32))), CURSOR),
        ],
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
        Form::Opaque(most) => vec![
            ("as many bytes as may be", json!("x".repeat(most)), Accepted),
            ("a byte too many", json!("x".repeat(most + 1)), Format),
            ("as many bytes as may be, in half as many characters", json!("é".repeat(most / 2)), Accepted),
            ("two bytes too many, in fewer characters", json!("é".repeat(most / 2 + 1)), Format),
            ("a space", json!(" "), Accepted),
            ("NUL alone", json!("\0"), Format),
            ("a control character", json!("a\u{85}"), Accepted),
        ],
        Form::Binding => vec![
            ("another case", json!(World::IDENTIFIER.to_uppercase()), OTHER),
            ("a trailing space", json!(format!("{} ", World::IDENTIFIER)), OTHER),
            ("a trailing newline", json!(format!("{}\n", World::IDENTIFIER)), OTHER),
            ("a part of it", json!(World::IDENTIFIER[..4]), OTHER),
        ],
        Form::SeatLimit => vec![
            ("one", json!(1), Accepted),
            ("the most", json!(1_000_000_000), Accepted),
            ("one more than the most", json!(1_000_000_001), Format),
            ("zero", json!(0), Format),
            ("a negative number", json!(-1), Format),
            ("the smallest i64", json!(i64::MIN), Format),
            ("a number as text", json!("7"), Format),
            ("the largest u32", json!(u32::MAX), Format),
        ],
        Form::Levels => vec![
            ("one", json!(1), Accepted),
            ("the most", json!(9), Accepted),
            ("one more than the most", json!(10), Format),
            ("zero", json!(0), Format),
            ("a negative number", json!(-1), Format),
            ("257", json!(257), Format),
            ("the smallest i64", json!(i64::MIN), Format),
            ("a number as text", json!("7"), Format),
        ],
        Form::Metadata => metadata(),
        Form::Relation => words(32),
        Form::ObjectType => {
            let mut cases = words(6);
            cases.push(("an underscore", json!("a_b"), Format));
            cases
        }
        Form::EntityId(kind) => entity_ids(kind),
        Form::Relations => vec![
            ("one", json!(["viewer"]), Accepted),
            ("the same 100 times", json!(vec!["viewer"; 100]), Accepted),
            ("the same 101 times", json!(vec!["viewer"; 101]), Format),
            ("a letter", json!(["viewer", "x"]), Format),
            ("an uppercase letter", json!(["Viewer"]), Format),
            ("empty text in the list", json!(["viewer", ""]), Format),
            ("text with NUL in the list", json!(["viewer\0"]), Format),
            ("null in the list", json!(["viewer", null]), Format),
            ("a number in the list", json!(["viewer", 7]), Format),
            ("a list in the list", json!([["viewer"]]), Format),
            ("the word", json!("viewer"), Format),
            ("1 MB of a relation", json!(["x".repeat(1 << 20)]), Format),
        ],
        Form::PreTuples => pre_tuples(),
        Form::Invitations => {
            let good = json!({"identifier": "a@example.org", "role": "member", "expires_at": "2027-01-01T00:00:00Z"});
            vec![
                ("500 of them", Value::Array(vec![good.clone(); 500]), Accepted),
                ("501 of them", Value::Array(vec![good.clone(); 501]), Format),
                ("a second that is null", json!([good, null]), Format),
                ("a second that is text", json!([good, "a@example.org"]), Format),
                ("a second that is a list", json!([good, []]), Format),
                ("a second that says nothing", json!([good, {}]), Code("invalid_format.identifier")),
                ("a second with an unknown field", json!([good, with(&good, "colour", json!(1))]), Code("invalid_format.colour")),
                ("a second with a number for a role", json!([good, with(&good, "role", json!(7))]), Code("invalid_format.role")),
                ("one without its list", good, Format),
            ]
        }
        Form::Checks => {
            let good = json!({"subject_type": "doc", "subject_id": World::DOC, "relation": "parent", "object_type": "folder",
                "object_id": World::FOLDER});
            vec![
                ("200 of them", Value::Array(vec![good.clone(); 200]), Accepted),
                ("201 of them", Value::Array(vec![good.clone(); 201]), Format),
                ("a second that is null", json!([good, null]), Format),
                ("a second that is text", json!([good, "doc"]), Format),
                ("a second that says nothing", json!([good, {}]), Code("invalid_format.subject_type")),
                ("a second with an unknown field", json!([good, with(&good, "colour", json!(1))]), Code("invalid_format.colour")),
                (
                    "a second and a third that are wrong",
                    json!([good, with(&good, "object_id", json!("")), {}]),
                    Code("invalid_format.object_id"),
                ),
                ("one without its list", good, Format),
            ]
        }
        Form::Permission => permissions_slugs(),
        Form::Permissions(most) => lists_of_permissions(most),
        Form::RoleSlug => role_slugs(),
        Form::BuiltInRoles => built_in_roles(),
        Form::Matrix => matrices(),
        Form::GroupSlug => group_slugs(),
        Form::Description => descriptions(),
        Form::Effect => effects("grant", "clear"),
        Form::OrgEffect => effects("inherit", "clear"),
        Form::MembershipEffect => effects("clear", "inherit"),
        Form::Definitions => definitions(),
        Form::Manifest => manifests(),
        Form::Collection => collections(),
        Form::Exposure => exposures(),
        Form::Actions => actions(),
        Form::MaxTenants => vec![
            ("zero", json!(0), Accepted),
            ("the largest u32", json!(u32::MAX), Accepted),
            ("one more than the largest u32", json!(u64::from(u32::MAX) + 1), Format),
            ("a negative number", json!(-1), Format),
            ("the smallest i64", json!(i64::MIN), Format),
            ("a number as text", json!("7"), Format),
        ],
        Form::TenantMode => vec![
            ("flexible", json!("flexible"), Accepted),
            ("personal", json!("personal"), Accepted),
            ("required", json!("required"), Accepted),
            ("an uppercase letter", json!("Personal"), Format),
            ("a trailing newline", json!("personal\n"), Format),
            ("a word that is none of them", json!("strict"), Format),
        ],
        Form::TenantScope => vec![
            ("none", json!("none"), Accepted),
            ("optional", json!("optional"), Accepted),
            ("required", json!("required"), Accepted),
            ("an uppercase letter", json!("Required"), Format),
            ("a trailing newline", json!("none\n"), Format),
            ("a word that is none of them", json!("all"), Format),
        ],
        Form::Asks => asks(world),
    }
}

fn permissions_slugs() -> Vec<(&'static str, Value, Expect)> {
    let mut cases = vec![
        ("a permission that nobody has defined", json!("nothing.known"), Accepted),
        ("three bytes", json!("a.b"), Accepted),
        ("128 bytes", json!(format!("a.{}", "x".repeat(126))), Accepted),
        ("eight parts", json!("a.b.c.d.e.f.g.h"), Accepted),
        ("digits, hyphens and underscores", json!("a0_-.b-_9"), Accepted),
        ("an uppercase letter behind the first dot", json!("doc.readAll.lATE"), Accepted),
    ];
    cases.extend(no_permissions().into_iter().map(|(label, slug)| (label, json!(slug), Format)));
    cases
}

/// Texts that are no slug of a permission.
fn no_permissions() -> Vec<(&'static str, String)> {
    let long = |bytes: usize| format!("a.{}", "x".repeat(bytes - 2));
    let fixed = [
        ("one part", "doc"),
        ("nine parts", "a.b.c.d.e.f.g.h.i"),
        ("a leading dot", ".doc.read"),
        ("a trailing dot", "doc.read."),
        ("two dots together", "doc..read"),
        ("a dot alone", "."),
        ("a leading digit in a later part", "doc.9read"),
        ("an uppercase letter before the first dot", "Doc.read"),
        ("an uppercase letter within the first part", "dOc.read"),
        ("an uppercase letter at the front of a later part", "doc.Read"),
        ("a leading digit", "1doc.read"),
        ("a leading hyphen", "-doc.read"),
        ("a leading underscore in a later part", "doc._read"),
        ("a star", "*"),
        ("a star for an action", "doc.*"),
        ("a star for a resource", "*.read"),
        ("a wildcard of SQL", "doc.%"),
        ("a colon", "doc:read"),
        ("a slash", "doc/read"),
        ("a leading space", " doc.read"),
        ("a trailing space", "doc.read "),
        ("a trailing newline", "doc.read\n"),
        ("a trailing NUL", "doc.read\0"),
        ("a newline between two slugs", "doc.read\ndoc.write"),
        ("a comma between two slugs", "doc.read,doc.write"),
        ("a quote", "doc.re'ad"),
        ("a Cyrillic letter", "d\u{43e}c.read"),
        ("a full-width letter", "doc.r\u{ff45}ad"),
        ("a full-width dot", "doc\u{ff0e}read"),
        ("a dot leader", "doc\u{2024}read"),
        ("a composed accent", "doc.r\u{e9}ad"),
        ("a combining accent", "doc.re\u{301}ad"),
        ("a letter of no width", "doc.read\u{200b}"),
        ("a byte order mark", "\u{feff}doc.read"),
        ("a digit outside ASCII", "doc.read\u{661}"),
        ("the Kelvin sign", "doc.\u{212a}eep"),
    ];
    let mut cases: Vec<_> = fixed.into_iter().map(|(label, slug)| (label, slug.to_owned())).collect();
    cases.push(("129 bytes", long(129)));
    cases.push(("128 characters in more bytes", format!("a.{}\u{e9}", "x".repeat(125))));
    cases.push(("1 MB of a slug", long(1 << 20)));
    cases.push(("1 MB of dots", ".".repeat(1 << 20)));
    cases
}

fn lists_of_permissions(most: usize) -> Vec<(&'static str, Value, Expect)> {
    let many = |count: usize| json!(vec![World::READ; count]);
    let mut cases = vec![
        ("one", json!([World::READ]), Accepted),
        ("the same twice", json!([World::READ, World::READ]), Accepted),
        ("one that nobody has defined", json!([World::READ, "nothing.known"]), Accepted),
        ("as many as may be", many(most), Accepted),
        ("one too many", many(most + 1), Format),
        ("100,001 of them", many(100_001), Format),
        ("as many different ones as may be", (0..most).map(|number| format!("doc.r{number}")).collect(), Accepted),
        ("as many as may be, and the last is none", (1..=most).map(|nth| if nth < most { World::READ } else { "doc" }).collect(), Format),
        ("empty text in the list", json!([World::READ, ""]), Format),
        ("null in the list", json!([World::READ, null]), Format),
        ("a number in the list", json!([World::READ, 7]), Format),
        ("a list in the list", json!([[World::READ]]), Format),
        ("an object in the list", json!([{"permission": World::READ}]), Format),
        ("the slug without its list", json!(World::READ), Format),
        ("a missing list", json!({"0": World::READ}), Format),
    ];
    cases.extend(no_permissions().into_iter().map(|(label, slug)| (label, json!([World::READ, slug]), Format)));
    cases
}

/// Texts that look like a role's slug and are none.
const NO_ROLES: [(&str, &str); 18] = [
    ("an uppercase letter in front", "Owner"),
    ("uppercase letters", "OWNER"),
    ("a digit", "owner1"),
    ("a hyphen", "own-er"),
    ("a dot", "own.er"),
    ("a space", "own er"),
    ("a leading space", " owner"),
    ("a trailing space", "owner "),
    ("a trailing newline", "owner\n"),
    ("a trailing NUL", "owner\0"),
    ("a Cyrillic letter", "\u{43e}wner"),
    ("a Greek letter", "\u{3bf}wner"),
    ("a full-width letter", "owne\u{ff52}"),
    ("an accent", "\u{f6}wner"),
    ("a combining accent", "o\u{308}wner"),
    ("a letter of no width", "owner\u{200b}"),
    ("a letter that turns the direction", "\u{202e}renwo"),
    ("a long s", "gue\u{17f}t"),
];

fn role_slugs() -> Vec<(&'static str, Value, Expect)> {
    let mut cases = vec![
        ("two letters", json!("zz"), Accepted),
        ("a letter and an underscore", json!("z_"), Accepted),
        ("32 bytes", json!("x".repeat(32)), Accepted),
        ("33 bytes", json!("x".repeat(33)), Format),
        ("31 characters in more bytes", json!(format!("{}\u{e9}", "x".repeat(30))), Format),
        ("a leading underscore", json!("_owner"), Format),
        ("underscores alone", json!("__"), Format),
        ("a built-in role", json!("owner"), TAKEN),
        ("another built-in role", json!("viewer"), TAKEN),
        ("another role of the organization", json!("spare"), TAKEN),
    ];
    cases.extend(NO_ROLES.into_iter().map(|(label, slug)| (label, json!(slug), Format)));
    cases
}

fn built_in_roles() -> Vec<(&'static str, Value, Expect)> {
    let all = ["owner", "admin", "member", "guest", "viewer", "editor"];
    let mut cases = vec![
        ("one", json!(["owner"]), Accepted),
        ("all of them", json!(all), Accepted),
        ("the same 1000 times", json!(vec!["guest"; 1000]), Accepted),
        ("a role of an organization", json!([World::ROLE]), Format),
        ("a role that is none", json!(["owner", "boss"]), Format),
        ("empty text in the list", json!(["owner", ""]), Format),
        ("null in the list", json!(["owner", null]), Format),
        ("a number in the list", json!([7]), Format),
        ("a list in the list", json!([all]), Format),
        ("the word", json!("owner"), Format),
        ("1 MB of a role", json!(["x".repeat(1 << 20)]), Format),
    ];
    cases.extend(NO_ROLES.into_iter().map(|(label, slug)| (label, json!(["owner", slug]), Format)));
    cases
}

fn matrices() -> Vec<(&'static str, Value, Expect)> {
    let entry = |role: &str, patterns: Value| json!({"role": role, "permissions": patterns});
    let good = entry("owner", json!(["*"]));
    let many = |count: usize| Value::Array((0..count).map(|n| entry(&format!("role_{}", "x".repeat(n % 26 + 1)), json!(["*"]))).collect());
    vec![
        ("one", json!([good]), Accepted),
        ("two", json!([good, entry("viewer", json!(["*.read", "!users.*"]))]), Accepted),
        ("a pattern of every byte", json!([entry("owner", json!(["a0_-.bC*"]))]), Accepted),
        ("a pattern of 128 bytes", json!([entry("owner", json!(["x".repeat(128)]))]), Accepted),
        ("200 patterns", json!([entry("owner", json!(vec!["*"; 200]))]), Accepted),
        ("no role", json!([]), Format),
        ("a role twice", json!([good, good]), Format),
        ("100 roles, many of them twice", many(100), Format),
        ("101 roles", many(101), Format),
        ("no pattern", json!([entry("owner", json!([]))]), Format),
        ("201 patterns", json!([entry("owner", json!(vec!["*"; 201]))]), Format),
        ("an empty pattern", json!([entry("owner", json!(["*", ""]))]), Format),
        ("only an exclamation mark", json!([entry("owner", json!(["!"]))]), Format),
        ("two exclamation marks", json!([entry("owner", json!(["!!*"]))]), Format),
        ("a pattern of 129 bytes", json!([entry("owner", json!(["x".repeat(129)]))]), Format),
        ("a space in a pattern", json!([entry("owner", json!(["* "]))]), Format),
        ("a look-alike in a pattern", json!([entry("owner", json!(["dос.*"]))]), Format),
        ("1 MB of a pattern", json!([entry("owner", json!(["*".repeat(1 << 20)]))]), Format),
        ("an uppercase letter in a role", json!([entry("Owner", json!(["*"]))]), Format),
        ("an empty role", json!([entry("", json!(["*"]))]), Format),
        ("null in the list", json!([good, null]), Format),
        ("text in the list", json!([good, "owner"]), Format),
        ("one without its list", good.clone(), Format),
        ("a second that says nothing", json!([good, {}]), Code("invalid_format.role")),
        ("a second without patterns", json!([good, {"role": "admin"}]), Code("invalid_format.permissions")),
        ("a number for patterns", json!([entry("owner", json!(7))]), Code("invalid_format.permissions")),
        (
            "a second with an unknown field",
            json!([good, {"role": "admin", "permissions": ["*"], "colour": 1}]),
            Code("invalid_format.colour"),
        ),
    ]
}

fn group_slugs() -> Vec<(&'static str, Value, Expect)> {
    vec![
        ("a digit", json!("7"), Accepted),
        ("inner hyphens", json!("a--b"), Accepted),
        ("63 bytes", json!("s".repeat(63)), Accepted),
        ("64 bytes", json!("s".repeat(64)), Format),
        ("62 characters in more bytes", json!(format!("{}\u{e9}", "s".repeat(61))), Format),
        ("an uppercase letter", json!("Desk"), Format),
        ("a leading hyphen", json!("-desk"), Format),
        ("a trailing hyphen", json!("desk-"), Format),
        ("a hyphen alone", json!("-"), Format),
        ("an underscore", json!("night_shift"), Format),
        ("a dot", json!("night.shift"), Format),
        ("a leading space", json!(" desk"), Format),
        ("a trailing newline", json!("desk\n"), Format),
        ("a trailing NUL", json!("desk\0"), Format),
        ("a letter outside ASCII", json!("d\u{e9}sk"), Format),
        ("a Cyrillic letter", json!("d\u{435}sk"), Format),
        ("a hyphen outside ASCII", json!("night\u{2010}shift"), Format),
    ]
}

fn descriptions() -> Vec<(&'static str, Value, Expect)> {
    vec![
        ("1000 characters", json!("\u{e9}".repeat(1000)), Accepted),
        ("1001 characters", json!("\u{e9}".repeat(1001)), Format),
        ("1000 characters of four bytes", json!("\u{1f600}".repeat(1000)), Accepted),
        ("1001 characters of one byte", json!("x".repeat(1001)), Format),
        ("lines and tabs", json!("a\r\n\tb\n"), Accepted),
        ("a space", json!(" "), Accepted),
        ("NUL alone", json!("\0"), Format),
        ("a control character", json!("a\u{1b}[0m"), Format),
        ("a control character behind ASCII", json!("a\u{85}"), Format),
        ("a vertical tab", json!("a\u{b}b"), Format),
        ("DEL", json!("a\u{7f}"), Format),
    ]
}

fn effects(mine: &'static str, other: &'static str) -> Vec<(&'static str, Value, Expect)> {
    vec![
        ("grant", json!("grant"), Accepted),
        ("deny", json!("deny"), Accepted),
        ("none any more", json!(mine), Accepted),
        ("the word of the other override", json!(other), Format),
        ("an uppercase letter", json!("Grant"), Format),
        ("a leading space", json!(" deny"), Format),
        ("a trailing newline", json!("deny\n"), Format),
        ("a Cyrillic letter", json!("gr\u{430}nt"), Format),
        ("allow", json!("allow"), Format),
        ("a list of effects", json!(["grant"]), Format),
    ]
}

fn definitions() -> Vec<(&'static str, Value, Expect)> {
    let good = json!({"slug": World::READ});
    let of = |field: &str, value: &str| with(&good, field, json!(value));
    let disagreeing = |field: &str| json!([of(field, "one"), good, of(field, "another")]);
    let malformed = of("slug", "doc");
    vec![
        ("one", json!([good]), Accepted),
        ("the same 1000 times", Value::Array(vec![good.clone(); 1000]), Accepted),
        ("the same 100,000 times", Value::Array(vec![good.clone(); 100_000]), Accepted),
        ("the same 100,001 times", Value::Array(vec![good.clone(); 100_001]), Code("invalid_format.custom")),
        ("two that say the same", json!([of("name", "one"), of("name", "one")]), Accepted),
        ("two that say something of different fields", json!([of("name", "one"), of("category", "two")]), Accepted),
        ("slugs that differ in one letter's case", json!([of("name", "one"), {"slug": "doc.reaD", "name": "two"}]), Accepted),
        ("two names", disagreeing("name"), DISAGREE),
        ("two descriptions", disagreeing("description"), DISAGREE),
        ("two categories", disagreeing("category"), DISAGREE),
        ("names that differ in a space", json!([of("name", "one"), of("name", "one ")]), DISAGREE),
        ("names that are composed differently", json!([of("name", "\u{e9}"), of("name", "e\u{301}")]), DISAGREE),
        ("null in the list", json!([good, null]), Format),
        ("text in the list", json!([good, World::READ]), Format),
        ("a list in the list", json!([[good]]), Format),
        ("one without its list", good.clone(), Format),
        ("a second that says nothing", json!([good, {}]), Code("invalid_format.slug")),
        ("a second with an unknown field", json!([good, with(&good, "colour", json!(1))]), Code("invalid_format.colour")),
        ("a second with a number for a name", json!([good, with(&good, "name", json!(7))]), Code("invalid_format.name")),
        ("a second with a slug that is none", json!([good, malformed]), Code("invalid_format.slug")),
        // What belongs to the form of the input comes before what the table checks.
        ("two names, and then a slug that is none", json!([of("name", "one"), of("name", "two"), malformed]), Code("invalid_format.slug")),
    ]
}

fn manifests() -> Vec<(&'static str, Value, Expect)> {
    let good = json!({"collection": "docs", "api": true});
    vec![
        ("one", json!([good]), Accepted),
        ("the same 100 times", Value::Array(vec![good.clone(); 100]), Accepted),
        ("one that shows nothing", json!([{"collection": "docs"}]), Accepted),
        ("null in the list", json!([good, null]), Format),
        ("text in the list", json!([good, "docs"]), Format),
        ("a list in the list", json!([[good]]), Format),
        ("one without its list", good.clone(), Format),
        ("an object of resources", json!({"docs": {"api": true}}), Format),
        ("a second that says nothing", json!([good, {}]), Code("invalid_format.collection")),
        ("a second with an unknown field", json!([good, with(&good, "colour", json!(1))]), Code("invalid_format.colour")),
        ("a second with a number for a surface", json!([good, with(&good, "cli", json!(7))]), Code("invalid_format.cli")),
        ("a second with a dot in its name", json!([good, with(&good, "collection", json!("a.b"))]), Code("invalid_format.collection")),
    ]
}

fn collections() -> Vec<(&'static str, Value, Expect)> {
    vec![
        ("two letters", json!("zz"), Accepted),
        ("a letter", json!("z"), Accepted),
        ("digits, hyphens and underscores", json!("z0_-"), Accepted),
        // `.create` is behind it.
        ("121 bytes", json!("x".repeat(121)), Accepted),
        // What it yields is a slug that is too long.
        ("122 bytes", json!("x".repeat(122)), Code("invalid_format.slug")),
        ("124 bytes", json!("x".repeat(124)), Format),
        ("129 bytes", json!("x".repeat(129)), Format),
        ("an uppercase letter", json!("Docs"), Format),
        ("an uppercase letter within", json!("dOcs"), Format),
        ("a dot", json!("a.b"), Format),
        ("a trailing dot", json!("docs."), Format),
        ("a leading digit", json!("1docs"), Format),
        ("a leading hyphen", json!("-docs"), Format),
        ("a star", json!("*"), Format),
        ("a space", json!("do cs"), Format),
        ("a trailing newline", json!("docs\n"), Format),
        ("a trailing NUL", json!("docs\0"), Format),
        ("a letter outside ASCII", json!("d\u{f6}cs"), Format),
        ("a Cyrillic letter", json!("d\u{43e}cs"), Format),
    ]
}

fn exposures() -> Vec<(&'static str, Value, Expect)> {
    vec![
        ("false", json!(false), Accepted),
        ("nothing included", json!({"include": []}), Accepted),
        ("nothing excluded", json!({"exclude": []}), Accepted),
        ("an action included", json!({"include": ["get"]}), Accepted),
        ("an action included twice", json!({"include": ["get", "get"]}), Accepted),
        ("an action excluded", json!({"exclude": ["delete"]}), Accepted),
        ("both", json!({"include": ["get"], "exclude": ["delete"]}), Format),
        ("a word for a list", json!({"include": "get"}), Format),
        ("null for a list", json!({"include": null}), Format),
        ("null beside a list", json!({"include": ["get"], "exclude": null}), Format),
        ("an object for a list", json!({"exclude": {"get": true}}), Format),
        ("null in the list", json!({"include": ["get", null]}), Format),
        ("a number in the list", json!({"include": [7]}), Format),
        ("a list in the list", json!({"exclude": [["get"]]}), Format),
        ("a field more", json!({"include": ["get"], "colour": 1}), Format),
        ("an uppercase letter", json!({"Include": ["get"]}), Format),
        ("a list of actions", json!(["get"]), Format),
        ("the word", json!("true"), Format),
        ("zero", json!(0), Format),
    ]
}

fn actions() -> Vec<(&'static str, Value, Expect)> {
    let of = |action: &str| json!(["send", action]);
    vec![
        ("one", json!(["send"]), Accepted),
        ("the same twice", json!(["send", "send"]), Accepted),
        ("an uppercase letter within", of("sendReminder"), Accepted),
        ("digits, hyphens and underscores", of("z0_-"), Accepted),
        // `docs.` is before it.
        ("123 bytes", of(&"x".repeat(123)), Accepted),
        ("124 bytes", of(&"x".repeat(124)), Format),
        ("empty text in the list", of(""), Format),
        ("an uppercase letter in front", of("Send"), Format),
        ("a dot", of("send.late"), Format),
        ("a leading digit", of("1send"), Format),
        ("a star", of("*"), Format),
        ("a trailing space", of("send "), Format),
        ("a trailing newline", of("send\n"), Format),
        ("a trailing NUL", of("send\0"), Format),
        ("a letter outside ASCII", of("s\u{e9}nd"), Format),
        ("a Cyrillic letter", of("s\u{435}nd"), Format),
        ("1 MB of an action", of(&"x".repeat(1 << 20)), Format),
        ("null in the list", json!(["send", null]), Format),
        ("a number in the list", json!([7]), Format),
        ("a list in the list", json!([["send"]]), Format),
        ("the word", json!("send"), Format),
    ]
}

fn asks(world: &World) -> Vec<(&'static str, Value, Expect)> {
    let good = json!({"usr_id": world.member.to_string(), "org_id": world.org.to_string(), "permission": World::READ});
    let unknown = with(&good, "usr_id", json!(format!("usr_{DIGITS}")));
    vec![
        ("one", json!([good]), Accepted),
        ("200 of them", Value::Array(vec![good.clone(); 200]), Accepted),
        ("201 of them", Value::Array(vec![good.clone(); 201]), Format),
        ("201 of them, all about a slug that is none", Value::Array(vec![with(&good, "permission", json!("doc")); 201]), Format),
        ("one about a user whom nobody knows", json!([unknown]), Accepted),
        ("a second that is null", json!([good, null]), Format),
        ("a second that is text", json!([good, World::READ]), Format),
        ("a second that is a list", json!([good, []]), Format),
        ("a second that says nothing", json!([good, {}]), Code("invalid_format.usr_id")),
        ("a second with an unknown field", json!([good, with(&good, "colour", json!(1))]), Code("invalid_format.colour")),
        ("a second with an id of another kind", json!([good, with(&good, "usr_id", json!(world.org.to_string()))]), ID),
        ("a second with a slug that is none", json!([good, with(&good, "permission", json!("doc"))]), Code("invalid_format.permission")),
        ("a second and a third that are wrong", json!([good, with(&good, "permission", json!(7)), {}]), Code("invalid_format.permission")),
        ("one without its list", good, Format),
    ]
}

/// An object with another value for a field.
fn with(object: &Value, field: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[field] = value;
    object
}

/// Words of 2 to so many letters.
fn words(most: usize) -> Vec<(&'static str, Value, Expect)> {
    vec![
        ("two letters", json!("zz"), Accepted),
        ("as many letters as may be", json!("x".repeat(most)), Accepted),
        ("a letter too many", json!("x".repeat(most + 1)), Format),
        ("an uppercase letter", json!("vieweR"), Format),
        ("a digit", json!("view1"), Format),
        ("a hyphen", json!("vi-er"), Format),
        ("a space", json!("vi er"), Format),
        ("a leading space", json!(" doc"), Format),
        ("a trailing newline", json!("doc\n"), Format),
        ("a trailing NUL", json!("doc\0"), Format),
        ("a letter of two bytes", json!("é"), Format),
        ("a letter outside ASCII", json!("viéer"), Format),
        ("a quote", json!("vi'er"), Format),
        ("a wildcard", json!("%%"), Format),
    ]
}

fn entity_ids(kind: &str) -> Vec<(&'static str, Value, Expect)> {
    let other = if kind == "usr" { "org" } else { "usr" };
    vec![
        ("a UUID that nobody has", json!("01960000-0000-7000-8000-0000000000ff"), Accepted),
        ("an uppercase UUID", json!("01960000-0000-7000-8000-0000000000FF"), Accepted),
        ("a UUID of no version", json!("01960000-0000-0000-8000-0000000000ff"), Accepted),
        ("a UUID but one beyond nil", json!("00000000-0000-0000-0000-000000000001"), Accepted),
        ("an id of the type", json!(format!("{kind}_{DIGITS}")), Accepted),
        ("an id of another type", json!(format!("{other}_{DIGITS}")), Format),
        ("an uppercase prefix", json!(format!("{}_{DIGITS}", kind.to_uppercase())), Format),
        ("no prefix", json!(format!("_{DIGITS}")), Format),
        ("the prefix alone", json!(format!("{kind}_")), Format),
        ("two separators", json!(format!("{kind}__{}", &DIGITS[1..])), Format),
        ("a UUID behind the prefix", json!(format!("{kind}_01960000-0000-7000-8000-0000000000ff")), Format),
        ("digits alone", json!(DIGITS), Format),
        ("a UUID in braces", json!("{01960000-0000-7000-8000-0000000000ff}"), Format),
        ("a UUID as a URN", json!("urn:uuid:01960000-0000-7000-8000-0000000000ff"), Format),
        ("a UUID with a digit too few", json!("01960000-0000-7000-8000-0000000000f"), Format),
        ("a UUID with a letter that is no digit", json!("01960000-0000-7000-8000-0000000000fg"), Format),
        ("36 characters with hyphens elsewhere", json!("0196000-00000-7000-8000-0000000000ff"), Format),
        ("a UUID with a trailing newline", json!("01960000-0000-7000-8000-0000000000ff\n"), Format),
        ("the nil UUID", json!("00000000-0000-0000-0000-000000000000"), Format),
        ("the max UUID", json!("ffffffff-ffff-ffff-ffff-ffffffffffff"), Format),
        ("the max UUID in uppercase", json!("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"), Format),
        ("an id with the nil UUID", json!(format!("{kind}_{}", "0".repeat(32))), Format),
        ("an id with a version digit out of range", json!(format!("{kind}_01960000000090008000000000000001")), Format),
        ("an id with an uppercase digit", json!(format!("{kind}_0196000000007000800000000000000A")), Format),
        ("an id with a digit too few", json!(format!("{kind}_{}", &DIGITS[1..])), Format),
        ("an id with a trailing newline", json!(format!("{kind}_{DIGITS}\n")), Format),
        ("1 MB of digits", json!(format!("{kind}_{}", "0".repeat(1 << 20))), Format),
    ]
}

fn metadata() -> Vec<(&'static str, Value, Expect)> {
    // `{"k":""}` has 8 bytes.
    let long = |text: String| json!({ "k": text });
    let deep = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "k": inner }));
    let lists = |levels: usize| json!({"k": (2..levels).fold(json!([]), |inner, _| json!([inner]))});
    vec![
        ("every kind of value", json!({"a": null, "b": true, "c": -1, "d": 1.5, "e": "é", "f": [1, [2]], "g": {"h": {}}}), Accepted),
        ("4096 bytes", long("x".repeat(4088)), Accepted),
        ("4097 bytes", long("x".repeat(4089)), Format),
        ("4096 bytes in fewer characters", long("é".repeat(2044)), Accepted),
        ("4098 bytes in fewer characters", long("é".repeat(2045)), Format),
        ("4096 bytes with escapes", long("\"".repeat(2044)), Accepted),
        ("4098 bytes with escapes", long("\"".repeat(2045)), Format),
        ("a name of 4097 bytes", json!({"x".repeat(4091): 1}), Format),
        ("16 levels", deep(16), Accepted),
        ("17 levels", deep(17), Format),
        ("16 levels of lists", lists(16), Accepted),
        ("17 levels of lists", lists(17), Format),
        ("100 levels", deep(100), Format),
        ("text with NUL", json!({"a\0b": "\0"}), Accepted),
        ("a name without a letter", json!({"": ""}), Accepted),
        ("an object as text", json!("{}"), Format),
        ("a list of objects", json!([{}]), Format),
        ("1 MB of it", long("x".repeat(1 << 20)), Format),
    ]
}

fn pre_tuples() -> Vec<(&'static str, Value, Expect)> {
    let good = json!({"relation": "viewer", "object_type": "doc", "object_id": World::DOC});
    let of_a_field = |field: &str, value: &str| json!([good, with(&good, field, json!(value))]);
    let without = |field: &str| {
        let mut object = good.clone();
        object.as_object_mut().expect("an object").remove(field);
        json!([good, object])
    };
    let on_org = json!({"relation": "biller", "object_type": "org", "object_id": "01960000-0000-7000-8000-000000000099"});
    vec![
        ("one", json!([good]), Accepted),
        ("the same 100 times", Value::Array(vec![good.clone(); 100]), Accepted),
        ("the same 101 times", Value::Array(vec![good.clone(); 101]), Format),
        ("one without its list", good.clone(), Format),
        ("null in the list", json!([good, null]), Format),
        ("text in the list", json!([good, "viewer"]), Format),
        ("a list in the list", json!([[good]]), Format),
        ("nothing said", json!([good, {}]), Format),
        ("no relation", without("relation"), Format),
        ("no type", without("object_type"), Format),
        ("no id", without("object_id"), Format),
        ("null for a relation", json!([with(&good, "relation", Value::Null)]), Format),
        ("a number for an id", json!([with(&good, "object_id", json!(7))]), Format),
        ("a field more", json!([with(&good, "subject_type", json!("usr"))]), Format),
        ("a field more that is null", json!([with(&good, "colour", Value::Null)]), Format),
        ("a letter for a relation", of_a_field("relation", "x"), Code("invalid_format.relation")),
        ("an uppercase letter in a relation", of_a_field("relation", "Viewer"), Code("invalid_format.relation")),
        ("a letter for a type", of_a_field("object_type", "d"), Code("invalid_format.object_type")),
        ("an underscore in a type", of_a_field("object_type", "a_b"), Code("invalid_format.object_type")),
        ("empty text for an id", of_a_field("object_id", ""), Code("invalid_format.object_id")),
        ("an id of another type", of_a_field("object_id", &format!("usr_{DIGITS}")), Code("invalid_format.object_id")),
        ("the nil UUID", of_a_field("object_id", "00000000-0000-0000-0000-000000000000"), Code("invalid_format.object_id")),
        (
            "two that are wrong",
            json!([with(&good, "object_id", json!("x")), with(&good, "relation", json!("x"))]),
            Code("invalid_format.object_id"),
        ),
        ("one with two that are wrong", json!([{"relation": "x", "object_type": "d", "object_id": ""}]), Code("invalid_format.relation")),
        ("an organization that nobody has", json!([good, on_org]), Code("precondition.pre_tuple_on_org")),
    ]
}

/// Values that do not have the form of a field, as far as that belongs to the form of the input.
pub(crate) fn malformed(field: &str, form: Form) -> Vec<Value> {
    let mut values = vec![json!(1.5)];
    values.extend(match form {
        Form::Time | Form::OrgStatus | Form::MembershipStatus | Form::InvitationStatus | Form::Id(_) => Some(json!("x")),
        Form::Ids(_) => Some(json!(["x"])),
        Form::Relations => Some(json!(["viewer", 7])),
        Form::Opaque(_) if belongs_to_the_form(field) => Some(json!("")),
        Form::PreTuples => Some(Value::Array(vec![json!({"relation": "viewer", "object_type": "doc", "object_id": World::DOC}); 101])),
        Form::Invitations | Form::Checks | Form::Definitions | Form::Manifest | Form::Asks | Form::Matrix => Some(json!(["x"])),
        Form::Effect | Form::OrgEffect | Form::MembershipEffect | Form::TenantScope | Form::TenantMode | Form::Exposure => Some(json!("x")),
        Form::Permissions(_) | Form::BuiltInRoles | Form::Actions => Some(json!(["doc.read", 7])),
        _ => None,
    });
    values
}

/// What a command says of itself is looked at before its checks.
fn belongs_to_the_form(field: &str) -> bool {
    ["request_id", "reason"].contains(&field)
}

/// A value of the right JSON type that a check of the operation's table refuses, where there is one for the form: what belongs to the
/// form of the input comes before it.
pub(crate) fn refused_by_a_check(field: &str, form: Form) -> Option<Value> {
    if belongs_to_the_form(field) {
        return None;
    }
    Some(match form {
        Form::Name | Form::Slug | Form::Role | Form::EntityId(_) | Form::Relation | Form::ObjectType | Form::Cursor | Form::After => {
            json!("")
        }
        Form::Opaque(most) => json!("x".repeat(most + 1)),
        Form::SeatLimit | Form::Levels => json!(0),
        Form::Metadata => json!({"k": "x".repeat(5000)}),
        Form::Relations | Form::Invitations | Form::Checks | Form::Asks | Form::Matrix => json!([]),
        Form::Permission | Form::RoleSlug | Form::GroupSlug | Form::Description => json!(""),
        Form::Permissions(_) | Form::BuiltInRoles => json!([""]),
        Form::PreTuples => json!([{"relation": "x", "object_type": "d", "object_id": ""}]),
        Form::Ids(prefix) => Value::Array(vec![json!(format!("{prefix}_{DIGITS}")); 201]),
        Form::Id(_)
        | Form::SlugSought
        | Form::Query
        | Form::Bool
        | Form::Time
        | Form::OrgStatus
        | Form::MembershipStatus
        | Form::InvitationStatus
        | Form::Limit
        | Form::MaxTenants
        | Form::TenantMode
        | Form::Revision
        | Form::Rows
        | Form::RowKind
        | Form::Binding
        | Form::Effect
        | Form::OrgEffect
        | Form::MembershipEffect
        | Form::Definitions
        | Form::Manifest
        | Form::Collection
        | Form::Exposure
        | Form::Actions
        | Form::TenantScope => return None,
    })
}

const DIGITS: &str = "01960000000070008000000000000099";

fn ids(prefix: &str, world: &World) -> Vec<(&'static str, Value, Expect)> {
    // A row of the world that is of another kind.
    let other = if prefix == "org" { world.owner.to_string() } else { world.org.to_string() };
    vec![
        ("unknown", json!(format!("{prefix}_{DIGITS}")), NF),
        ("an id of another kind", json!(other), ID),
        ("an id of a kind that is not used here", json!(format!("ses_{DIGITS}")), ID),
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
