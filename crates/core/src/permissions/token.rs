//! What a resolution rested on, as revisions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::id::OrgId;

/// The state that a resolution saw: the revision of what belongs to no organization, that of the user's row, and that of each
/// organization on the way, in the order in which they stand above each other. Two are equal exactly when nothing of it has changed; they
/// are never summed or ordered as a whole. It says nothing of time: what expires does so without a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PermissionToken {
    pub(crate) system: u64,
    pub(crate) user: Option<u64>,
    /// The chain as it is stored, root first, down to the organization itself; an organization of it that is not there has 0. Behind it,
    /// in order of id, those below that a policy looks at, and what lies between.
    pub(crate) orgs: Vec<(OrgId, u64)>,
}

impl PermissionToken {
    /// Whether this state is not older than another one, in any part that both saw.
    pub fn is_at_least(&self, other: &Self) -> bool {
        let there = |org: OrgId| self.orgs.iter().find(|(id, _)| *id == org).map(|(_, revision)| *revision);
        let orgs = other.orgs.iter().all(|(org, revision)| there(*org).is_none_or(|there| there >= *revision));
        self.system >= other.system && self.user >= other.user && orgs
    }

    /// The text in which it travels; opaque.
    pub fn to_text(&self) -> String {
        let mut bytes = vec![1];
        bytes.extend(self.system.to_be_bytes());
        bytes.push(u8::from(self.user.is_some()));
        bytes.extend(self.user.unwrap_or_default().to_be_bytes());
        for (org, revision) in &self.orgs {
            bytes.extend(org.as_uuid().as_bytes());
            bytes.extend(revision.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What such a text stands for; none when it was not made by [`to_text`](Self::to_text).
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (head, rest) = bytes.split_at_checked(18)?;
        let number = |from: &[u8]| Some(u64::from_be_bytes(from.try_into().ok()?));
        let (system, user) = (number(head.get(1..9)?)?, number(head.get(10..18)?)?);
        let has_user = match head.get(9)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let (rows, more) = rest.as_chunks::<24>();
        let row = |row: &[u8; 24]| {
            let (org, revision) = row.split_at_checked(16)?;
            Some((OrgId::from_uuid(Uuid::from_slice(org).ok()?).ok()?, number(revision)?))
        };
        let orgs = rows.iter().map(row).collect::<Option<Vec<_>>>()?;
        let token = Self { system, user: has_user.then_some(user), orgs };
        // One state has one text.
        (more.is_empty() && token.to_text() == text).then_some(token)
    }
}

impl Serialize for PermissionToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(system: u64, user: Option<u64>, revisions: &[u64]) -> PermissionToken {
        let id = |n: u128| OrgId::from_uuid(Uuid::from_u128(0x0196_f3c2_1b7a_7000_8000_0000_0000_0000 + n)).unwrap();
        PermissionToken { system, user, orgs: (0..).zip(revisions).map(|(n, revision)| (id(n), *revision)).collect() }
    }

    #[test]
    fn a_token_has_one_text() {
        for made in [token(0, None, &[]), token(7, Some(0), &[1]), token(u64::MAX, Some(3), &[1, 2, 3])] {
            assert_eq!(PermissionToken::parse(&made.to_text()), Some(made.clone()));
            assert_eq!(PermissionToken::parse(&format!("{}A", made.to_text())), None);
        }
        for bad in ["", "AQ", "é"] {
            assert_eq!(PermissionToken::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_compare_part_by_part() {
        let old = token(1, Some(1), &[5, 5]);
        assert!(token(1, Some(1), &[5, 6]).is_at_least(&old));
        assert!(!token(9, Some(9), &[9, 4]).is_at_least(&old), "one part that is older is enough");
        assert!(!token(9, None, &[9, 9]).is_at_least(&old));
    }
}
