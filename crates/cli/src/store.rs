//! Which store a command works on, and how it is reached.

use std::path::PathBuf;
use std::sync::Arc;

use tenantry::migration::SchemaStatus;
use tenantry::{BackendError, Inspect, Sources, TenancyStore, memory, postgres, sqlite};

use crate::failure::Failure;

/// The variable that names the store where the command line does not.
pub(crate) const VARIABLE: &str = "TENANTRY_STORE";

const DEFAULT_FILE: &str = "tenantry.db";
const SCHEMA_PARAMETER: &str = "tenantry_schema=";
const FORMS: &str = "a store is `memory:`, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`";

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreSpec {
    /// Nothing is kept.
    Memory,
    /// A file.
    Sqlite(PathBuf),
    /// A database, and a schema in it.
    Postgres { url: String, schema: Option<String> },
}

/// Where a choice of store came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// `--store`, or an option that is short for it.
    CommandLine,
    /// The environment.
    Environment,
    /// Nobody.
    Nobody,
}

impl StoreSpec {
    /// The store of the command line, else of the environment, else the file in the current folder.
    pub(crate) fn choose(option: Option<&str>) -> Result<(Self, Chosen), Failure> {
        if let Some(text) = option {
            return Ok((Self::parse("--store", text)?, Chosen::CommandLine));
        }
        match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            Some(value) => {
                let text = value.to_str().ok_or_else(|| Failure::usage(format!("{VARIABLE}: not UTF-8; {FORMS}")))?;
                Ok((Self::parse(VARIABLE, text)?, Chosen::Environment))
            }
            None => Ok((Self::Sqlite(DEFAULT_FILE.into()), Chosen::Nobody)),
        }
    }

    /// Reads a store. What is wrong with it is said without repeating it, for it may hold a password.
    fn parse(place: &str, text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::usage(format!("{place}: {what}; {FORMS}"));
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("sqlite", "")) => Err(wrong("the path is empty")),
            Some(("sqlite", ":memory:")) => Err(wrong("for a store that is not kept say `memory:`")),
            Some(("sqlite", path)) if path.starts_with("//") => Err(wrong("the path follows the colon, without `//`")),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                let (url, schema) = split_schema(text);
                match schema.as_slice() {
                    [] => Ok(Self::Postgres { url, schema: None }),
                    [schema] if !schema.is_empty() => Ok(Self::Postgres { url, schema: Some(schema.clone()) }),
                    _ => Err(wrong("`tenantry_schema` names one schema")),
                }
            }
            _ => Err(wrong("not a store")),
        }
    }

    /// What it is called in answers.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite(_) => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// The option that names this store, as it can be pasted into a shell; none where it would show a password.
    pub(crate) fn option(&self) -> Option<String> {
        let text = match self {
            Self::Memory => "memory:".to_owned(),
            Self::Sqlite(path) => format!("sqlite:{}", path.to_str()?),
            Self::Postgres { url, .. } if holds_password(url) => return None,
            Self::Postgres { url, schema: None } => url.clone(),
            Self::Postgres { url, schema: Some(schema) } => {
                format!("{url}{}{SCHEMA_PARAMETER}{schema}", if url.contains('?') { '&' } else { '?' })
            }
        };
        shlex::try_quote(&text).ok().map(|text| format!("--store {text}"))
    }
}

/// Whether a URL has a password before its host or among its parameters; rather once too often than not.
fn holds_password(url: &str) -> bool {
    let (_, rest) = url.split_once("//").unwrap_or(("", url));
    let before_the_host = rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    before_the_host || rest.to_ascii_lowercase().contains("password")
}

/// Takes our own parameter out of a URL; the driver does not know it.
fn split_schema(url: &str) -> (String, Vec<String>) {
    let Some((address, query)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    let (ours, theirs): (Vec<&str>, Vec<&str>) = query.split('&').partition(|part| part.starts_with(SCHEMA_PARAMETER));
    let schemas = ours.iter().filter_map(|part| part.strip_prefix(SCHEMA_PARAMETER)).map(str::to_owned).collect();
    let url = if theirs.is_empty() { address.to_owned() } else { format!("{address}?{}", theirs.join("&")) };
    (url, schemas)
}

/// A store with all that this program does to it.
pub(crate) trait Store: TenancyStore + Inspect {}

impl<S: TenancyStore + Inspect> Store for S {}

/// Opens a store. One that is empty gets its schema; one with an older schema is refused.
pub(crate) async fn open(spec: &StoreSpec, sources: Sources) -> Result<Arc<dyn Store>, BackendError> {
    Ok(match spec {
        StoreSpec::Memory => Arc::new(memory::with_sources(sources)),
        StoreSpec::Sqlite(path) => Arc::new(sqlite::Options::new().sources(sources).open(path)?),
        StoreSpec::Postgres { url, schema } => {
            let empty = postgres_options(schema.as_deref()).status(url).await?.found == 0;
            Arc::new(postgres_options(schema.as_deref()).sources(sources).migrate(empty).connect(url).await?)
        }
    })
}

fn postgres_options(schema: Option<&str>) -> postgres::Options {
    schema.into_iter().fold(postgres::Options::new(), postgres::Options::schema)
}

/// Where the schema of a database stands; a store in memory has none.
pub(crate) async fn status(spec: &StoreSpec) -> Result<SchemaStatus, BackendError> {
    match spec {
        StoreSpec::Memory => Ok(SchemaStatus { found: 0, wanted: 0, pending: Vec::new() }),
        StoreSpec::Sqlite(path) => sqlite::status(path),
        StoreSpec::Postgres { url, schema } => postgres_options(schema.as_deref()).status(url).await,
    }
}

/// Brings the schema of a database up to date.
pub(crate) async fn migrate(spec: &StoreSpec) -> Result<(), BackendError> {
    match spec {
        StoreSpec::Memory => {}
        StoreSpec::Sqlite(path) => drop(sqlite::Options::new().open(path)?),
        StoreSpec::Postgres { url, schema } => drop(postgres_options(schema.as_deref()).run_migrations(url).await?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::StoreSpec;

    #[test]
    fn stores_are_read() {
        let postgres = |url: &str, schema: Option<&str>| StoreSpec::Postgres { url: url.to_owned(), schema: schema.map(str::to_owned) };
        for (text, spec) in [
            ("memory:", StoreSpec::Memory),
            ("sqlite:a b.db", StoreSpec::Sqlite("a b.db".into())),
            ("sqlite:/tmp/x:y.db", StoreSpec::Sqlite("/tmp/x:y.db".into())),
            ("postgres://h/d", postgres("postgres://h/d", None)),
            ("postgresql://h/d?a=1", postgres("postgresql://h/d?a=1", None)),
            ("postgres://h/d?tenantry_schema=s", postgres("postgres://h/d", Some("s"))),
            ("postgres://h/d?a=1&tenantry_schema=s&b=2", postgres("postgres://h/d?a=1&b=2", Some("s"))),
        ] {
            assert_eq!(StoreSpec::parse("--store", text).unwrap(), spec, "{text}");
        }
    }

    #[test]
    fn what_is_no_store_is_refused_without_being_repeated() {
        for text in [
            "",
            "memory",
            "memory:x",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://x.db",
            "tenantry.db",
            "postgres:h/d",
            "postgre://u:secret@h/d",
            "postgres://u:secret@h/d?tenantry_schema=",
            "postgres://h/d?tenantry_schema=a&tenantry_schema=b",
        ] {
            let message = StoreSpec::parse("--store", text).unwrap_err().text();
            assert!(message.starts_with("--store: ") && message.contains("sqlite:PATH") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn the_option_that_names_a_store_can_be_pasted() {
        let option = |spec: StoreSpec| spec.option();
        assert_eq!(option(StoreSpec::Sqlite("a b.db".into())).unwrap(), "--store 'sqlite:a b.db'");
        let postgres =
            |url: &str, schema: Option<&str>| option(StoreSpec::Postgres { url: url.to_owned(), schema: schema.map(str::to_owned) });
        assert_eq!(postgres("postgres://u@h:5432/d", None).unwrap(), "--store postgres://u@h:5432/d");
        assert_eq!(postgres("postgres://h/d?a=1", Some("s")).unwrap(), "--store 'postgres://h/d?a=1&tenantry_schema=s'");
        for url in ["postgres://u:secret@h/d", "postgres://h/d?user=u&password=secret", "postgres://u:a@b@h/d"] {
            assert_eq!(postgres(url, None), None, "{url}");
        }
    }
}
