//! Places of rows in the order of the rows' ids, in runs that are short enough to insert into.

use super::table::Place;

/// The longest run; one that gets longer is cut in two.
const RUN: usize = 1024;

/// Places in the order of what stands there, which the caller tells: here are the places alone. Most organizations are small, and
/// have one owner, so that the small ones take no more room than they must.
#[derive(Debug, Default)]
pub(super) enum Places {
    #[default]
    None,
    One(Place),
    Few(Vec<Place>),
    /// Each with at least one place.
    Runs(Vec<Vec<Place>>),
}

impl Places {
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn insert<K: Ord>(&mut self, place: Place, id_at: impl Fn(Place) -> Option<K> + Copy) {
        let Some(id) = id_at(place) else { return };
        match self {
            Self::None => *self = Self::One(place),
            Self::One(there) if *there == place => {}
            Self::One(there) => {
                let rises = id_at(*there).is_some_and(|there| there < id);
                *self = Self::Few(if rises { vec![*there, place] } else { vec![place, *there] });
            }
            Self::Few(run) => {
                insert(run, place, &id, id_at);
                if run.len() > RUN {
                    let rest = run.split_off(RUN);
                    *self = Self::Runs(vec![std::mem::take(run), rest]);
                }
            }
            Self::Runs(runs) => {
                let index = run_of(runs, &id, id_at);
                let Some(run) = runs.get_mut(index) else { return };
                insert(run, place, &id, id_at);
                if run.len() > RUN {
                    // New ids are usually the highest: then the run stays full, and the next one begins.
                    let keep = if run.last() == Some(&place) { RUN } else { run.len() / 2 };
                    let rest = run.split_off(keep);
                    runs.insert(index + 1, rest);
                }
            }
        }
    }

    pub(super) fn remove<K: Ord>(&mut self, place: Place, id_at: impl Fn(Place) -> Option<K> + Copy) {
        let Some(id) = id_at(place) else { return };
        match self {
            Self::One(there) if *there == place => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Few(run) => {
                remove(run, place, &id, id_at);
                if run.is_empty() {
                    *self = Self::None;
                }
            }
            Self::Runs(runs) => {
                let index = run_of(runs, &id, id_at);
                let Some(run) = runs.get_mut(index) else { return };
                remove(run, place, &id, id_at);
                if run.is_empty() {
                    runs.remove(index);
                }
                if runs.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    /// The places behind an id.
    pub(super) fn after<K: Ord + Copy>(&self, after: Option<K>, id_at: impl Fn(Place) -> Option<K> + Copy) -> impl Iterator<Item = Place> {
        let behind = |run: &[Place]| {
            let is_before = |place: &Place| after.is_some_and(|after| id_at(*place).is_some_and(|id| id <= after));
            run.partition_point(is_before)
        };
        let (one, few, runs): (&[Place], &[Place], &[Vec<Place>]) = match self {
            Self::None => (&[], &[], &[]),
            Self::One(place) => (std::slice::from_ref(place), &[], &[]),
            Self::Few(run) => (&[], run, &[]),
            Self::Runs(runs) => {
                let index = after.map_or(0, |after| run_of(runs, &after, id_at));
                let (first, rest) =
                    runs.get(index..).and_then(<[_]>::split_first).map_or((&[][..], &[][..]), |(first, rest)| (&**first, rest));
                (&[], first, rest)
            }
        };
        let (skip_one, skip_few) = (behind(one), behind(few));
        one.iter().skip(skip_one).chain(few.iter().skip(skip_few)).chain(runs.iter().flatten()).copied()
    }
}

/// The run in which this id is, or would be.
fn run_of<K: Ord>(runs: &[Vec<Place>], id: &K, id_at: impl Fn(Place) -> Option<K>) -> usize {
    let begins_before = |run: &Vec<Place>| run.first().and_then(|place| id_at(*place)).is_some_and(|first| first <= *id);
    runs.partition_point(begins_before).saturating_sub(1)
}

fn insert<K: Ord>(run: &mut Vec<Place>, place: Place, id: &K, id_at: impl Fn(Place) -> Option<K>) {
    let before = run.partition_point(|other| id_at(*other).is_some_and(|other| other < *id));
    if run.get(before) != Some(&place) {
        run.insert(before, place);
    }
}

fn remove<K: Ord>(run: &mut Vec<Place>, place: Place, id: &K, id_at: impl Fn(Place) -> Option<K>) {
    let before = run.partition_point(|other| id_at(*other).is_some_and(|other| other < *id));
    if run.get(before) == Some(&place) {
        run.remove(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_in_the_order_of_what_stands_there() {
        // Ids that come in any order, and in rising order, over several runs.
        for factor in [1, 7_919] {
            let id_at = |place: Place| Some(u64::from(place) * factor % 10_007);
            let mut places = Places::default();
            let mut wanted: Vec<Place> = (0..5_000).collect();
            for place in &wanted {
                places.insert(*place, id_at);
                places.insert(*place, id_at);
            }
            wanted.sort_by_key(|place| id_at(*place));
            assert!(places.after(None, id_at).eq(wanted.iter().copied()));
            assert!(matches!(&places, Places::Runs(runs) if runs.iter().all(|run| !run.is_empty() && run.len() <= RUN)));
            for after in [0, 1, 500, 4_999, 9_999, 20_000] {
                let behind = wanted.iter().copied().filter(|place| id_at(*place) > Some(after));
                assert!(places.after(Some(after), id_at).eq(behind), "{after}");
            }
            for place in (0..5_000).filter(|place| place % 3 != 0) {
                places.remove(place, id_at);
                places.remove(place, id_at);
            }
            wanted.retain(|place| place % 3 == 0);
            assert!(places.after(None, id_at).eq(wanted.iter().copied()));
            for place in wanted {
                places.remove(place, id_at);
            }
            assert!(places.is_empty());
        }
    }
}
