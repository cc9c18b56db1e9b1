//! Parsed value types: what an entity holds has been checked once, here.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An organization's slug: 1 to 63 bytes of `[a-z0-9-]`, a letter or digit at both ends (spec/organizations.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Box<str>);

impl Slug {
    /// The slug, or `None` when the text does not have the form. Nothing is trimmed or folded.
    ///
    /// ```
    /// use tenantry_core::Slug;
    /// assert!(Slug::parse("acme-2").is_some());
    /// assert!(Slug::parse("acme\n").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends = [*bytes.first()?, *bytes.last()?];
        let fits = bytes.len() <= 63 && ends.into_iter().all(alphanumeric) && bytes.iter().all(|&b| alphanumeric(b) || b == b'-');
        fits.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name shown to people: 1 to 200 characters (Unicode scalar values), none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// The most characters that a name may have.
    pub const MAX_CHARS: usize = 200;

    /// The name, or `None` when the text does not have the form. Nothing is trimmed or normalized.
    pub fn parse(text: &str) -> Option<Self> {
        // The byte length is looked at first, so that a megabyte is refused without being walked.
        let fits = !text.is_empty()
            && text.len() <= Self::MAX_CHARS * 4
            && text.chars().count() <= Self::MAX_CHARS
            && !text.chars().any(char::is_control);
        fits.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that searches compare, see `fold` in this module; made in core so that every store agrees.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// How a search folds text: each character by Unicode's lowercase mapping, whatever stands beside it, so that a part of a
/// text folds to a part of the folded text. Only for finding, never for identity: some distinct characters fold alike.
pub(crate) fn fold(text: &str) -> String {
    // The final sigma is another character than the one within a word; people who search for a name do not tell them apart.
    text.chars().flat_map(char::to_lowercase).map(|character| if character == 'ς' { 'σ' } else { character }).collect()
}

macro_rules! text_value {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom(concat!("not ", $what)))
            }
        }
    };
}

text_value!(Slug, "a slug");
text_value!(Name, "a name");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_bounds() {
        for good in ["a", "0", "a-b", "a--b", &"x".repeat(63)] {
            assert!(Slug::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "é", "a b", "a\n", "a\0", &"x".repeat(64)] {
            assert!(Slug::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_part_of_a_name_folds_to_a_part_of_the_folded_name() {
        let name = Name::parse("ΟΔΟΣΑ İstanbul Straße").unwrap().folded();
        for part in ["ΟΔΟΣ", "οδος", "οδοσα", "İST", "STRAß"] {
            assert!(name.contains(&fold(part)), "{part} in {name}");
        }
    }

    #[test]
    fn name_bounds_count_characters() {
        assert!(Name::parse(&"é".repeat(200)).is_some());
        assert!(Name::parse(&"\u{1F600}".repeat(200)).is_some());
        for bad in ["", "a\0", "a\u{85}", "\t", &"é".repeat(201)] {
            assert!(Name::parse(bad).is_none(), "{bad:?}");
        }
    }
}
