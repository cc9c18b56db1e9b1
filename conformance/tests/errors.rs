//! Errors: the table of spec/errors.md is that of the code, and messages say something to people.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tenantry_core::id::IdError;
use tenantry_core::{BackendError, BackendKind, DomainError, Error, EvaluationLimit, IdType, PermissionSlug, Precondition, RoleSlug, Slug};

/// Classes with one above them, which a fixture may name in their place. The last two have no code of their own: a tuple that is not
/// found is `not_found`, and a list of relations that is none, empty or too long is `invalid_format.relations`.
const BENEATH: [(&str, &str); 5] = [
    ("RoleHierarchyError", "ForbiddenError"),
    ("IdentifierBindingRequiredError", "PreconditionError"),
    ("IdentifierMismatchError", "PreconditionError"),
    ("EmptyRelationSetError", "InvalidFormatError"),
    ("TupleNotFoundError", "NotFoundError"),
];

/// One of each kind, and of each wording.
fn domain_errors() -> Vec<DomainError> {
    let id = |error| DomainError::InvalidId { field: "org_id", error };
    let org = "org_01960000000070008000000000000001".parse().expect("an id");
    let conflict = |row| DomainError::ImportConflict { row, why: "stands in the rows twice" };
    let kinds = IdError::Kind { expected: IdType::Organization, found: IdType::User };
    let ids = [IdError::Separator, IdError::UnknownType, IdError::Payload, IdError::Version, kinds, IdError::NotAUuid];
    let mut errors = vec![
        DomainError::InvalidFormat { field: "limit".to_owned(), expected: "a whole number" },
        DomainError::InvalidFormat { field: "relations".to_owned(), expected: "a list of texts" },
        DomainError::InvalidCursor,
        DomainError::Forbidden,
        DomainError::RoleHierarchy,
        DomainError::SoleOwner { orgs: vec![org] },
        DomainError::SoleOwner { orgs: vec![org; 12] },
        DomainError::DuplicateMembership,
        DomainError::SeatLimit,
        DomainError::InvitationExpired,
        DomainError::InvitationNotPending,
        DomainError::DuplicateInvitation,
        DomainError::DuplicateTuple { id: "tup_01960000000070008000000000000001".parse().expect("an id") },
        DomainError::OrgSlug(Slug::parse("acme").expect("a slug")),
        DomainError::AlreadyTerminal { kind: IdType::Organization, state: "revoked" },
        DomainError::AlreadyTerminal { kind: IdType::User, state: "suspended" },
        DomainError::MaxDepth,
        DomainError::Cycle,
        DomainError::HasChildren,
        DomainError::RoleSlug(RoleSlug::parse("clerk").expect("a slug")),
        DomainError::GroupSlug(Slug::parse("desk").expect("a slug")),
        DomainError::PermissionMetadata {
            permission: PermissionSlug::parse("doc.read").expect("a slug"),
            field: "name",
            one: "Read".to_owned(),
            other: "Look at".to_owned(),
            sources: None,
        },
        DomainError::PermissionMetadata {
            permission: PermissionSlug::parse("doc.read").expect("a slug"),
            field: "name",
            one: "Read".to_owned(),
            other: "Look at".to_owned(),
            sources: Some(Box::new(["billing".to_owned(), "archive".to_owned()])),
        },
        DomainError::Import { line: 7, error: Box::new(conflict("membership")) },
    ];
    errors.extend(ids.map(id));
    errors.extend(IdType::ALL.map(DomainError::NotFound));
    errors.extend(["permission", "member of the group"].map(conflict));
    errors.extend(Precondition::ALL.map(DomainError::Precondition));
    let limits = [EvaluationLimit::Depth, EvaluationLimit::FanOut, EvaluationLimit::Frames];
    errors.extend(limits.map(DomainError::EvaluationLimit));
    errors
}

fn backend_errors() -> Vec<BackendError> {
    let event_id = "aud_01960000000070008000000000000001".parse().expect("an id");
    let kinds = [
        BackendKind::Unavailable,
        BackendKind::UnknownOutcome { event_id },
        BackendKind::UnknownCommit,
        BackendKind::Retryable,
        BackendKind::Schema,
        BackendKind::NestedWrite,
        BackendKind::RolledBack,
        BackendKind::Isolation,
        BackendKind::Other,
    ];
    let inconsistent = BackendError::inconsistent("membership", "mem_01960000000070008000000000000001");
    kinds.into_iter().map(|kind| BackendError::new(kind, "a message")).chain([inconsistent]).collect()
}

/// Code and class of every error, as the code has them.
fn known() -> BTreeMap<String, String> {
    let domain = domain_errors().into_iter().map(Error::from);
    let all = domain.chain(backend_errors().into_iter().map(Error::from));
    let any_field = |code: String| if code.starts_with("invalid_format.") { "invalid_format.*".to_owned() } else { code };
    let mut known: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for error in all {
        known.entry(any_field(error.code())).or_default().insert(error.class());
    }
    // The class of a code, without those beneath it that have no other code.
    let above = |classes: &BTreeSet<&str>| {
        let beneath = |class: &&str| BENEATH.iter().any(|(name, above)| name == class && classes.contains(above));
        let classes: Vec<&str> = classes.iter().filter(|class| !beneath(class)).copied().collect();
        classes.join(", ")
    };
    known.into_iter().map(|(code, classes)| (code, above(&classes))).collect()
}

/// Code and class of every row of the table.
fn specified() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/errors.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (code, class) = (cells.next()?, cells.next()?);
        Some((code.strip_prefix('`')?.strip_suffix('`')?.to_owned(), class.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn the_table_of_the_specification_is_that_of_the_code() {
    let (known, specified) = (known(), specified());
    assert!(specified.len() > 20, "the table of spec/errors.md cannot be read any more: {specified:?}");
    assert_eq!(specified, known);
}

// covers: ERR-6
#[test]
fn a_class_is_itself_and_those_above_it() {
    let all: Vec<&str> = domain_errors().iter().map(DomainError::class).collect();
    for error in domain_errors() {
        for class in &all {
            let above = *class == error.class() || BENEATH.contains(&(error.class(), class));
            assert_eq!(error.is_class(class), above, "{error:?} {class}");
        }
    }
}

#[test]
fn classes_that_share_a_code_are_told_apart_by_what_is_wrong() {
    let class = |error: DomainError| (error.code(), error.class());
    let of = |code: &str, class: &'static str| (code.to_owned(), class);
    for kind in IdType::ALL {
        let expected = if kind == IdType::Tuple { "TupleNotFoundError" } else { "NotFoundError" };
        assert_eq!(class(DomainError::NotFound(kind)), of("not_found", expected));
    }
    let format = |field: &str| DomainError::InvalidFormat { field: field.to_owned(), expected: "something else" };
    assert_eq!(class(format("relations")), of("invalid_format.relations", "EmptyRelationSetError"));
    for field in ["relation", "limit", "relations_", ""] {
        assert_eq!(class(format(field)), of(&format!("invalid_format.{field}"), "InvalidFormatError"));
    }
    // Its own error decides, behind the line's number.
    let line = DomainError::Import { line: 3, error: Box::new(Precondition::IdentifierMismatch.into()) };
    assert_eq!(class(line.clone()), of("precondition.identifier_mismatch", "IdentifierMismatchError"));
    assert!(line.is_class("PreconditionError") && !line.is_class("ImportConflictError"));
}

#[test]
fn messages() {
    let lines: Vec<String> = domain_errors().iter().map(|error| format!("{}: {error}", error.code())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn messages_are_short_and_plain() {
    for error in domain_errors() {
        let message = error.to_string();
        assert!(!message.ends_with('.') && message.len() < 600, "{message}");
        assert!(message.starts_with(|first: char| first.is_lowercase() || first == '`'), "{message}");
    }
}
