//! The lists in deny.toml, so that they are kept once for cargo-deny and for us.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::metadata::Package;

#[derive(Debug)]
pub(super) struct Deny {
    pub(super) targets: Vec<String>,
    pub(super) licences: Vec<String>,
    pub(super) skips: Vec<Skip>,
}

/// A version of a crate that may stand beside another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skip {
    name: String,
    /// A version or the beginning of one, at a dot; nothing stands for all.
    version: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<WrittenSkip>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenSkip {
    Name(String),
    Table {
        #[serde(rename = "crate")]
        name: String,
    },
}

impl Deny {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join("deny.toml")).context("cannot read deny.toml")?;
        let written: Written = toml::from_str(&text).context("cannot read deny.toml")?;
        let skips = written.bans.skip.into_iter().map(|skip| {
            let (WrittenSkip::Name(text) | WrittenSkip::Table { name: text }) = skip;
            Skip::read(&text)
        });
        Ok(Self {
            targets: written.graph.targets,
            licences: written.licenses.allow,
            skips: skips.collect::<Result<_>>().context("cannot read `bans.skip` in deny.toml")?,
        })
    }
}

impl Skip {
    /// Of what cargo-deny reads, we use `name`, `name@1.2.3` and `name:1.2`.
    fn read(text: &str) -> Result<Self> {
        let Some((name, version)) = text.split_once([':', '@']) else {
            return Ok(Self { name: text.to_owned(), version: None });
        };
        let plain = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        // In cargo-deny's reading `1.2` also allows 1.3, and only a version up to its first number
        // that is not 0 means the same as a beginning.
        let exact = text.contains('@');
        let significant = version.split('.').position(|part| part != "0").map(|position| position + 1);
        if !plain || (!exact && significant != Some(version.split('.').count())) {
            bail!("`{text}` is written as `name@1.2.3`, or as `name:1`, `name:0.2` and so on");
        }
        Ok(Self { name: name.to_owned(), version: Some(version.to_owned()) })
    }

    pub(super) fn matches(&self, package: &Package) -> bool {
        self.name == package.name && self.version.as_deref().is_none_or(|version| starts_with(&package.version, version))
    }
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.version.as_deref().map_or(Ok(()), |version| write!(f, ":{version}"))
    }
}

fn starts_with(version: &str, beginning: &str) -> bool {
    version.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_name_a_crate_and_the_beginning_of_its_version() {
        let skip = |name: &str, version: Option<&str>| Skip { name: name.to_owned(), version: version.map(str::to_owned) };
        assert_eq!(Skip::read("syn").unwrap(), skip("syn", None));
        assert_eq!(Skip::read("syn:2").unwrap(), skip("syn", Some("2")));
        assert_eq!(Skip::read("hashbrown:0.15").unwrap(), skip("hashbrown", Some("0.15")));
        assert_eq!(Skip::read("syn@2.0.1").unwrap(), skip("syn", Some("2.0.1")));
        for text in ["syn:2.0", "syn:^2", "syn:", "syn@*", "syn:0"] {
            assert!(Skip::read(text).is_err(), "{text}");
        }
        assert!(starts_with("0.15.2", "0.15") && starts_with("2.0.1", "2.0.1"));
        assert!(!starts_with("0.151.0", "0.15") && !starts_with("1.15.0", "0.15"));
    }
}
