//! Who may do what (spec/permissions.md): resolved here, over rows that a store shows, and nowhere else.

mod difference;
mod explain;
mod facts;
mod policy;
mod resolve;
mod review;
mod token;

pub use difference::AccessChange;
pub use explain::{DecidedBy, DenialReason, Explanation, Reason as DenialDetail, Remedy, Step};
pub use facts::{Facts, FactsQuery, Held, OrgFacts, RoleFacts};
pub use policy::AncestorReadPolicy;
pub use resolve::{EffectivePermissions, Layer, Span};
pub use review::{HeldPermission, UserAccess};
pub use token::PermissionToken;

pub(crate) use difference::difference;
pub(crate) use explain::explain;
pub(crate) use facts::Ground;
pub(crate) use policy::matches_pattern;
pub(crate) use resolve::{Ask, along, chain, held, holds, resolve, token};
pub(crate) use review::review;
