//! Steps as proptest makes and shrinks them: made from dice over what the reference holds, shrunk by leaving things out.

use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::{TestRng, TestRunner};
use serde_json::Value;
use tenantry_core::wire;

use crate::commands::{self, View};
use crate::machine::Model;
use crate::step::Step;

/// Chance, for those who make steps.
pub(crate) struct Dice(TestRng);

impl Dice {
    /// One of so many, from 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let number = usize::try_from(self.0.next_u32()).expect("a number");
        number % count.max(1)
    }

    /// So many times in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).cloned()
    }
}

/// Every step that may follow on what the reference holds.
pub(crate) struct Steps(Arc<View>);

impl Steps {
    pub(crate) fn new(model: &Model) -> Self {
        Self(Arc::new(View::new(model)))
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

impl Strategy for Steps {
    type Tree = StepTree;
    type Value = Step;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(StepTree::new(commands::any_step(&self.0, Dice(runner.new_rng()))))
    }
}

/// A step on its way to its simplest form.
#[derive(Debug)]
pub(crate) struct StepTree {
    step: Step,
    /// What can be tried yet, the last first.
    cuts: Vec<Cut>,
    /// The step before the last cut.
    uncut: Option<Step>,
}

/// Something that a step might do without.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Actor,
    Field(&'static str),
    /// An entry of a list, by its place from the end.
    Entry(&'static str, usize),
}

impl StepTree {
    fn new(step: Step) -> Self {
        let mut cuts = Vec::new();
        for field in wire::operation(step.operation).into_iter().flat_map(wire::Operation::all_fields) {
            if let Some(Value::Array(items)) = step.input.get(field.name) {
                cuts.extend((0..items.len()).map(|place| Cut::Entry(field.name, place)));
            }
            cuts.extend((!field.required).then_some(Cut::Field(field.name)));
        }
        cuts.push(Cut::Field("ttl_seconds"));
        cuts.push(Cut::Actor);
        Self { step, cuts, uncut: None }
    }
}

impl Cut {
    /// Whether there was something to cut.
    fn apply(self, step: &mut Step) -> bool {
        match self {
            Self::Actor => step.actor.take().is_some(),
            Self::Field(name) => step.input.remove(name).is_some(),
            Self::Entry(name, place) => {
                let Some(Value::Array(items)) = step.input.get_mut(name) else { return false };
                let place = items.len().checked_sub(place + 1);
                place.is_some_and(|place| items.len() > 1 && !items.remove(place).is_null())
            }
        }
    }
}

impl ValueTree for StepTree {
    type Value = Step;

    fn current(&self) -> Step {
        self.step.clone()
    }

    fn simplify(&mut self) -> bool {
        while let Some(cut) = self.cuts.pop() {
            let mut cut_down = self.step.clone();
            if cut.apply(&mut cut_down) {
                self.uncut = Some(std::mem::replace(&mut self.step, cut_down));
                return true;
            }
        }
        false
    }

    fn complicate(&mut self) -> bool {
        match self.uncut.take() {
            Some(uncut) => {
                self.step = uncut;
                true
            }
            None => false,
        }
    }
}
