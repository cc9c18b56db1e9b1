//! Reads `expected.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What a row is about, in the order in which it is tried.
pub(crate) const TARGETS: [&str; 3] = ["own", "foreign", "missing"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some keys are for people, and read only so that a slip in their names is found")]
pub(crate) struct Table {
    comment: Vec<String>,
    pub(crate) actors: Vec<String>,
    world: BTreeMap<String, BTreeMap<String, String>>,
    /// Operations without a row, each with the reason.
    pub(crate) left_out: BTreeMap<String, String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) operation: String,
    case: Option<String>,
    /// Identifiers that the actor is vouched for.
    #[serde(default)]
    pub(crate) vouched: Vec<String>,
    pub(crate) input: Value,
    pub(crate) why: Option<String>,
    /// Why foreign and missing may be told apart.
    pub(crate) unlike: Option<String>,
    own: String,
    pub(crate) foreign: Option<String>,
    pub(crate) missing: Option<String>,
}

impl Table {
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("expected.json")).expect("the table")
    }
}

impl Row {
    pub(crate) fn label(&self) -> String {
        let case = self.case.as_deref().map(|case| format!(" ({case})")).unwrap_or_default();
        format!("{}{case}", self.operation)
    }

    /// The word for one of so many actors.
    pub(crate) fn expected(&self, target: &str, actor: usize, actors: usize) -> Option<&str> {
        let line = match target {
            "own" => Some(&self.own),
            "foreign" => self.foreign.as_ref(),
            "missing" => self.missing.as_ref(),
            _ => panic!("there is no target `{target}`"),
        }?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [word] => Some(word),
            _ if words.len() == actors => Some(words[actor]),
            _ => panic!("{}: {target} has {} words", self.label(), words.len()),
        }
    }

    /// Whether an empty list is told from one with something in it.
    pub(crate) fn tells_empty(&self) -> bool {
        let lines = [Some(&self.own), self.foreign.as_ref(), self.missing.as_ref()];
        lines.into_iter().flatten().any(|line| line.split(' ').any(|word| word == "empty"))
    }
}
