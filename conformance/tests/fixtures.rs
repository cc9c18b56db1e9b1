//! Every test of every fixture file on every store, each a trial of its own, and guards against one that does not run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tenantry_conformance::{Case, Mode, Suite, TestStore, guard, load_file, own_fixtures};

fn main() {
    let arguments = Arguments::from_args();
    let suite = Arc::new(one_file(&arguments).unwrap_or_else(every_file));
    let mut trials: Vec<Trial> =
        support::stores().into_iter().flat_map(|store| suite.cases().map(move |case| trial(store, case))).collect();
    let names: Vec<String> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    trials.extend(guards(&suite, names));
    libtest_mimic::run(&arguments, trials).exit();
}

fn every_file() -> Suite {
    Suite::load(&own_fixtures(), Mode::Ours).expect("the folder of the fixtures can be listed")
}

/// The file of the one trial that is asked for by its full name: nextest does so for each of them, and reading all files takes longer
/// than most tests.
fn one_file(arguments: &Arguments) -> Option<Suite> {
    let name = arguments.filter.as_deref().filter(|_| arguments.exact && !arguments.list)?;
    let file = format!("{}.json", name.split("::").nth(1).filter(|stem| stem.contains('/'))?);
    let fixture = load_file(&own_fixtures(), &file, Mode::Ours).ok()?;
    Some(Suite { fixtures: vec![Arc::new(fixture)], problems: Vec::new() })
}

fn trial(store: &'static dyn TestStore, case: Case) -> Trial {
    let name = format!("{}::{}", store.name(), case.name());
    Trial::test(name, move || {
        let failures = support::block_on(case.run(store));
        report(&failures.iter().map(ToString::to_string).collect::<Vec<_>>())
    })
}

/// Says what is wrong.
type Check = Box<dyn FnOnce(&Suite) -> Vec<String> + Send>;

fn guards(suite: &Arc<Suite>, names: Vec<String>) -> Vec<Trial> {
    let guard = |name: &str, check: Check| {
        let suite = Arc::clone(suite);
        Trial::test(format!("guard::{name}"), move || report(&check(&suite)))
    };
    vec![
        guard("every_file_can_be_read", Box::new(|suite| suite.problems.iter().map(ToString::to_string).collect())),
        guard(
            "there_are_tests",
            Box::new(|suite| suite.cases().next().is_none().then(|| "there are none".to_owned()).into_iter().collect()),
        ),
        guard(
            "every_test_is_one_trial_on_every_store",
            Box::new(move |suite| {
                let stores: Vec<&str> = support::stores().into_iter().map(TestStore::name).collect();
                guard::trials(suite, &stores, &names)
            }),
        ),
        guard(
            "the_index_lists_every_file",
            Box::new(|suite| json("index.json").map_or_else(Vec::new, |index| guard::index(suite, &index))),
        ),
        guard(
            "the_schema_knows_every_key",
            Box::new(|_| {
                json("schema/fixture.schema.json").map_or_else(|| vec!["there is no schema".to_owned()], |schema| guard::schema(&schema))
            }),
        ),
    ]
}

/// A file beside the fixtures; nothing where there is none. That the index is there is checked by `cargo xtask fixtures`.
fn json(file: &str) -> Option<serde_json::Value> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}")))
}

fn report(problems: &[String]) -> Result<(), Failed> {
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}
