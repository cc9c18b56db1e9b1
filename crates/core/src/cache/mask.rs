//! Sets of permissions as bits.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::value::PermissionSlug;

/// A set of permissions: a bit for each number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Mask(Box<[u64]>);

impl Mask {
    pub(super) fn of(numbers: &[u32]) -> Self {
        let words = numbers.iter().max().map_or(0, |most| word(*most) + 1);
        let mut mask = vec![0; words];
        for number in numbers {
            if let Some(word) = mask.get_mut(word(*number)) {
                *word |= bit(*number);
            }
        }
        Self(mask.into_boxed_slice())
    }

    /// The bits of the first 64 numbers.
    pub(super) fn first(&self) -> u64 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.0.get(word(number)).is_some_and(|word| word & bit(number) != 0)
    }
}

const fn word(number: u32) -> usize {
    (number / u64::BITS) as usize
}

const fn bit(number: u32) -> u64 {
    1 << (number % u64::BITS)
}

/// The number of each permission that somebody was found to hold. A number is never given away again, so that a mask may outlive
/// whatever it was made from; there are no more of them than the catalog has had entries.
#[derive(Debug, Default)]
pub(super) struct Names(RwLock<HashMap<PermissionSlug, u32, RandomState>>);

impl Names {
    /// None of a permission that nobody was found to hold.
    pub(super) fn number(&self, permission: &str) -> Option<u32> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(permission).copied()
    }

    /// The numbers of these, new ones for those that have none.
    pub(super) fn numbers(&self, permissions: &BTreeSet<PermissionSlug>) -> Vec<u32> {
        let (mut numbers, mut new) = (Vec::with_capacity(permissions.len()), Vec::new());
        {
            let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
            for slug in permissions {
                match names.get(slug) {
                    Some(number) => numbers.push(*number),
                    None => new.push(slug),
                }
            }
        }
        if !new.is_empty() {
            let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
            for slug in new {
                let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                numbers.push(*names.entry(slug.clone()).or_insert(next));
            }
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_what_it_was_made_of() {
        for numbers in [&[][..], &[0], &[63], &[64], &[0, 1, 64, 127, 128, 5000]] {
            let mask = Mask::of(numbers);
            for number in (0..200).chain([4999, 5000, 5001, u32::MAX]) {
                assert_eq!(mask.has(number), numbers.contains(&number), "{number} of {numbers:?}");
            }
        }
    }

    #[test]
    fn a_permission_keeps_its_number() {
        let slugs = |texts: &[&str]| texts.iter().map(|text| PermissionSlug::parse(text).unwrap()).collect();
        let names = Names::default();
        let first = names.numbers(&slugs(&["a.read", "b.read"]));
        assert_eq!(names.numbers(&slugs(&["b.read", "c.read", "a.read"])).len(), 3);
        assert_eq!(names.numbers(&slugs(&["a.read", "b.read"])), first);
        assert_eq!((names.number("a.read"), names.number("d.read")), (first.first().copied(), None));
    }
}
