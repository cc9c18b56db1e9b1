//! What the commands do. Each calls the library and gives back an [`Answer`]; none writes anything itself.

pub(crate) mod batch;
mod changes;
mod import;
mod member;
pub(crate) mod migrate;
mod names;
mod org;
pub(crate) mod quickstart;
mod user;

use tenantry::{Error, OrgId, Page, PageRequest, PageSize, TenancyStore, Timestamp};

use crate::args::{DataCommand, OrgRef};
use crate::failure::Failure;
use crate::output::Answer;

/// What a command may use beside the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    /// People read the answer, so that names are worth being looked up.
    pub(crate) for_people: bool,
    /// The standard input is not taken by a batch.
    pub(crate) stdin_free: bool,
}

/// Runs one command on the data.
pub(crate) async fn run(command: DataCommand, store: &dyn TenancyStore, around: Surroundings) -> Result<Answer, Failure> {
    match command {
        DataCommand::Org(command) => org::run(command, store).await,
        DataCommand::Member(command) => member::run(command, store, around.for_people).await,
        DataCommand::User(command) => user::run(command, store).await,
        DataCommand::Changes(args) => changes::run(args, store).await,
        DataCommand::Event { event_id } => changes::event(event_id, store).await,
        DataCommand::Import(args) => import::run(&args, store, around.stdin_free).await,
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
