//! Organizations and what is below them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ListChildren, TenancyStore};
use crate::entity::Organization;
use crate::error::{BackendError, BackendKind, DomainError, Error};
use crate::id::OrgId;
use crate::page::{Page, PageRequest, PageSize};

/// Lists the organizations below one, on every level unless said otherwise, in order of id.
///
/// A page costs a store as much as looking through all that is below takes, so that a large tree is best read with large pages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListDescendants {
    /// The one above.
    pub org_id: OrgId,
    /// Only those at most so many levels below it: 1 to 9, 1 for its children alone.
    pub levels: Option<i64>,
    /// Which page.
    pub page: PageRequest,
}

impl ListDescendants {
    /// All of them, from the start.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, levels: None, page: PageRequest::default() }
    }

    /// Only those at most so many levels below it: 1 to 9.
    #[must_use]
    pub fn levels(mut self, levels: i64) -> Self {
        self.levels = Some(levels);
        self
    }

    /// Which page.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// An organization below the one that was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Descendant {
    /// The organization.
    #[serde(flatten)]
    pub org: Organization,
    /// How many levels below the one asked about it is: 1 for its children.
    pub level: usize,
}

impl Descendant {
    pub(crate) fn below(above: OrgId, org: Organization) -> Self {
        let level = org.ancestors.iter().rev().take_while(|id| **id != above).count() + 1;
        Self { org, level }
    }
}

/// Lists the other children of an organization's parent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListSiblings {
    /// The organization whose siblings they are.
    pub org_id: OrgId,
    /// Which page.
    pub page: PageRequest,
}

impl ListSiblings {
    /// All of them, from the start.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, page: PageRequest::default() }
    }

    /// Which page.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Reads an organization with all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadTree {
    /// The one on top.
    pub org_id: OrgId,
    /// Only those at most so many levels below it: 1 to 9.
    pub levels: Option<i64>,
    /// The most organizations below it; a tree with more is refused with `invalid_format.levels`.
    pub at_most: usize,
}

impl ReadTree {
    /// The most organizations below the one on top, unless said otherwise. One takes some 400 bytes, and what its texts and metadata do.
    pub const AT_MOST: usize = 100_000;

    /// The whole tree below an organization.
    pub const fn new(org_id: OrgId) -> Self {
        Self { org_id, levels: None, at_most: Self::AT_MOST }
    }

    /// Only those at most so many levels below it: 1 to 9.
    #[must_use]
    pub const fn levels(mut self, levels: i64) -> Self {
        self.levels = Some(levels);
        self
    }

    /// At most so many organizations below it.
    #[must_use]
    pub const fn at_most(mut self, orgs: usize) -> Self {
        self.at_most = orgs;
        self
    }
}

/// An organization with all below it. As JSON `{"org": {..}, "children": [..]}`.
///
/// ```
/// use tenantry_core::{Error, OrgId, OrgTree, ReadTree, TenancyStore};
///
/// fn draw(tree: &OrgTree, level: usize) {
///     println!("{:indent$}{:?}", "", tree.org.name, indent = 2 * level);
///     for child in &tree.children {
///         draw(child, level + 1);
///     }
/// }
///
/// async fn show(store: &dyn TenancyStore, acme: OrgId) -> Result<(), Error> {
///     let tree = store.org_tree(ReadTree::new(acme).levels(3)).await?;
///     draw(&tree, 0);
///     println!("{} organizations", tree.orgs().count());
///     Ok(())
/// }
/// # let _ = show;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrgTree {
    /// The one on top.
    pub org: Organization,
    /// Those right below it, in order of id, each with what is below it.
    pub children: Vec<OrgTree>,
}

impl OrgTree {
    /// Puts each organization below its parent; one whose parent is not among them is on top. In order of id, and each but once.
    pub fn grow(orgs: impl IntoIterator<Item = Organization>) -> Vec<Self> {
        let rows: BTreeMap<OrgId, Organization> = orgs.into_iter().map(|org| (org.id, org)).collect();
        let known: BTreeSet<OrgId> = rows.keys().copied().collect();
        let mut below: BTreeMap<Option<OrgId>, Vec<Organization>> = BTreeMap::new();
        for org in rows.into_values() {
            below.entry(org.parent_id.filter(|parent| known.contains(parent))).or_default().push(org);
        }
        Self::take(None, &mut below)
    }

    /// As deep as trees are, which is ten levels.
    fn take(parent: Option<OrgId>, below: &mut BTreeMap<Option<OrgId>, Vec<Organization>>) -> Vec<Self> {
        let orgs = below.remove(&parent).unwrap_or_default();
        orgs.into_iter().map(|org| Self { children: Self::take(Some(org.id), below), org }).collect()
    }

    /// All organizations of the tree, each before those below it.
    pub fn orgs(&self) -> impl Iterator<Item = &Organization> {
        let mut next = vec![self];
        std::iter::from_fn(move || {
            let tree = next.pop()?;
            next.extend(tree.children.iter().rev());
            Some(&tree.org)
        })
    }
}

/// How often a tree is read anew when organizations moved while it was read.
const TRIES: usize = 5;

/// What [`TenancyStore::org_tree`] does: page by page, so that a tree takes no operation of a store's own. Pages are of several moments,
/// and what was moved between two of them may be without its parent: then all of it is read again.
pub(super) async fn read<S: TenancyStore + ?Sized>(store: &S, request: ReadTree) -> Result<OrgTree, Error> {
    let ReadTree { org_id, levels, at_most } = request;
    for _ in 0..TRIES {
        let mut orgs = vec![store.get_org(org_id).await?];
        let mut cursor = None;
        loop {
            let page = PageRequest::after_optional(cursor).limit(PageSize::MAX);
            let Page { data, next_cursor } = store.list_descendants(ListDescendants { org_id, levels, page }).await?;
            orgs.extend(data.into_iter().map(|below| below.org));
            if orgs.len() - 1 > at_most {
                return Err(DomainError::format("levels", "fewer levels: there are more organizations below than may be read").into());
            }
            cursor = next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        if let Some(tree) = whole(org_id, orgs) {
            return Ok(tree);
        }
    }
    Err(BackendError::new(BackendKind::Retryable, "organizations were moved each time that the tree was read").into())
}

/// The tree of these organizations, where each of them has its place below this one.
fn whole(org_id: OrgId, orgs: Vec<Organization>) -> Option<OrgTree> {
    let count = orgs.len();
    let mut trees = OrgTree::grow(orgs).into_iter();
    let tree = trees.next().filter(|tree| tree.org.id == org_id && trees.next().is_none())?;
    // Rows of several moments may lie below each other, out of reach from the top.
    (tree.orgs().count() == count).then_some(tree)
}

/// What [`TenancyStore::list_siblings`] does.
pub(super) async fn siblings<S: TenancyStore + ?Sized>(store: &S, request: ListSiblings) -> Result<Page<Organization>, Error> {
    let ListSiblings { org_id, page } = request;
    let Some(parent) = store.get_org(org_id).await?.parent_id else {
        // No page of a root's has a next one.
        return if page.cursor.is_none() { Ok(Page::whole(Vec::new())) } else { Err(DomainError::InvalidCursor.into()) };
    };
    let mut page = store.list_children(ListChildren { org_id: parent, page }).await?;
    page.data.retain(|org| org.id != org_id);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::entity::OrgStatus;
    use crate::value::Metadata;
    use uuid::Uuid;

    fn id(number: u128) -> OrgId {
        OrgId::from_uuid(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0000 + number)).expect("an id")
    }

    fn org(number: u128, parent: Option<u128>) -> Organization {
        let now = Timestamp::from_micros(0).expect("a time");
        Organization {
            id: id(number),
            parent_id: parent.map(id),
            status: OrgStatus::Active,
            name: None,
            slug: None,
            cascade_permissions: true,
            inherit_permissions: true,
            seat_limit: None,
            external_id: None,
            metadata: Metadata::default(),
            revision: 1,
            created_at: now,
            updated_at: now,
            ancestors: Vec::new(),
            structure_revision: 0,
        }
    }

    fn drawn(tree: &OrgTree) -> String {
        let below: String = tree.children.iter().map(drawn).collect();
        format!("{}({below})", tree.org.id.as_uuid().as_u128() & 0xff)
    }

    #[test]
    fn each_stands_below_its_parent_in_order_of_id() {
        let rows = [org(9, Some(2)), org(1, None), org(5, Some(2)), org(2, Some(1)), org(3, Some(1)), org(4, Some(9))];
        let tree = whole(id(1), rows.to_vec()).expect("a tree");
        assert_eq!(drawn(&tree), "1(2(5()9(4()))3())");
        let orgs: Vec<_> = tree.orgs().map(|org| org.id.as_uuid().as_u128() & 0xff).collect();
        assert_eq!(orgs, [1, 2, 5, 9, 4, 3]);
    }

    #[test]
    fn rows_of_several_moments_that_make_no_tree_are_none() {
        let on_top = org(1, Some(7));
        assert!(whole(id(1), vec![on_top.clone()]).is_some(), "what it stands below itself does not matter");
        for (rows, why) in [
            (vec![org(3, Some(4))], "a parent that came behind the page that it would have been on"),
            (vec![org(2, Some(3)), org(3, Some(2))], "each was read below the other"),
            (vec![org(2, Some(1)), org(2, Some(1))], "a row twice"),
            (vec![org(2, None)], "a row that is on top"),
        ] {
            let rows = [on_top.clone()].into_iter().chain(rows).collect();
            assert_eq!(whole(id(1), rows), None, "{why}");
        }
        assert_eq!(whole(id(2), vec![on_top]), None, "another one on top");
    }

    #[test]
    fn several_trees_may_be_grown_at_once() {
        let forest = OrgTree::grow([org(5, Some(9)), org(2, None), org(3, Some(2)), org(1, None), org(9, Some(1))]);
        assert_eq!(forest.iter().map(drawn).collect::<String>(), "1(9(5()))2(3())");
    }
}
