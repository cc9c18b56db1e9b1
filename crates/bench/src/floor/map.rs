//! The floor of checks in memory: one look-up in a map with a fast hash, keyed by user and organization.

use std::collections::HashMap;

use anyhow::Result;
use foldhash::fast::FixedState;
use tenantry_core::{OrgId, UserId};

use crate::world::{self, World};

/// Which membership a user has in an organization.
#[derive(Debug)]
pub struct Map(HashMap<(u128, u128), u128, FixedState>);

impl Map {
    /// The owners of a world's organizations.
    ///
    /// # Errors
    /// Never.
    pub fn of(world: World) -> Result<Self> {
        let entry = |n| Ok((key(world::user_id(n)?, world::org_id(n)?), world::ownership_id(n)?.as_uuid().as_u128()));
        Ok(Self((0..world.size()).map(entry).collect::<Result<_>>()?))
    }

    /// One look-up.
    pub fn get(&self, key: (u128, u128)) -> Option<u128> {
        self.0.get(&key).copied()
    }
}

/// What is looked up for a user and an organization.
pub const fn key(usr: UserId, org: OrgId) -> (u128, u128) {
    (usr.as_uuid().as_u128(), org.as_uuid().as_u128())
}
