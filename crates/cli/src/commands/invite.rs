//! `tenantry invite ...`

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tenantry::json::Value;
use tenantry::{
    AcceptInvitation, AcceptedInvitation, CreateInvitation, CreateInvitations, DeclineInvitation, DomainError, ExtendInvitation, Grant,
    Invitation, InvitationInput, InvitedRow, ListInvitations, ListInvitationsFor, OrgId, PreTuple, RevokeInvitation, TenancyStore,
    Timestamp,
};

use super::tuple::typed;
use super::{Surroundings, lines, names, next_page, org_id, pages, to_the_second};
use crate::args::{InviteArgs, InviteCommand, InviteManyArgs, ListInvitesArgs, Span};
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Record, Table};
use crate::session::Turn;

const OF_ORG: &[&str] = &["identifier", "role", "status", "expires", "invitation", "grants"];
const FOR_IDENTIFIER: &[&str] = &["organization", "role", "status", "expires", "invitation", "organization id"];
const OUTCOMES: &[&str] = &["line", "identifier", "outcome", "invitation"];

/// How long an invitation is open where nothing is said.
const OPEN: Span = Span::days(7);

pub(super) async fn run(command: InviteCommand, turn: &Turn, around: Surroundings) -> Result<Answer, Failure> {
    let store = &*turn.store;
    let inv = match command {
        InviteCommand::CreateMany(args) => return create_many(&args, turn, around.stdin_free).await,
        InviteCommand::List(args) => return list(&args, store, around.for_people).await,
        InviteCommand::Accept(args) => {
            let mut request = AcceptInvitation::by_new_user(args.inv.inv_id);
            request.as_usr_id = args.user;
            request.accepting_identifier = args.identifier;
            return accepted(&store.accept_invitation(request).await?);
        }
        InviteCommand::Create(args) => create(args, turn).await?,
        InviteCommand::Show(args) => store.get_invitation(args.inv_id).await?,
        InviteCommand::Decline(args) => {
            let mut request = DeclineInvitation::new(args.inv.inv_id);
            request.as_usr_id = args.user;
            request.accepting_identifier = args.identifier;
            store.decline_invitation(request).await?
        }
        InviteCommand::Revoke { inv, by } => store.revoke_invitation(RevokeInvitation::new(inv.inv_id, by)).await?,
        InviteCommand::Extend { inv, end } => store.extend_invitation(ExtendInvitation::new(inv.inv_id, end.at(turn.now))).await?,
    };
    Answer::new(&inv, record(&inv))
}

async fn create(args: InviteArgs, turn: &Turn) -> Result<Invitation, Failure> {
    let InviteArgs { org, identifier, role, by, end, grants } = args;
    let end = end.at(turn.now).unwrap_or_else(|| OPEN.after(turn.now));
    let invitation = InvitationInput::new(identifier, role, end).pre_tuples(grants);
    let request = CreateInvitation::new(org_id(&*turn.store, &org.org).await?, by, invitation);
    Ok(turn.store.create_invitation(request).await?)
}

/// The outcomes on the wire.
#[derive(Debug, Serialize)]
struct Outcomes {
    data: Vec<InvitedRow>,
}

async fn create_many(args: &InviteManyArgs, turn: &Turn, stdin_free: bool) -> Result<Answer, Failure> {
    let rows = lines::of(&args.file, stdin_free, |line| row(line, turn.now))?;
    let org_id = org_id(&*turn.store, &args.org.org).await?;
    let (places, invitations): (Vec<(u64, String)>, Vec<InvitationInput>) =
        rows.into_iter().map(|(line, row)| ((line, row.identifier.clone()), row)).unzip();
    let outcomes = Outcomes { data: turn.store.create_invitations(CreateInvitations::new(org_id, args.by, invitations)).await? };

    let refused = outcomes.data.iter().filter(|row| row.0.is_err()).count();
    let shown = places.into_iter().zip(&outcomes.data).map(|((line, identifier), row)| {
        let (outcome, inv) = match &row.0 {
            Ok(inv) => (inv.status.to_string(), inv.id.to_string()),
            Err(error) => (format!("{}: {error}", error.code()), String::new()),
        };
        vec![line.to_string(), identifier, outcome, inv]
    });
    let note = (refused > 0).then(|| format!("{refused} of {} rows were refused", outcomes.data.len()));
    let exit = if refused > 0 { Exit::Refused } else { Exit::Done };
    Ok(Answer::new(&outcomes, Table::new(OUTCOMES, shown))?.note(note).ends_with(exit))
}

/// Reads one row of many, field by field in the order of the wire form.
fn row(line: &Value, now: Timestamp) -> Result<InvitationInput, DomainError> {
    let Value::Map(fields) = line else { return Err(wrong("invitations", "an object in each line")) };
    let identifier = text(fields, "identifier")?.ok_or_else(|| wrong("identifier", "this field is missing"))?;
    let role = text(fields, "role")?.ok_or_else(|| wrong("role", "this field is missing"))?;
    let end = text(fields, "expires_at")?.map(str::parse::<Timestamp>);
    let end = end.transpose().map_err(|_| wrong("expires_at", "an RFC 3339 time between the years 1970 and 9999"))?;
    let ttl = text(fields, "ttl")?.map(|text| Span::parse("ttl", text)).transpose()?;
    if end.is_some() && ttl.is_some() {
        return Err(wrong("ttl", "either `ttl` or `expires_at`"));
    }
    let pre_tuples = pre_tuples(fields.get("pre_tuples").filter(|value| **value != Value::Null))?;
    let known = ["identifier", "role", "expires_at", "ttl", "pre_tuples"];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(wrong(unknown, "there is no such field here"));
    }
    let end = end.unwrap_or_else(|| ttl.unwrap_or(OPEN).after(now));
    Ok(InvitationInput::new(identifier, role, end).pre_tuples(pre_tuples))
}

fn text<'v>(fields: &'v BTreeMap<String, Value>, name: &str) -> Result<Option<&'v str>, DomainError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_text().map(Some).ok_or_else(|| wrong(name, "text")),
    }
}

fn pre_tuples(value: Option<&Value>) -> Result<Vec<PreTuple>, DomainError> {
    let each = |item: &Value| {
        let text = |key: &str| item.get(key)?.as_text();
        let grant = PreTuple::new(text("relation")?, text("object_type")?, text("object_id")?);
        matches!(item, Value::Map(fields) if fields.len() == 3).then_some(grant)
    };
    let read = match value {
        None => Some(Vec::new()),
        Some(Value::List(items)) => items.iter().map(each).collect(),
        Some(_) => None,
    };
    read.ok_or_else(|| wrong("pre_tuples", "a list of objects with `relation`, `object_type` and `object_id`"))
}

fn wrong(field: &str, expected: &'static str) -> DomainError {
    DomainError::InvalidFormat { field: field.chars().take(64).collect(), expected }
}

async fn list(args: &ListInvitesArgs, store: &dyn TenancyStore, for_people: bool) -> Result<Answer, Failure> {
    let (first, all) = (args.paging.first(), args.paging.all);
    let (page, table) = match (&args.which.org, &args.which.identifier) {
        (Some(org), _) => {
            let mut request = ListInvitations::new(org_id(store, org).await?);
            request.status = args.status;
            let page = pages(first, all, |page| store.list_invitations(request.clone().page(page))).await?;
            let table = table(&page.data);
            (page, table)
        }
        (None, Some(identifier)) => {
            let mut request = ListInvitationsFor::new(identifier);
            request.status = args.status;
            let page = pages(first, all, |page| store.list_invitations_for(request.clone().page(page))).await?;
            let orgs = page.data.iter().map(|inv| inv.org_id);
            let names = if for_people { names::of_orgs(store, orgs).await? } else { HashMap::new() };
            let table = for_identifier(&page.data, &names);
            (page, table)
        }
        (None, None) => return Err(Failure::usage("give an organization or --for")),
    };
    Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

/// The invitations of one organization as a table.
pub(super) fn table(invitations: &[Invitation]) -> Table {
    let row = |inv: &Invitation| row_of(inv, inv.identifier.to_string(), grants(&inv.pre_tuples));
    Table::new(OF_ORG, invitations.iter().map(row))
}

fn for_identifier(invitations: &[Invitation], names: &HashMap<OrgId, String>) -> Table {
    let row = |inv: &Invitation| row_of(inv, names.get(&inv.org_id).cloned().unwrap_or_default(), inv.org_id.to_string());
    Table::new(FOR_IDENTIFIER, invitations.iter().map(row))
}

fn row_of(inv: &Invitation, first: String, last: String) -> Vec<String> {
    vec![first, inv.role.to_string(), inv.status.to_string(), to_the_second(inv.expires_at), inv.id.to_string(), last]
}

/// As they can be typed behind `--grant`.
fn grants(grants: &[Grant]) -> String {
    grants.iter().map(|grant| format!("{}:{}", grant.relation, grant.object)).collect::<Vec<_>>().join(" ")
}

fn record(inv: &Invitation) -> Record {
    let Invitation {
        id,
        org_id,
        identifier,
        role,
        status,
        pre_tuples,
        invited_by,
        invited_user_id,
        created_at,
        expires_at,
        terminal_at,
        terminal_by,
        judged: _,
    } = inv;
    Record::new()
        .with("id", id)
        .with("org_id", org_id)
        .with("identifier", identifier)
        .with("role", role)
        .with("status", status)
        .with("grants", grants(pre_tuples))
        .with("invited_by", invited_by)
        .with_some("invited_user_id", *invited_user_id)
        .with("created_at", created_at)
        .with("expires_at", expires_at)
        .with_some("terminal_at", *terminal_at)
        .with_some("terminal_by", *terminal_by)
}

fn accepted(accepted: &AcceptedInvitation) -> Result<Answer, Failure> {
    let AcceptedInvitation { invitation, membership, materialized_tuples, .. } = accepted;
    let said = |tuple: &tenantry::Tuple| format!("{}:{} {}", tuple.key.relation, typed(tuple.key.object), tuple.id);
    let tuples: Vec<String> = materialized_tuples.iter().map(said).collect();
    let record = Record::new()
        .with("invitation", invitation.id)
        .with("status", invitation.status)
        .with("org_id", membership.org_id)
        .with("usr_id", membership.usr_id)
        .with("membership", membership.id)
        .with("role", membership.role)
        .with("tuples", tuples.join(", "));
    Answer::new(accepted, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<InvitationInput, String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        row(&serde_json::from_str(line).unwrap(), now).map_err(|error| error.code())
    }

    #[test]
    fn a_row_has_an_end_of_its_own_or_seven_days() {
        for (rest, end) in [
            ("", "2026-01-08T00:00:00.000000Z"),
            (r#","ttl":"1h""#, "2026-01-01T01:00:00.000000Z"),
            (r#","expires_at":"2027-01-01T00:00:00Z","ttl":null"#, "2027-01-01T00:00:00.000000Z"),
        ] {
            let read = read(&format!(r#"{{"identifier":"a","role":"guest"{rest}}}"#)).unwrap();
            assert_eq!(read.expires_at.to_string(), end, "{rest}");
        }
        let grants = read(r#"{"identifier":"a","role":"guest","pre_tuples":[{"relation":"x","object_type":"y","object_id":"z"}]}"#);
        assert_eq!(grants.unwrap().pre_tuples, [PreTuple::new("x", "y", "z")]);
    }

    #[test]
    fn the_first_field_that_is_wrong_decides() {
        for (line, field) in [
            ("[]", "invitations"),
            ("{}", "identifier"),
            (r#"{"identifier":1,"role":2}"#, "identifier"),
            (r#"{"identifier":"a"}"#, "role"),
            (r#"{"identifier":"a","role":"guest","expires_at":"soon","ttl":"7"}"#, "expires_at"),
            (r#"{"identifier":"a","role":"guest","ttl":"7"}"#, "ttl"),
            (r#"{"identifier":"a","role":"guest","ttl":"7d","expires_at":"2027-01-01T00:00:00Z"}"#, "ttl"),
            (r#"{"identifier":"a","role":"guest","pre_tuples":{}}"#, "pre_tuples"),
            (r#"{"identifier":"a","role":"guest","pre_tuples":["x"]}"#, "pre_tuples"),
            (r#"{"identifier":"a","role":"guest","pre_tuples":[{"relation":"x","object_type":"y"}]}"#, "pre_tuples"),
            (
                r#"{"identifier":"a","role":"guest","pre_tuples":[{"relation":"x","object_type":"y","object_id":"z","more":1}]}"#,
                "pre_tuples",
            ),
            (r#"{"identifier":"a","role":"guest","nickname":"x"}"#, "nickname"),
        ] {
            assert_eq!(read(line), Err(format!("invalid_format.{field}")), "{line}");
        }
    }
}
