//! Rows by id, compactly: the rows stand one behind the other, and what finds them holds nothing but their places.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Something with an id.
pub(super) trait Keyed {
    type Key: Copy + Eq + Hash;

    fn key(&self) -> Self::Key;
}

/// Where a row stands. There are never as many rows as it can count: each takes dozens of bytes.
pub(super) type Place = u32;

/// Rows that are found by their ids, in no order.
pub(super) struct Table<T> {
    rows: Vec<Option<T>>,
    /// Places that became free.
    free: Vec<Place>,
    places: HashTable<Place>,
    hasher: RandomState,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), free: Vec::new(), places: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("rows", &self.places.len()).finish_non_exhaustive()
    }
}

pub(super) fn at<T>(rows: &[Option<T>], place: Place) -> Option<&T> {
    rows.get(usize::try_from(place).ok()?)?.as_ref()
}

impl<T: Keyed> Table<T> {
    pub(super) fn place(&self, key: T::Key) -> Option<Place> {
        let is = |place: &Place| at(&self.rows, *place).is_some_and(|row| row.key() == key);
        self.places.find(self.hasher.hash_one(key), is).copied()
    }

    pub(super) fn row(&self, place: Place) -> Option<&T> {
        at(&self.rows, place)
    }

    pub(super) fn get(&self, key: &T::Key) -> Option<&T> {
        at(&self.rows, self.place(*key)?)
    }

    pub(super) fn get_mut(&mut self, key: &T::Key) -> Option<&mut T> {
        let place = usize::try_from(self.place(*key)?).ok()?;
        self.rows.get_mut(place)?.as_mut()
    }

    pub(super) fn contains(&self, key: &T::Key) -> bool {
        self.place(*key).is_some()
    }

    /// Puts a row in, or in place of the one that has its id; answers where it stands.
    pub(super) fn put(&mut self, row: T) -> Place {
        if let Some(place) = self.place(row.key()) {
            if let Some(there) = usize::try_from(place).ok().and_then(|place| self.rows.get_mut(place)) {
                *there = Some(row);
            }
            return place;
        }
        let hash = self.hasher.hash_one(row.key());
        let place = if let Some(place) = self.free.pop() {
            place
        } else {
            self.rows.push(None);
            Place::try_from(self.rows.len() - 1).unwrap_or(Place::MAX)
        };
        if let Some(empty) = usize::try_from(place).ok().and_then(|place| self.rows.get_mut(place)) {
            *empty = Some(row);
        }
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.places.insert_unique(hash, place, |place| at(rows, *place).map_or(0, |row| hasher.hash_one(row.key())));
        place
    }

    pub(super) fn remove(&mut self, key: &T::Key) -> Option<T> {
        let is = |place: &Place| at(&self.rows, *place).is_some_and(|row| row.key() == *key);
        let (place, _) = self.places.find_entry(self.hasher.hash_one(*key), is).ok()?.remove();
        self.free.push(place);
        self.rows.get_mut(usize::try_from(place).ok()?)?.take()
    }

    /// Every row, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flatten()
    }
}
