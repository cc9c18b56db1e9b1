//! Paging: keyset on the id, with an opaque cursor (spec/paging.md).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use uuid::Uuid;

use crate::error::DomainError;

/// One page of a list, in ascending order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// What to pass to get the next page; `None` exactly when nothing follows.
    pub next_cursor: Option<String>,
}

impl<T: Serialize> Serialize for Page<T> {
    /// The wire form: `{"data": [..], "page": {"next_cursor": ..}}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Position<'a> {
            next_cursor: Option<&'a str>,
        }
        let mut page = serializer.serialize_struct("Page", 2)?;
        page.serialize_field("data", &self.data)?;
        page.serialize_field("page", &Position { next_cursor: self.next_cursor.as_deref() })?;
        page.end()
    }
}

impl<T> Page<T> {
    /// Cuts the rows that a store fetched, one more than asked for if there are more, to a page.
    pub(crate) fn from_rows(mut rows: Vec<T>, limit: PageSize, cursor: impl FnOnce(&T) -> String) -> Self {
        let more = rows.len() > limit.get();
        rows.truncate(limit.get());
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Self { data: rows, next_cursor }
    }

    /// All there is, as one page.
    pub(crate) const fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}

/// Where a list starts and how much of it is wanted.
///
/// ```
/// use tenantry_core::PageRequest;
/// let first = PageRequest::default();           // 50 rows from the start
/// let next = PageRequest::after("…").limit(200);
/// assert_ne!(first, next);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    pub(crate) cursor: Option<String>,
    pub(crate) limit: PageSize,
}

impl PageRequest {
    /// The first page, with 50 rows.
    pub fn first() -> Self {
        Self::default()
    }

    /// The page behind this cursor, which an earlier page of the same list carried.
    pub fn after(cursor: impl Into<String>) -> Self {
        Self { cursor: Some(cursor.into()), limit: PageSize::default() }
    }

    /// The page behind this cursor, or the first without one.
    pub fn after_optional(cursor: Option<String>) -> Self {
        Self { cursor, limit: PageSize::default() }
    }

    /// At most so many rows; any number is brought into 1 to 200.
    #[must_use]
    pub fn limit(mut self, limit: i64) -> Self {
        self.limit = PageSize::clamp(limit);
        self
    }
}

/// How many rows a page has at most: 1 to 200, 50 unless asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u8);

impl PageSize {
    /// The most rows of a page.
    pub const MAX: i64 = 200;

    /// Any number, brought into the bounds.
    pub fn clamp(limit: i64) -> Self {
        Self(u8::try_from(limit.clamp(1, Self::MAX)).unwrap_or(u8::MAX))
    }

    /// The number of rows.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// The number of rows.
    pub(crate) fn rows(self) -> u32 {
        u32::from(self.0)
    }

    /// What a store fetches: one more, which tells whether anything follows.
    pub fn fetch(self) -> u32 {
        u32::from(self.0) + 1
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

/// The list that a cursor belongs to: its kind, and a fingerprint of its scope and filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListKey {
    kind: u8,
    fingerprint: u64,
}

const CURSOR_VERSION: u8 = 1;

impl ListKey {
    /// The key of the list of this kind with these parts of scope and filter, in a fixed order.
    pub(crate) fn new(kind: u8, parts: &[&[u8]]) -> Self {
        Self { kind, fingerprint: fingerprint(parts) }
    }

    /// The cursor behind a row.
    pub(crate) fn cursor(self, last: Uuid) -> String {
        let mut bytes = Vec::with_capacity(26);
        bytes.extend([CURSOR_VERSION, self.kind]);
        bytes.extend(self.fingerprint.to_be_bytes());
        bytes.extend(last.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor behind a row that is known by a text.
    pub(crate) fn cursor_text(self, last: &str) -> String {
        let mut bytes = Vec::with_capacity(10 + last.len());
        bytes.extend([CURSOR_VERSION, self.kind]);
        bytes.extend(self.fingerprint.to_be_bytes());
        bytes.extend(last.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The text that such a cursor stands behind.
    pub(crate) fn open_text(self, cursor: Option<&str>) -> Result<Option<String>, DomainError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (_, last) = bytes.split_at_checked(10)?;
            let last = std::str::from_utf8(last).ok()?.to_owned();
            (self.cursor_text(&last) == cursor).then_some(last)
        };
        if cursor.len() > 256 { None } else { open() }.map(Some).ok_or(DomainError::InvalidCursor)
    }

    /// The row that a cursor stands behind.
    pub(crate) fn open(self, cursor: Option<&str>) -> Result<Option<Uuid>, DomainError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (head, last) = bytes.split_at_checked(10)?;
            let last = Uuid::from_slice(last).ok()?;
            // Written anew and compared as a whole: one cursor has one text.
            (self.cursor(last) == cursor && head.len() == 10).then_some(last)
        };
        // The length is bounded before anything is decoded.
        if cursor.len() > 64 { None } else { open() }.map(Some).ok_or(DomainError::InvalidCursor)
    }
}

/// FNV-1a over length-prefixed parts: stable between versions and machines. It tells lists apart; it protects nothing.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u64 {
    let lengths = |part: &&[u8]| part.len().to_be_bytes();
    let bytes = parts.iter().flat_map(|part| lengths(part).into_iter().chain(part.iter().copied()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_the_list_that_made_it() {
        let row = Uuid::from_u128(42);
        let list = ListKey::new(1, &[b"scope", b"active"]);
        let cursor = list.cursor(row);
        assert_eq!(list.open(Some(&cursor)), Ok(Some(row)));
        assert_eq!(list.open(None), Ok(None));
        for other in [ListKey::new(2, &[b"scope", b"active"]), ListKey::new(1, &[b"scop", b"eactive"]), ListKey::new(1, &[b"scope"])] {
            assert_eq!(other.open(Some(&cursor)), Err(DomainError::InvalidCursor));
        }
        for broken in ["", "x", &cursor[1..], &format!("{cursor}A"), &format!("{cursor}="), &"A".repeat(1 << 20)] {
            assert_eq!(list.open(Some(broken)), Err(DomainError::InvalidCursor));
        }
    }

    #[test]
    fn any_limit_is_brought_into_the_bounds() {
        for (asked, got) in [(i64::MIN, 1), (-1, 1), (0, 1), (1, 1), (200, 200), (201, 200), (i64::MAX, 200)] {
            assert_eq!(PageSize::clamp(asked).get(), got);
        }
    }
}
