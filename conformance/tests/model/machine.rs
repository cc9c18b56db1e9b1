//! The reference as a state machine: core's own state behind the rules, and the names of what is in it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;
use serde_json::{Value, json};
use tenantry_conformance::testing::reference;
use tenantry_core::rules::Rules;
use tenantry_core::source::{Clock, IdSource, ManualClock, MonotonicIds, SeededSecrets};
use tenantry_core::{AnyId, Dump, Id, Inspect, Sources, TenancyStore, Timestamp, UserId};

use crate::step::{self, Call, Outcome, Step, Vars};
use crate::tree::Steps;

/// When everything begins, and what ids are drawn from: as the runner of fixtures has it, so that a sequence means the same there.
const START: &str = "2026-01-01T00:00:00Z";
const SEED: u64 = 1;
const USER_SEED: u64 = 2;

/// Users without rows. A fixture gives them their ids by these names.
pub(crate) const EXTERNAL: [&str; 3] = ["ada", "bob", "eve"];

/// What a sequence is mostly about: otherwise each would come a short way with everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Members,
    Trees,
    Offers,
    Grants,
    Permissions,
}

impl Theme {
    const ALL: [Self; 5] = [Self::Members, Self::Trees, Self::Offers, Self::Grants, Self::Permissions];
}

/// The rules of every sequence: each kind of node, a loop, and a way that leads too far.
pub(crate) fn rules_json() -> Value {
    let this = json!({"type": "this"});
    let as_ = |relation: &str| json!({"type": "computed_userset", "relation": relation});
    let over =
        |by: &str, relation: &str| json!({"type": "tuple_to_userset", "tupleset_relation": by, "computed_userset_relation": relation});
    let mut doc = json!({
        "viewer": [this, as_("editor"), over("parent", "viewer")],
        "editor": [this, as_("biller"), over("parent", "admin")],
        "biller": [this, as_("viewer")],
    });
    for (from, to) in ('a'..='j').zip('b'..='k') {
        doc[format!("far_{from}")] = json!([as_(&format!("far_{to}"))]);
    }
    json!({"doc": doc, "org": {"viewer": [this, as_("member"), as_("owner")], "admin": [this, as_("owner")]}})
}

/// Sources that begin where every sequence does, over a clock.
pub(crate) fn sources(clock: &Arc<ManualClock>) -> Sources {
    Sources { clock: Arc::<ManualClock>::clone(clock), ids: Arc::new(MonotonicIds::new(Arc::new(SeededSecrets::new(SEED)))) }
}

/// The store with the rules of every sequence.
pub(crate) fn ruled(store: &Arc<dyn TenancyStore>) -> Arc<dyn TenancyStore> {
    let rules = serde_json::from_value(rules_json()).expect("JSON is a value");
    store.with_rules(Arc::new(Rules::parse_open(&rules).expect("rules")))
}

/// A list that has more pages.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) operation: &'static str,
    /// What was asked for, without a cursor.
    pub(crate) input: serde_json::Map<String, Value>,
    /// The variable of the cursor that leads on.
    pub(crate) cursor: String,
}

/// What the last step was and came to.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
    /// What it made, by variable: rows, and the cursor of a page.
    pub(crate) made: Vars,
}

/// The state of the reference.
pub(crate) struct Model {
    pub(crate) theme: Theme,
    pub(crate) clock: Arc<ManualClock>,
    store: Arc<dyn TenancyStore>,
    inspect: Arc<dyn Inspect>,
    pub(crate) rows: Dump,
    pub(crate) vars: Vars,
    /// By id, its variable.
    pub(crate) names: HashMap<String, String>,
    pub(crate) open: Vec<Open>,
    pub(crate) history: Vec<Step>,
    pub(crate) last: Option<Played>,
}

impl Model {
    pub(crate) fn new(theme: Theme) -> Self {
        let start: Timestamp = START.parse().expect("a time");
        let clock = Arc::new(ManualClock::new(start));
        let fresh = reference(sources(&clock));
        let users = MonotonicIds::new(Arc::new(SeededSecrets::new(USER_SEED)));
        let id = |_: &&str| UserId::from_uuid(users.next(start).expect("an id")).expect("a user's id").to_string();
        let vars: Vars = EXTERNAL.iter().map(|name| ((*name).to_owned(), id(name))).collect();
        let names = vars.iter().map(|(name, id)| (id.clone(), name.clone())).collect();
        let (rows, open, history) = (Dump::default(), Vec::new(), Vec::new());
        Self { theme, clock, store: ruled(&fresh.store), inspect: fresh.inspect, rows, vars, names, open, history, last: None }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether everything that a step leans on is there.
    pub(crate) fn knows(&self, step: &Step) -> bool {
        step.names().iter().all(|name| self.vars.contains_key(name))
    }

    /// Plays a step, and names what came of it.
    pub(crate) fn play(&mut self, step: &Step) {
        let call = step::prepare(step, &self.vars, &self.clock);
        let outcome = ready(step::call(&self.store, &call));
        let rows = ready(self.inspect.dump()).expect("core's own state can be dumped");
        let mut made = Vars::new();
        for (kind, ids) in [
            ("usr", new_ids(&self.rows.users, &rows.users, |user| user.id.any())),
            ("org", new_ids(&self.rows.organizations, &rows.organizations, |org| org.id.any())),
            ("mem", new_ids(&self.rows.memberships, &rows.memberships, |mem| mem.id.any())),
            ("inv", new_ids(&self.rows.invitations, &rows.invitations, |inv| inv.id.any())),
            ("rol", new_ids(&self.rows.roles, &rows.roles, |role| role.id.any())),
            ("grp", new_ids(&self.rows.groups, &rows.groups, |group| group.id.any())),
            ("tup", new_ids(&self.rows.tuples, &rows.tuples, |tuple| tuple.id.any())),
        ] {
            // An import says itself which ids its rows have.
            let ids = ids.into_iter().filter(|_| step.operation != "import");
            for (index, id) in ids.enumerate() {
                let name = if index == 0 { format!("{kind}_{}", step.tag) } else { format!("{kind}_{}_{index}", step.tag) };
                made.insert(name, id);
            }
        }
        let cursor = outcome.as_ref().ok().and_then(|reply| reply.pointer("/page/next_cursor")).and_then(Value::as_str);
        if let Some(cursor) = cursor.filter(|_| step.operation != "changes") {
            let name = format!("next_{}", step.tag);
            made.insert(name.clone(), cursor.to_owned());
            let mut input = step.input.clone();
            input.remove("cursor");
            input.remove("after");
            self.open.push(Open { operation: step.operation, input, cursor: name });
        }
        self.names.extend(made.iter().map(|(name, value)| (value.clone(), name.clone())));
        self.vars.extend(made.clone());
        self.rows = rows;
        self.history.push(step.clone());
        self.last = Some(Played { call, outcome, made });
    }

    /// What the event that is asked for is to the reference.
    pub(crate) fn outcome_of(&self, event: tenantry_core::EventId) -> Option<tenantry_core::Event> {
        ready(self.store.outcome(event)).expect("core's own state answers")
    }
}

/// What kind of thing a variable stands for.
pub(crate) fn kind(variable: &str) -> &str {
    if EXTERNAL.contains(&variable) { "usr" } else { variable.split('_').next().unwrap_or(variable) }
}

fn new_ids<T>(before: &[T], after: &[T], id: impl Fn(&T) -> AnyId) -> Vec<String> {
    let known: BTreeSet<AnyId> = before.iter().map(&id).collect();
    after.iter().map(id).filter(|id| !known.contains(id)).map(|id| id.to_string()).collect()
}

impl Clone for Model {
    /// Another one that has come the same way.
    fn clone(&self) -> Self {
        let mut again = Self::new(self.theme);
        self.history.iter().for_each(|step| again.play(step));
        again
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("theme", &self.theme).field("steps", &self.history.len()).finish_non_exhaustive()
    }
}

/// What a future gives that never has to wait, as those over core's own state.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("core's own state does not wait"),
    }
}

/// Steps over the reference.
#[derive(Debug)]
pub(crate) struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        select(&Theme::ALL[..]).prop_map(Model::new).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        Steps::new(model).boxed()
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.play(step);
        model
    }

    fn preconditions(model: &Model, step: &Step) -> bool {
        model.knows(step)
    }
}
