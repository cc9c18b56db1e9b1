//! A real Postgres for the tests: the one that is named, or a throw-away cluster of our own. The
//! tests never go without.

mod account;
mod binaries;
mod cluster;
mod folder;
mod install;
mod url;

use std::env;

use anyhow::{Context, Result};

use self::binaries::Binaries;
use self::cluster::{Cluster, Promises};

/// Where the tests look for the server.
pub(crate) const VARIABLE: &str = "TENANTRY_TEST_POSTGRES_URL";

/// A server to test against. Dropping it ends a cluster of ours and removes every trace of it.
#[derive(Debug)]
pub(crate) enum Server {
    Given(String),
    Ours(Box<Cluster>),
}

impl Server {
    pub(crate) fn find_or_start() -> Result<Self> {
        Self::with(VARIABLE, Promises::None)
    }

    /// A server that flushes what it has promised to keep, for figures: that of the variable, or a cluster of our own.
    pub(crate) fn durable(variable: &str) -> Result<Self> {
        Self::with(variable, Promises::Kept)
    }

    fn with(variable: &str, promises: Promises) -> Result<Self> {
        if let Some(url) = env::var(variable).ok().filter(|url| !url.is_empty()) {
            println!("using the Postgres that {variable} names");
            return Ok(Self::Given(url));
        }
        let binaries = if let Some(binaries) = Binaries::find() {
            binaries
        } else {
            install::install()?;
            Binaries::find().context("postgresql is installed, but its initdb and pg_ctl are not to be found")?
        };
        let cluster = Cluster::start(&binaries, promises)?;
        println!("started a throw-away Postgres from {}", binaries.folder().display());
        Ok(Self::Ours(Box::new(cluster)))
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Given(url) => url,
            Self::Ours(cluster) => cluster.url(),
        }
    }
}
