//! Checks on their way through a store.

use std::collections::HashMap;

use crate::backend::Inquiry;
use crate::error::DomainError;
use crate::id::TupleId;
use crate::query::{Answer, Question};
use crate::rules::{Checked, Evaluation, Step};
use crate::time::Timestamp;
use crate::tuple::TupleKey;

/// Checks on their way through a store.
#[derive(Debug)]
pub(crate) struct Checking {
    at: Timestamp,
    is_single: bool,
    evaluations: Vec<(Evaluation, Option<Result<Checked, DomainError>>)>,
    known: HashMap<Question, Answer>,
    asked: Vec<Question>,
}

impl Checking {
    pub(crate) fn new(at: Timestamp, evaluations: Vec<Evaluation>) -> Self {
        Self {
            at,
            is_single: evaluations.iter().all(Evaluation::is_direct),
            evaluations: evaluations.into_iter().map(|evaluation| (evaluation, None)).collect(),
            known: HashMap::new(),
            asked: Vec::new(),
        }
    }

    /// What each check came to.
    pub(crate) fn outcomes(self) -> impl Iterator<Item = Option<Result<Checked, DomainError>>> {
        self.evaluations.into_iter().map(|(_, outcome)| outcome)
    }
}

impl Inquiry for Checking {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn is_single(&self) -> bool {
        self.is_single
    }

    fn restart(&mut self) {
        self.known.clear();
        for (_, outcome) in &mut self.evaluations {
            *outcome = None;
        }
    }

    fn questions(&mut self) -> Vec<Question> {
        let mut asked = Vec::new();
        for (evaluation, outcome) in self.evaluations.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            match evaluation.step(&self.known) {
                Step::Done(done) => *outcome = Some(done),
                Step::Ask(questions) => asked.extend(questions),
            }
        }
        asked.sort();
        asked.dedup();
        self.asked.clone_from(&asked);
        asked
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        self.known.extend(self.asked.drain(..).zip(answers));
    }
}

/// One check that no rule is concerned with. Most are such, and they come by the thousand: it keeps nothing that it does not need.
#[derive(Debug)]
pub(crate) struct Single {
    at: Timestamp,
    key: TupleKey,
    state: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    New,
    Asked,
    Answered(Option<TupleId>),
}

impl Single {
    pub(crate) const fn new(at: Timestamp, key: TupleKey) -> Self {
        Self { at, key, state: Stage::New }
    }

    /// What it came to, if the store has answered.
    pub(crate) const fn outcome(&self) -> Option<Checked> {
        if let Stage::Answered(held) = self.state { Some(Checked::by(held)) } else { None }
    }
}

impl Inquiry for Single {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn is_single(&self) -> bool {
        true
    }

    fn lone(&self) -> Option<&TupleKey> {
        matches!(self.state, Stage::New).then_some(&self.key)
    }

    fn tell(&mut self, held: Option<TupleId>) {
        self.state = Stage::Answered(held);
    }

    fn restart(&mut self) {
        self.state = Stage::New;
    }

    fn questions(&mut self) -> Vec<Question> {
        if matches!(self.state, Stage::Answered(_)) {
            return Vec::new();
        }
        self.state = Stage::Asked;
        vec![Question::Holds(self.key.clone())]
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        if let (Stage::Asked, Some(Answer::Holds(held))) = (self.state, answers.first()) {
            self.state = Stage::Answered(*held);
        }
    }
}
