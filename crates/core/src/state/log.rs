//! Events, in the order of commits.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::table::Place;
use crate::event::Event;
use crate::id::{EventId, OrgId};

/// Every event: those of each organization by revision, and all of them one behind the other.
#[derive(Default)]
pub(super) struct Log {
    all: Vec<Event>,
    by_id: HashTable<Place>,
    /// Revision 1 first.
    of_org: HashMap<OrgId, Revisions, RandomState>,
    hasher: RandomState,
}

/// The places of an organization's events. Most have a few.
#[derive(Debug)]
enum Revisions {
    One(Place),
    Many(Vec<Place>),
}

impl Revisions {
    fn places(&self) -> &[Place] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }

    fn push(&mut self, place: Place) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, place]),
            Self::Many(places) => places.push(place),
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("events", &self.all.len()).finish_non_exhaustive()
    }
}

fn at(all: &[Event], place: Place) -> Option<&Event> {
    all.get(usize::try_from(place).ok()?)
}

impl Log {
    fn place(&self, id: EventId) -> Option<Place> {
        let is = |place: &Place| at(&self.all, *place).is_some_and(|event| event.id == id);
        self.by_id.find(self.hasher.hash_one(id), is).copied()
    }

    pub(super) fn get(&self, id: EventId) -> Option<&Event> {
        at(&self.all, self.place(id)?)
    }

    /// How many events an organization has.
    pub(super) fn revision(&self, org: OrgId) -> u64 {
        self.of_org.get(&org).map_or(0, |events| u64::try_from(events.places().len()).unwrap_or(u64::MAX))
    }

    /// Those of an organization behind a revision.
    pub(super) fn of_org(&self, org: OrgId, after: u64) -> impl Iterator<Item = &Event> {
        let behind = usize::try_from(after).unwrap_or(usize::MAX);
        self.of_org.get(&org).into_iter().flat_map(Revisions::places).skip(behind).filter_map(|place| at(&self.all, *place))
    }

    /// All of them behind one; nothing when there is no such event.
    pub(super) fn behind(&self, after: Option<EventId>) -> Option<impl Iterator<Item = &Event>> {
        let start = match after {
            None => 0,
            Some(id) => usize::try_from(self.place(id)?).ok()? + 1,
        };
        Some(self.all.iter().skip(start))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Event> {
        self.all.iter()
    }

    pub(super) fn push(&mut self, event: Event) {
        let place = Place::try_from(self.all.len()).unwrap_or(Place::MAX);
        if let Some(org) = event.org_id.filter(|_| event.revision.is_some()) {
            self.of_org.entry(org).and_modify(|events| events.push(place)).or_insert(Revisions::One(place));
        }
        let hash = self.hasher.hash_one(event.id);
        self.all.push(event);
        let (all, hasher) = (&self.all, &self.hasher);
        self.by_id.insert_unique(hash, place, |place| at(all, *place).map_or(0, |event| hasher.hash_one(event.id)));
    }

    /// Takes the last event back.
    pub(super) fn pop(&mut self) {
        let Some(event) = self.all.pop() else { return };
        let gone = Place::try_from(self.all.len()).unwrap_or(Place::MAX);
        if let Ok(entry) = self.by_id.find_entry(self.hasher.hash_one(event.id), |place| *place == gone) {
            entry.remove();
        }
        if let Some(org) = event.org_id.filter(|_| event.revision.is_some())
            && let Some(places) = self.of_org.get_mut(&org)
        {
            match places {
                Revisions::Many(places) if places.len() > 1 => drop(places.pop()),
                _ => drop(self.of_org.remove(&org)),
            }
        }
    }
}
