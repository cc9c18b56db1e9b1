//! `tenantry tuple ...` and `tenantry check`.

use std::path::Path;
use std::sync::Arc;

use tenantry::json::Value;
use tenantry::rules::{Checked, Rules};
use tenantry::{
    CheckAny, CheckOne, CreateTuple, DeleteTuple, EntityRef, ListTuplesForObject, ListTuplesForSubject, Page, TenancyStore, Tuple,
};

use super::lines::cannot_read;
use super::{next_page, org_id, pages, to_the_second};
use crate::args::{CheckArgs, ListTuplesArgs, NewTupleArgs, TupleCommand};
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Record, Table};
use crate::session::Turn;

const TUPLES: &[&str] = &["subject", "relation", "object", "scope", "expires", "tuple"];

pub(super) async fn run(command: TupleCommand, turn: &Turn) -> Result<Answer, Failure> {
    let store = &*turn.store;
    let tuple = match command {
        TupleCommand::List(args) => return list(&args, store).await,
        TupleCommand::Create(args) => create(&args, turn).await?,
        TupleCommand::Delete(args) => store.delete_tuple(DeleteTuple::new(args.tup_id)).await?,
        TupleCommand::Show(args) => store.get_tuple(args.tup_id).await?,
    };
    Answer::new(&tuple, record(&tuple))
}

async fn create(args: &NewTupleArgs, turn: &Turn) -> Result<Tuple, Failure> {
    let mut request = CreateTuple::new(args.subject.parts(), &args.relation, args.object.parts());
    if let Some(org) = &args.org {
        request.org_id = Some(org_id(&*turn.store, org).await?);
    }
    request.expires_at = args.end.at(turn.now);
    Ok(turn.store.create_tuple(request).await?)
}

async fn list(args: &ListTuplesArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let (first, all) = (args.paging.first(), args.paging.all);
    let page = match (&args.which.subject, &args.which.object) {
        (Some(subject), _) => {
            let (kind, id) = subject.parts();
            let request = ListTuplesForSubject::new(kind, id);
            pages(first, all, |page| store.list_tuples_for_subject(request.clone().page(page))).await?
        }
        (None, Some(object)) => {
            let (kind, id) = object.parts();
            let mut request = ListTuplesForObject::new(kind, id);
            request.relation.clone_from(&args.relation);
            pages(first, all, |page| store.list_tuples_for_object(request.clone().page(page))).await?
        }
        (None, None) => return Err(Failure::usage("give --subject or --object")),
    };
    listed(&page)
}

fn listed(page: &Page<Tuple>) -> Result<Answer, Failure> {
    Ok(Answer::new(page, table(&page.data))?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

/// Tuples as a table.
pub(super) fn table(tuples: &[Tuple]) -> Table {
    let row = |tuple: &Tuple| {
        vec![
            typed(tuple.key.subject),
            tuple.key.relation.to_string(),
            typed(tuple.key.object),
            tuple.org_id.map(|org| org.to_string()).unwrap_or_default(),
            tuple.expires_at.map(to_the_second).unwrap_or_default(),
            tuple.id.to_string(),
        ]
    };
    Table::new(TUPLES, tuples.iter().map(row))
}

fn record(tuple: &Tuple) -> Record {
    let Tuple { id, key, org_id, created_at, created_by, expires_at } = tuple;
    Record::new()
        .with("id", id)
        .with("subject", typed(key.subject))
        .with("relation", &key.relation)
        .with("object", typed(key.object))
        .with_some("org_id", *org_id)
        .with("created_at", created_at)
        .with_some("created_by", *created_by)
        .with_some("expires_at", *expires_at)
}

/// As it can be typed: users and organizations by the ids that other commands show.
pub(super) fn typed(entity: EntityRef) -> String {
    let user = entity.as_user().map(|user| user.to_string());
    user.or_else(|| entity.as_org().map(|org| org.to_string())).unwrap_or_else(|| entity.to_string())
}

pub(super) async fn check(args: &CheckArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let ruled = args.rules.as_deref().map(read_rules).transpose()?.map(|rules| store.with_rules(Arc::new(rules)));
    let store = ruled.as_deref().unwrap_or(store);
    let (subject, object) = (args.subject.parts(), args.object.parts());
    let checked = if args.relations.contains(',') {
        store.check_any(CheckAny::new(subject, args.relations.split(','), object)).await?
    } else {
        store.check(CheckOne::new(subject, &args.relations, object)).await?
    };
    let exit = if checked.allowed { Exit::Done } else { Exit::Refused };
    Ok(Answer::new(&checked, vec![verdict(checked)])?.ends_with(exit))
}

/// What a check says to people.
pub(super) fn verdict(checked: Checked) -> String {
    match checked.matched_tuple_id {
        Some(tuple) if checked.allowed => format!("allowed by {tuple}"),
        _ if checked.allowed => "allowed".to_owned(),
        _ => "denied".to_owned(),
    }
}

fn read_rules(path: &Path) -> Result<Rules, Failure> {
    let text = std::fs::read(path).map_err(|error| cannot_read(path, &error))?;
    let wrong = |what: &dyn std::fmt::Display| Failure::Rules(format!("the rules in `{}` cannot be used: {what}", path.display()));
    let value: Value = serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
    Rules::parse(&value).map_err(|error| wrong(&error))
}
