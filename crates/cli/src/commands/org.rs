//! `tenantry org ...`

use indicatif::ProgressBar;
use serde::Serialize;
use tenantry::{
    AccessChange, CreateOrg, CreatedOrg, Descendant, ListDescendants, ListOrgs, ListSiblings, MoveOrg, OrgId, OrgStatus, OrgTree,
    Organization, Page, PageRequest, PageSize, PermissionSlug, PreviewMoveOrg, ReadTree, ReinstateOrg, RevokeOrg, SuspendOrg, TenancyStore,
    UpdateOrg,
};

use super::{all_pages, compact, next_page, org_id, pages, patch};
use crate::args::{CreateOrgArgs, ListOrgsArgs, MoveOrgArgs, OrgCommand, OrgRef, UpdateOrgArgs};
use crate::failure::Failure;
use crate::output::{Answer, Branch, Output, Record, Table};
use crate::progress;

const HEAD: &[&str] = &["name", "slug", "status", "revision", "organization", "parent"];
const HEAD_BELOW: &[&str] = &["level", "name", "slug", "status", "revision", "organization", "parent"];

pub(super) async fn run(command: OrgCommand, store: &dyn TenancyStore, for_people: bool) -> Result<Answer, Failure> {
    match command {
        OrgCommand::Create(args) => create(args, store).await,
        OrgCommand::Show(args) => answer(&match &args.org {
            OrgRef::Id(id) => store.get_org(*id).await?,
            OrgRef::Slug(slug) => store.get_org_by_slug(slug).await?,
        }),
        OrgCommand::Path { org, nearest_first } => {
            let mut path = store.get_org_path(org_id(store, &org.org).await?).await?;
            if nearest_first {
                path.data.reverse();
            }
            let live = if path.live { "live" } else { "not live: it, or one above it, is not active" };
            Ok(Answer::new(&path, table(&path.data))?.note(Some(live.to_owned())))
        }
        OrgCommand::List(args) => list(args, store).await,
        OrgCommand::Tree { org, levels } => {
            let root = match &org {
                Some(org) => Some(org_id(store, org).await?),
                None => None,
            };
            let sign = if for_people { progress::spinner("{spinner} reading organizations") } else { ProgressBar::hidden() };
            let forest = match root {
                Some(root) => Forest::below(store, root, levels).await,
                None => Forest::all(store).await,
            };
            sign.finish_and_clear();
            let forest = forest?;
            Answer::new(&forest, forest.branches())
        }
        OrgCommand::Update(args) => update(args, store).await,
        OrgCommand::Move(args) => {
            let request = move_request(&args, store).await?;
            if args.dry_run {
                return dry_run(&request, store).await;
            }
            answer(&store.move_org(request).await?)
        }
        OrgCommand::Suspend(args) => answer(&store.suspend_org(SuspendOrg::new(org_id(store, &args.org).await?)).await?),
        OrgCommand::Reinstate(args) => answer(&store.reinstate_org(ReinstateOrg::new(org_id(store, &args.org).await?)).await?),
        OrgCommand::Revoke(args) => answer(&store.revoke_org(RevokeOrg::new(org_id(store, &args.org).await?)).await?),
    }
}

async fn move_request(args: &MoveOrgArgs, store: &dyn TenancyStore) -> Result<MoveOrg, Failure> {
    let mut request = MoveOrg::to_top(org_id(store, &args.org.org).await?);
    if let Some(to) = &args.place.to {
        request.new_parent_id = Some(org_id(store, to).await?);
    }
    Ok(request)
}

async fn next_changes(request: &MoveOrg, cursor: Option<String>, store: &dyn TenancyStore) -> Result<Page<AccessChange>, Failure> {
    let page = PageRequest::after_optional(cursor).limit(PageSize::MAX);
    Ok(store.preview_move_org(PreviewMoveOrg::new(request).page(page)).await?)
}

fn changes_table(changes: &[AccessChange]) -> Table {
    let slugs = |slugs: &[PermissionSlug]| slugs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let row = |row: &AccessChange| vec![row.org_id.to_string(), row.usr_id.to_string(), slugs(&row.gained), slugs(&row.lost)];
    Table::new(&["organization", "user", "gains", "loses"], changes.iter().map(row))
}

const NOTHING_MOVED: &str = "a dry run: nothing was moved";

/// What a move would change, as one answer, for a line of a batch.
async fn dry_run(request: &MoveOrg, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let mut page = next_changes(request, None, store).await?;
    while let Some(cursor) = page.next_cursor.take() {
        let more = next_changes(request, Some(cursor), store).await?;
        page.data.extend(more.data);
        page.next_cursor = more.next_cursor;
    }
    Ok(Answer::new(&page, changes_table(&page.data))?.note(Some(NOTHING_MOVED.to_owned())))
}

/// What a move would change, written as it is read: of a large tree it may be much.
pub(super) async fn dry_run_to_output(args: &MoveOrgArgs, store: &dyn TenancyStore, output: &mut Output<'_>) -> Result<(), Failure> {
    let request = move_request(args, store).await?;
    let sign = if output.is_terminal() { ProgressBar::hidden() } else { progress::spinner("{spinner} {pos} changes of access so far") };
    let mut page = next_changes(&request, None, store).await?;
    let mut shown = false;
    loop {
        let cursor = page.next_cursor.take();
        // A page may be empty and have a next one: that there is nothing is said at the end.
        if !page.data.is_empty() || (cursor.is_none() && !shown) {
            output.rows(&page.data, &changes_table(&page.data).continued(shown))?;
            shown = true;
        }
        sign.inc(u64::try_from(page.data.len()).unwrap_or(u64::MAX));
        let Some(cursor) = cursor else { break };
        page = next_changes(&request, Some(cursor), store).await?;
    }
    sign.finish_and_clear();
    output.note(NOTHING_MOVED);
    Ok(())
}

async fn create(args: CreateOrgArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let CreateOrgArgs { creator, name, slug, parent, no_cascade, no_inherit } = args;
    let mut request = CreateOrg::new(creator);
    request.name = name;
    request.slug = slug;
    if let Some(parent) = parent {
        request.parent_id = Some(org_id(store, &parent).await?);
    }
    request.cascade_permissions = !no_cascade;
    request.inherit_permissions = !no_inherit;
    created(&store.create_org(request).await?)
}

pub(super) fn created(created: &CreatedOrg) -> Result<Answer, Failure> {
    let CreatedOrg { org, owner_membership, .. } = created;
    Answer::new(created, record(org).with("owner_membership", owner_membership.id).with("owner", owner_membership.usr_id))
}

async fn list(args: ListOrgsArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let ListOrgsArgs { status, query, under, levels, beside, paging } = args;
    if let Some(org) = under {
        let mut request = ListDescendants::new(org_id(store, &org).await?);
        request.levels = levels;
        let page = pages(paging.first(), paging.all, |page| store.list_descendants(request.clone().page(page))).await?;
        return Ok(Answer::new(&page, table_below(&page.data))?.note(next_page(page.next_cursor.as_ref(), "--cursor")));
    }
    let page = if let Some(org) = beside {
        let request = ListSiblings::new(org_id(store, &org).await?);
        pages(paging.first(), paging.all, |page| store.list_siblings(request.clone().page(page))).await?
    } else {
        let mut request = ListOrgs::new();
        (request.status, request.query) = (status, query);
        pages(paging.first(), paging.all, |page| store.list_orgs(request.clone().page(page))).await?
    };
    Ok(Answer::new(&page, table(&page.data))?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

async fn update(args: UpdateOrgArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let mut request = UpdateOrg::new(org_id(store, &args.org.org).await?);
    request.name = patch(args.name, args.clear_name);
    request.slug = patch(args.slug, args.clear_slug);
    request.cascade_permissions = args.cascade;
    request.inherit_permissions = args.inherit;
    request.seat_limit = patch(args.seat_limit, args.no_seat_limit);
    request.external_id = patch(args.external_id, args.no_external_id);
    request.metadata = patch(args.metadata, false);
    answer(&store.update_org(request).await?)
}

pub(super) fn answer(org: &Organization) -> Result<Answer, Failure> {
    Answer::new(org, record(org))
}

pub(super) fn record(org: &Organization) -> Record {
    let Organization {
        id,
        parent_id,
        status,
        name,
        slug,
        cascade_permissions,
        inherit_permissions,
        seat_limit,
        external_id,
        metadata,
        revision,
        created_at,
        updated_at,
        ancestors: _,
        structure_revision: _,
    } = org;
    Record::new()
        .with("id", id)
        .with_some("parent_id", *parent_id)
        .with("status", status)
        .with_some("name", name.as_ref())
        .with_some("slug", slug.as_ref())
        .with("cascade_permissions", cascade_permissions)
        .with("inherit_permissions", inherit_permissions)
        .with_some("seat_limit", *seat_limit)
        .with_some("external_id", external_id.as_ref())
        .with("metadata", compact(&metadata.to_value()))
        .with("revision", revision)
        .with("created_at", created_at)
        .with("updated_at", updated_at)
}

pub(super) fn table(orgs: &[Organization]) -> Table {
    Table::new(HEAD, orgs.iter().map(cells))
}

fn table_below(rows: &[Descendant]) -> Table {
    Table::new(HEAD_BELOW, rows.iter().map(|row| std::iter::once(row.level.to_string()).chain(cells(&row.org)).collect()))
}

fn cells(org: &Organization) -> Vec<String> {
    vec![
        text(org.name.as_ref()),
        text(org.slug.as_ref()),
        org.status.to_string(),
        org.revision.to_string(),
        org.id.to_string(),
        text(org.parent_id.as_ref()),
    ]
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// Organizations with those below them. As JSON a list of `{"org": ..., "children": [...]}`.
#[derive(Debug, Serialize)]
pub(super) struct Forest {
    data: Vec<OrgTree>,
}

impl Forest {
    /// One organization with what is so many levels below it, or all of it: as much as there is, since it is all written in the end.
    pub(super) async fn below(store: &dyn TenancyStore, root: OrgId, levels: Option<i64>) -> Result<Self, Failure> {
        let mut request = ReadTree::new(root).at_most(usize::MAX);
        request.levels = levels;
        Ok(Self { data: vec![store.org_tree(request).await?] })
    }

    /// All organizations.
    async fn all(store: &dyn TenancyStore) -> Result<Self, Failure> {
        Ok(Self { data: OrgTree::grow(all_pages(|page| store.list_orgs(ListOrgs::new().page(page))).await?) })
    }

    /// The organizations, each before those below it.
    pub(super) fn orgs(&self) -> Vec<&Organization> {
        self.data.iter().flat_map(OrgTree::orgs).collect()
    }

    pub(super) fn branches(&self) -> Vec<Branch> {
        fn branch(tree: &OrgTree) -> Branch {
            let OrgTree { org, children, .. } = tree;
            let name = org.name.as_ref().map_or_else(|| "(no name)".to_owned(), ToString::to_string);
            // Active is what organizations are, so that only the others are worth a word to people.
            let status = if org.status == OrgStatus::Active { String::new() } else { org.status.to_string() };
            let cells = vec![name, text(org.slug.as_ref()), org.id.to_string(), status];
            Branch { cells, below: children.iter().map(branch).collect() }
        }
        self.data.iter().map(branch).collect()
    }
}
