//! What the commands do. Each calls the library and gives back an [`Answer`]; none writes anything itself.

mod access;
pub(crate) mod batch;
mod changes;
mod doctor;
mod export;
mod import;
mod invite;
mod lines;
mod member;
pub(crate) mod migrate;
mod names;
mod org;
pub(crate) mod quickstart;
mod review;
mod sample;
mod sweep;
mod tenant;
mod tuple;
mod user;

use tenantry::json::Value;
use tenantry::{Error, OrgId, Page, PageRequest, PageSize, Patch, TenancyStore, Timestamp};

use crate::args::{DataCommand, OrgCommand, OrgRef};
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Output};
use crate::session::Turn;

/// What a command may use beside the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    /// People read the answer, so that names are worth being looked up.
    pub(crate) for_people: bool,
    /// The standard input is not taken by a batch.
    pub(crate) stdin_free: bool,
}

/// Runs one command on the data, which is all that the program does.
pub(crate) async fn run_alone(command: DataCommand, turn: &Turn, around: Surroundings, output: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        DataCommand::Changes(args) if args.which.all => changes::feed(&args, &*turn.store, output).await?,
        DataCommand::Org(OrgCommand::Move(args)) if args.dry_run => org::dry_run_to_output(&args, &*turn.store, output).await?,
        DataCommand::Review(args) => review::to_output(&args, &*turn.store, output).await?,
        DataCommand::Export(args) if args.is_output() => export::to_output(turn, output).await?,
        command => {
            let answer = run(command, turn, around).await?;
            output.answer(None, &answer)?;
            return Ok(answer.exit());
        }
    }
    Ok(Exit::Done)
}

/// Runs one command on the data.
pub(crate) async fn run(command: DataCommand, turn: &Turn, around: Surroundings) -> Result<Answer, Failure> {
    let store = &*turn.store;
    match command {
        DataCommand::Org(command) => org::run(command, store, around.for_people).await,
        DataCommand::Tenant(command) => tenant::run(command, turn).await,
        DataCommand::Member(command) => member::run(command, store, around.for_people).await,
        DataCommand::User(command) => user::run(command, store).await,
        DataCommand::Invite(command) => invite::run(command, turn, around).await,
        DataCommand::Tuple(command) => tuple::run(command, turn).await,
        DataCommand::Check(args) => tuple::check(&args, store).await,
        DataCommand::Can(args) => access::can(&args, store).await,
        DataCommand::WhoCan(args) => access::who_can(&args, store).await,
        DataCommand::WhereCan(args) => access::where_can(&args, store).await,
        DataCommand::Review(args) => review::run(&args, store).await,
        DataCommand::Catalog(command) => access::catalog(command, store).await,
        DataCommand::Permission(command) => access::permission(command, store).await,
        DataCommand::Role(command) => access::role(command, turn).await,
        DataCommand::Group(command) => access::group(command, turn).await,
        DataCommand::Override(command) => access::overrides(command, turn).await,
        DataCommand::Changes(args) => changes::run(&args, store).await,
        DataCommand::Event { event_id } => changes::event(event_id, store).await,
        DataCommand::Import(args) => import::run(&args, store, around.stdin_free).await,
        DataCommand::Export(args) => export::run(&args, turn).await,
        DataCommand::Sweep(args) => sweep::run(&args, store).await,
        DataCommand::Doctor(args) => doctor::run(args, turn).await,
    }
}

/// The id of an organization that was named by its id or its slug.
async fn org_id(store: &dyn TenancyStore, org: &OrgRef) -> Result<OrgId, Failure> {
    match org {
        OrgRef::Id(id) => Ok(*id),
        OrgRef::Slug(slug) => Ok(store.get_org_by_slug(slug).await?.id),
    }
}

/// The page that is asked for, and with `all` those behind it too, as one.
async fn pages<T, F>(first: PageRequest, all: bool, fetch: impl Fn(PageRequest) -> F) -> Result<Page<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    let mut page = fetch(first).await?;
    while let Some(cursor) = page.next_cursor.take_if(|_| all) {
        let next = fetch(PageRequest::after(cursor).limit(PageSize::MAX)).await?;
        page.data.extend(next.data);
        page.next_cursor = next.next_cursor;
    }
    Ok(page)
}

/// All pages of a list.
async fn all_pages<T, F>(fetch: impl Fn(PageRequest) -> F) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    Ok(pages(PageRequest::first().limit(PageSize::MAX), true, fetch).await?.data)
}

/// A note for people where a list goes on.
fn next_page(cursor: Option<&String>, option: &str) -> Option<String> {
    cursor.map(|cursor| format!("there is more: {option} {cursor}"))
}

/// A moment to the second, for tables.
fn to_the_second(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// The change of a field that one option sets and another clears.
fn patch<T>(value: Option<T>, clear: bool) -> Patch<T> {
    match value {
        Some(value) => Patch::Set(value),
        None if clear => Patch::Clear,
        None => Patch::Keep,
    }
}

/// What the application keeps somewhere, as compact JSON.
fn compact(metadata: &Value) -> String {
    serde_json::to_string(metadata).unwrap_or_default()
}
