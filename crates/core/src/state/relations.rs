//! Stored tuples: by id, and by what they say.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::table::{Keyed, Place, Table};
use crate::id::{OrgId, TupleId};
use crate::tuple::{Tuple, TupleKey};

impl Keyed for Tuple {
    type Key = TupleId;

    fn key(&self) -> TupleId {
        self.id
    }
}

/// Every stored tuple.
#[derive(Default)]
pub(super) struct Relations {
    rows: Table<Tuple>,
    /// Places by what the tuple says, whatever its scope: there are rarely several scopes.
    by_key: HashTable<Place>,
    hasher: RandomState,
}

impl fmt::Debug for Relations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relations").field("tuples", &self.by_key.len()).finish_non_exhaustive()
    }
}

impl Relations {
    pub(super) fn get(&self, id: &TupleId) -> Option<&Tuple> {
        self.rows.get(id)
    }

    pub(super) fn contains(&self, id: &TupleId) -> bool {
        self.rows.contains(id)
    }

    /// Those that say this, each in a scope of its own.
    pub(super) fn saying(&self, key: &TupleKey) -> impl Iterator<Item = &Tuple> {
        let same = self.by_key.iter_hash(self.hasher.hash_one(key)).filter_map(|place| self.rows.row(*place));
        same.filter(move |tuple| tuple.key == *key)
    }

    /// The one that says this in a scope, or without one.
    pub(super) fn at(&self, key: &TupleKey, scope: Option<OrgId>) -> Option<&Tuple> {
        let is = |place: &Place| self.rows.row(*place).is_some_and(|tuple| tuple.org_id == scope && tuple.key == *key);
        self.rows.row(*self.by_key.find(self.hasher.hash_one(key), is)?)
    }

    /// Every tuple, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &Tuple> {
        self.rows.values()
    }

    /// Puts in a tuple whose id is not there.
    pub(super) fn put(&mut self, tuple: Tuple) {
        let hash = self.hasher.hash_one(&tuple.key);
        let place = self.rows.put(tuple);
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.by_key.insert_unique(hash, place, |place| rows.row(*place).map_or(0, |tuple| hasher.hash_one(&tuple.key)));
    }

    pub(super) fn remove(&mut self, id: &TupleId) -> Option<Tuple> {
        let place = self.rows.place(*id)?;
        let hash = self.hasher.hash_one(&self.rows.row(place)?.key);
        if let Ok(entry) = self.by_key.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.rows.remove(id)
    }
}
