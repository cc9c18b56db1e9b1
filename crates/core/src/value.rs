//! Parsed value types: what an entity holds has been checked once, here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::json::Value;
use crate::role::Role;

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

/// A text of some bytes that is kept as it is: no NUL, which one of the stores could not hold.
fn opaque(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && !text.contains('\0')
}

/// How an invited person is known: 1 to 320 bytes of UTF-8 without NUL, compared byte by byte and never normalized
/// (spec/invitations.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(Box<str>);

impl Identifier {
    /// The most bytes that an identifier may have.
    pub const MAX_BYTES: usize = 320;

    /// The identifier, or `None` when the text does not have the form.
    ///
    /// ```
    /// use tenantry_core::Identifier;
    /// assert_ne!(Identifier::parse("Ann@example.org"), Identifier::parse("ann@example.org"));
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        opaque(text, Self::MAX_BYTES).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An organization's id in another system: 1 to 200 bytes of UTF-8 without NUL (spec/organizations.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(Box<str>);

impl ExternalId {
    /// The most bytes that it may have.
    pub const MAX_BYTES: usize = 200;

    /// The id, or `None` when the text does not have the form.
    pub fn parse(text: &str) -> Option<Self> {
        opaque(text, Self::MAX_BYTES).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What ties a command to a request: 1 to 200 bytes of UTF-8 without NUL (spec/events.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The request's id, or `None` when the text does not have the form.
    pub fn parse(text: &str) -> Option<Self> {
        opaque(text, 200).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a command was given: 1 to 1000 bytes of UTF-8 without NUL (spec/events.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(Box<str>);

impl Reason {
    /// The reason, or `None` when the text does not have the form.
    pub fn parse(text: &str) -> Option<Self> {
        opaque(text, 1000).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A relation's name: 2 to 32 of `a-z` and `_` (spec/tuples.md).
// Kept in place: a check makes and drops several. Behind the text are zeros, so that the order is that of the texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    text: [u8; Self::MAX],
    len: u8,
}

impl Relation {
    /// The relation, or `None` when the text does not have the form.
    ///
    /// ```
    /// use tenantry_core::Relation;
    /// assert!(Relation::parse("billing_contact").is_some());
    /// assert!(Relation::parse("viewer\",\"admin").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (2..=Self::MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        fits.then(|| Self::packed(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // It was made of ASCII letters.
        self.text.get(..usize::from(self.len)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Relation {
    /// The most letters.
    const MAX: usize = 32;

    /// The relation that members of a role have to their organization: the role's slug.
    pub fn of_role(role: Role) -> Self {
        Self::packed(role.slug())
    }

    /// The relation that is called like a role.
    pub fn of_slug(slug: RoleSlug) -> Self {
        Self::packed(slug.as_str())
    }

    fn packed(text: &str) -> Self {
        let mut packed = Self { text: [0; Self::MAX], len: 0 };
        if let Some(place) = packed.text.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
            packed.len = u8::try_from(text.len()).unwrap_or_default();
        }
        packed
    }
}

/// A role's slug: a lower-case letter, then 1 to 31 of `a-z` and `_`, so that it is a [`Relation`] too (spec/roles.md).
// Kept in place, as a relation is: every membership with a role of the application's own holds one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleSlug([u8; Self::MAX]);

impl RoleSlug {
    /// The most letters.
    const MAX: usize = 32;

    /// The slug, or `None` when the text does not have the form. Nothing is trimmed or folded.
    ///
    /// ```
    /// use tenantry_core::RoleSlug;
    /// assert!(RoleSlug::parse("billing_admin").is_some());
    /// assert!(RoleSlug::parse("_admin").is_none() && RoleSlug::parse("Admin").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let fits = begins && (2..=Self::MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        fits.then(|| {
            let mut bytes = [0; Self::MAX];
            for (to, from) in bytes.iter_mut().zip(text.bytes()) {
                *to = from;
            }
            Self(bytes)
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        // It was made of ASCII letters.
        self.0.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for RoleSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RoleSlug").field(&self.as_str()).finish()
    }
}

/// What people may read about a thing: 1 to 1000 characters (Unicode scalar values), none of them a control character but line
/// breaks and tabs (spec/roles.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description(Box<str>);

impl Description {
    /// The most characters.
    pub const MAX_CHARS: usize = 1000;

    /// The description, or `None` when the text does not have the form.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= Self::MAX_CHARS * 4
            && text.chars().count() <= Self::MAX_CHARS
            && !text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t'));
        fits.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A permission's slug: `resource.action`, and further parts behind it (spec/permissions.md). Two to eight parts, at most 128 bytes
/// together; each begins with a lower-case letter, and goes on with `a-z`, `0-9`, `_` and `-`; behind the first one upper-case letters
/// too, so that an action keeps the name that it has in a program. Slugs compare exactly.
// Shared: a role may have a hundred thousand of them, and each is in the catalog as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionSlug(Arc<str>);

// A slug is found by its text: it hashes, compares and orders as that does.
impl std::borrow::Borrow<str> for PermissionSlug {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PermissionSlug {
    /// The most bytes.
    pub const MAX_BYTES: usize = 128;
    /// The most parts.
    pub const MAX_PARTS: usize = 8;

    /// The slug, or `None` when the text does not have the form. Nothing is trimmed or folded, and `*` stands for nothing.
    ///
    /// ```
    /// use tenantry_core::PermissionSlug;
    /// assert!(PermissionSlug::parse("invoices.read").is_some());
    /// assert!(PermissionSlug::parse("invoices.sendReminder.late").is_some());
    /// assert!(PermissionSlug::parse("invoices").is_none() && PermissionSlug::parse("invoices.*").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let (mut parts, mut begins) = (0, true);
        for b in text.bytes() {
            if begins {
                if !b.is_ascii_lowercase() {
                    return None;
                }
                (parts, begins) = (parts + 1, false);
            } else if b == b'.' {
                begins = true;
            } else if !(b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-') || (parts > 1 && b.is_ascii_uppercase())) {
                return None;
            }
        }
        (!begins && (2..=Self::MAX_PARTS).contains(&parts)).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Below every slug: the start of a range.
    pub(crate) fn lowest() -> Self {
        Self("".into())
    }

    /// The part before the first dot.
    pub fn resource(&self) -> &str {
        self.0.split_once('.').map_or("", |(resource, _)| resource)
    }

    /// What is behind the first dot.
    pub fn action(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, action)| action)
    }
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Relation").field(&self.as_str()).finish()
    }
}

/// The type of a tuple's subject or object: 2 to 6 of `a-z` (spec/tuples.md).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectType([u8; 6]);

impl ObjectType {
    /// Below every type: the start of a range.
    pub(crate) const LOWEST: Self = Self([0; 6]);
    /// A user, whose ids are [`crate::UserId`]s.
    pub const USER: Self = Self(*b"usr\0\0\0");
    /// An organization, whose ids are [`crate::OrgId`]s.
    pub const ORG: Self = Self(*b"org\0\0\0");

    /// The type, or `None` when the text does not have the form.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (2..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase());
        fits.then(|| {
            let mut bytes = [0; 6];
            for (to, from) in bytes.iter_mut().zip(text.bytes()) {
                *to = from;
            }
            Self(bytes)
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        // It was made of ASCII letters.
        self.0.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ObjectType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ObjectType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not an object type"))
    }
}

/// What an application keeps beside a row: a JSON object of at most [`Metadata::MAX_BYTES`] as compact text, nested at most
/// [`Metadata::MAX_DEPTH`] deep (spec/organizations.md). Replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(Option<Arc<BTreeMap<String, Value>>>);

// Its numbers are finite, so that each is equal to itself.
impl Eq for Metadata {}

impl Metadata {
    /// The most bytes of its compact text.
    pub const MAX_BYTES: usize = 4096;
    /// The most levels of objects and lists, the outermost included.
    pub const MAX_DEPTH: usize = 16;

    /// The metadata, or `None` when the value is no object, too long or too deep, or has a whole number over 64 bits, which
    /// could not be kept digit by digit.
    pub fn parse(value: &Value) -> Option<Self> {
        let Value::Map(fields) = value else { return None };
        if fields.is_empty() {
            return Some(Self(None));
        }
        let mut room = Self::MAX_BYTES;
        fits(value, Self::MAX_DEPTH, &mut room)?;
        Some(Self(Some(Arc::new(fields.clone()))))
    }

    /// The same as a value.
    pub fn to_value(&self) -> Value {
        Value::Map(self.0.as_deref().cloned().unwrap_or_default())
    }

    /// True when nothing is kept.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Takes the bytes of a value's compact text from the room that is left; `None` when there is not enough.
fn fits(value: &Value, depth: usize, room: &mut usize) -> Option<()> {
    let mut take = |bytes: usize| room.checked_sub(bytes).map(|left| *room = left);
    match value {
        Value::Null | Value::Bool(true) => take(4),
        Value::Bool(false) => take(5),
        Value::Int(number) => take(number.to_string().len()),
        Value::Float(number) => {
            let exact = number.is_finite() && (number.fract() != 0.0 || number.abs() < 9.007_199_254_740_992e15);
            if exact { take(format!("{number:?}").len()) } else { None }
        }
        Value::Text(text) => take(quoted_len(text)),
        Value::List(items) => {
            take(2 + items.len().saturating_sub(1))?;
            let depth = depth.checked_sub(1)?;
            items.iter().try_for_each(|item| fits(item, depth, room))
        }
        Value::Map(fields) => {
            take(2 + fields.len().saturating_sub(1))?;
            let depth = depth.checked_sub(1)?;
            fields.iter().try_for_each(|(name, value)| {
                *room = room.checked_sub(quoted_len(name) + 1)?;
                fits(value, depth, room)
            })
        }
    }
}

fn quoted_len(text: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(fields) => fields.serialize(serializer),
            None => BTreeMap::<String, Value>::new().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::parse(&value).ok_or_else(|| de::Error::custom("not metadata"))
    }
}

macro_rules! text_value {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
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
text_value!(Identifier, "an identifier");
text_value!(ExternalId, "an external id");
text_value!(RequestId, "a request's id");
text_value!(Reason, "a reason");
text_value!(Relation, "a relation");
text_value!(RoleSlug, "a role's slug");
text_value!(Description, "a description");
text_value!(PermissionSlug, "a permission's slug");

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
    fn opaque_texts_count_bytes_and_refuse_nul() {
        assert!(Identifier::parse(&"é".repeat(160)).is_some() && Identifier::parse(" \n").is_some());
        assert!(ExternalId::parse(&"x".repeat(200)).is_some() && Reason::parse(&"x".repeat(1000)).is_some());
        for bad in ["", "a\0b", &"x".repeat(321), &"é".repeat(161)] {
            assert!(Identifier::parse(bad).is_none(), "{bad:?}");
        }
        assert!(ExternalId::parse(&"x".repeat(201)).is_none() && RequestId::parse(&"x".repeat(201)).is_none());
    }

    #[test]
    fn relations_and_types_are_a_few_small_letters() {
        for good in ["ab", "a_", "__", &"a".repeat(32)] {
            assert!(Relation::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a", "Ab", "a1", "a b", "ab\n", "viewer\",\"admin", &"a".repeat(33), "éé"] {
            assert!(Relation::parse(bad).is_none(), "{bad:?}");
        }
        for good in ["ab", "project".get(..6).unwrap()] {
            assert_eq!(ObjectType::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a", "project", "a_", "Org", "or\0", "é"] {
            assert!(ObjectType::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(ObjectType::parse("usr"), Some(ObjectType::USER));
        assert!(ObjectType::parse("or").unwrap() < ObjectType::ORG, "in the order of the text");
    }

    #[test]
    fn metadata_is_a_bounded_object() {
        let map = |value: Value| Value::Map([("k".to_owned(), value)].into());
        let text = |len: usize| map(Value::Text("x".repeat(len)));
        // {"k":""} has eight bytes.
        assert!(Metadata::parse(&text(Metadata::MAX_BYTES - 8)).is_some());
        assert!(Metadata::parse(&text(Metadata::MAX_BYTES - 7)).is_none());
        assert!(Metadata::parse(&map(Value::Text("\0".repeat(681)))).is_some_and(|data| !data.is_empty()));
        assert!(Metadata::parse(&map(Value::Text("\0".repeat(682)))).is_none());
        let nested = |levels: usize| (1..levels).fold(Value::Map(BTreeMap::new()), |inner, _| map(inner));
        assert!(Metadata::parse(&nested(Metadata::MAX_DEPTH)).is_some() && Metadata::parse(&nested(Metadata::MAX_DEPTH + 1)).is_none());
        for bad in [Value::Null, Value::List(Vec::new()), Value::from("{}"), map(Value::Float(1.8e19)), map(Value::Float(f64::NAN))] {
            assert!(Metadata::parse(&bad).is_none(), "{bad:?}");
        }
        assert_eq!(Metadata::parse(&Value::Map(BTreeMap::new())), Some(Metadata::default()));
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
