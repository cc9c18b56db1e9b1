//! The evaluation of one check as a machine that asks.
//!
//! Each step walks the rules anew over what is known by now, in declared order. Where something is not known, the walk notes the
//! question and goes on, because a later branch may need asking too; but whatever it finds from there on decides nothing. So the
//! outcome is that of the plain walk, however many answers come at once and in whatever order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Checked, Node, Rules};
use crate::error::{DomainError, EvaluationLimit};
use crate::id::TupleId;
use crate::query::{Answer, Question};
use crate::tuple::{EntityRef, TupleKey};
use crate::value::Relation;

/// What an evaluation needs, or has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These answers, each question once; any of them brings it further.
    Ask(Vec<Question>),
    /// The end.
    Done(Result<Checked, DomainError>),
}

/// One check on its way: does the subject stand in one of these relations to the object?
#[derive(Debug, Clone)]
pub struct Evaluation {
    rules: Arc<Rules>,
    subject: EntityRef,
    relations: Vec<Relation>,
    object: EntityRef,
}

impl Evaluation {
    /// A check of these relations, which are gone through in their order.
    pub const fn new(rules: Arc<Rules>, subject: EntityRef, relations: Vec<Relation>, object: EntityRef) -> Self {
        Self { rules, subject, relations, object }
    }

    /// True when the first answers decide: no rule is concerned.
    pub fn is_direct(&self) -> bool {
        self.relations.iter().all(|relation| self.rules.nodes(self.object.kind, relation).is_none())
    }

    /// How far the check comes with these answers, which must all be of one moment.
    pub fn step(&self, known: &HashMap<Question, Answer>) -> Step {
        let mut walk = Walk {
            rules: &self.rules,
            subject: self.subject,
            known,
            asked: Vec::new(),
            noted: HashSet::new(),
            stack: Vec::new(),
            denied: HashMap::new(),
            open: HashSet::new(),
            met: HashSet::new(),
            looks: 0,
        };
        for relation in &self.relations {
            let frame = Frame { relation: relation.clone(), object: self.object };
            match walk.go(&frame, 0).outcome {
                Outcome::Allowed(id) => return Step::Done(Ok(Checked::by(Some(id)))),
                Outcome::Failed(limit) => return Step::Done(Err(DomainError::EvaluationLimit(limit))),
                Outcome::Denied | Outcome::Open => {}
                Outcome::Settled => break,
            }
        }
        if walk.asked.is_empty() { Step::Done(Ok(Checked::by(None))) } else { Step::Ask(walk.asked) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Frame {
    relation: Relation,
    object: EntityRef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Allowed(TupleId),
    Denied,
    Failed(EvaluationLimit),
    /// Something is not known; what follows in declared order may matter.
    Open,
    /// Something before is not known; what follows cannot matter any more.
    Settled,
}

/// What a frame came to, and what that hangs on.
#[derive(Debug, Clone, Copy)]
struct Found {
    outcome: Outcome,
    /// The lowest place on the stack at which a frame was met again: above it, the denial is not final.
    lowest: usize,
    /// How many rules below this frame followed each other.
    height: u32,
}

const FREE: usize = usize::MAX;

impl Found {
    const fn leaf(outcome: Outcome) -> Self {
        Self { outcome, lowest: FREE, height: 0 }
    }
}

struct Walk<'w> {
    rules: &'w Rules,
    subject: EntityRef,
    known: &'w HashMap<Question, Answer>,
    asked: Vec<Question>,
    noted: HashSet<Question>,
    stack: Vec<Frame>,
    /// Denials that hang on nothing above them, with their heights.
    denied: HashMap<Frame, u32>,
    /// Frames that were left open: once is enough to note what they ask.
    open: HashSet<Frame>,
    met: HashSet<Frame>,
    looks: u32,
}

impl<'w> Walk<'w> {
    fn look(&mut self, question: Question) -> Option<&'w Answer> {
        let answer = self.known.get(&question);
        if answer.is_none() && self.noted.insert(question.clone()) {
            self.asked.push(question);
        }
        answer
    }

    /// The walk is past something that is not known.
    fn is_guessing(&self) -> bool {
        !self.asked.is_empty()
    }

    /// An outcome that ends the walk, unless the walk is only guessing.
    fn ends(&self, outcome: Outcome) -> Found {
        Found::leaf(if self.is_guessing() { Outcome::Settled } else { outcome })
    }

    fn go(&mut self, frame: &Frame, depth: u32) -> Found {
        let limits = self.rules.limits;
        if self.denied.get(frame).is_some_and(|height| depth + height < limits.depth) {
            return Found { height: self.denied.get(frame).copied().unwrap_or_default(), ..Found::leaf(Outcome::Denied) };
        }
        if self.open.contains(frame) {
            return Found::leaf(Outcome::Open);
        }
        // In a net of circles few frames make many ways.
        let is_new = self.met.len() >= usize::try_from(limits.frames).unwrap_or(usize::MAX) && !self.met.contains(frame);
        if is_new || self.looks >= limits.looks() {
            return self.ends(Outcome::Failed(EvaluationLimit::Frames));
        }
        self.looks += 1;
        self.met.insert(frame.clone());

        let key = TupleKey { subject: self.subject, relation: frame.relation.clone(), object: frame.object };
        let is_known = match self.look(Question::Holds(key)) {
            Some(Answer::Holds(Some(id))) => return self.ends(Outcome::Allowed(*id)),
            Some(_) => true,
            None => false,
        };
        let undecided = if is_known { Outcome::Denied } else { Outcome::Open };
        let rules = self.rules;
        let Some(nodes) = rules.nodes(frame.object.kind, &frame.relation) else { return Found::leaf(undecided) };
        if let Some(place) = self.stack.iter().position(|above| above == frame) {
            return Found { lowest: place, ..Found::leaf(undecided) };
        }
        if depth >= limits.depth {
            return self.ends(Outcome::Failed(EvaluationLimit::Depth));
        }

        let place = self.stack.len();
        self.stack.push(frame.clone());
        let found = self.follow(nodes, frame, depth, undecided);
        self.stack.pop();
        if found.outcome == Outcome::Open {
            self.open.insert(frame.clone());
        }
        if found.outcome == Outcome::Denied && found.lowest >= place {
            self.denied.insert(frame.clone(), found.height);
            return Found { lowest: FREE, ..found };
        }
        found
    }

    fn follow(&mut self, nodes: &[Node], frame: &Frame, depth: u32, undecided: Outcome) -> Found {
        let mut all = Found { outcome: undecided, lowest: FREE, height: 0 };
        for node in nodes {
            let next: Vec<Frame> = match node {
                Node::This => continue,
                Node::ComputedUserset { relation } => vec![Frame { relation: relation.clone(), object: frame.object }],
                Node::TupleToUserset { tupleset_relation, computed_userset_relation } => {
                    let most = self.rules.limits.fan_out;
                    let question = Question::Subjects { relation: tupleset_relation.clone(), object: frame.object, most: most + 1 };
                    let Some(Answer::Subjects(subjects)) = self.look(question) else {
                        all.outcome = Outcome::Open;
                        continue;
                    };
                    if subjects.len() > usize::try_from(most).unwrap_or(usize::MAX) {
                        return self.ends(Outcome::Failed(EvaluationLimit::FanOut));
                    }
                    subjects.iter().map(|object| Frame { relation: computed_userset_relation.clone(), object: *object }).collect()
                }
            };
            for frame in next {
                let found = self.go(&frame, depth + 1);
                match found.outcome {
                    Outcome::Denied => {}
                    Outcome::Open => all.outcome = Outcome::Open,
                    Outcome::Allowed(_) | Outcome::Failed(_) | Outcome::Settled => return found,
                }
                all.lowest = all.lowest.min(found.lowest);
                // A frame without a rule asks nothing of the depth.
                if self.rules.nodes(frame.object.kind, &frame.relation).is_some() {
                    all.height = all.height.max(found.height + 1);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::rules::Limits;
    use crate::value::ObjectType;

    const WIDTH: u128 = 40;

    fn object(layer: u128, place: u128) -> EntityRef {
        EntityRef { kind: ObjectType::ORG, id: Uuid::from_u128((7 << 76) | (8 << 60) | (layer << 32) | place) }
    }

    /// Every object of a layer leads to every one of the next; of the last, to nothing or back to the first.
    fn answer(question: &Question, layers: u128, in_a_circle: bool) -> Answer {
        match question {
            Question::Holds(_) => Answer::Holds(None),
            Question::Subjects { object: from, .. } => {
                let layer = (from.id.as_u128() >> 32) & 0xffff;
                let next = if layer + 1 < layers { Some(layer + 1) } else { in_a_circle.then_some(0) };
                // Few enough in one layer that no way without a circle is too deep.
                let width = |layer| if in_a_circle && layer == 0 { 3 } else { WIDTH };
                Answer::Subjects(next.into_iter().flat_map(|layer| (0..width(layer)).map(move |place| object(layer, place))).collect())
            }
        }
    }

    fn outcome(layers: u128, in_a_circle: bool, frames: u32) -> (Result<Checked, DomainError>, usize) {
        let (viewer, parent) = (Relation::parse("viewer").unwrap(), Relation::parse("parent").unwrap());
        let nodes = vec![Node::TupleToUserset { tupleset_relation: parent, computed_userset_relation: viewer.clone() }];
        let rules = Rules::new().with(ObjectType::ORG, viewer.clone(), nodes).limits(Limits::default().max_frames(frames));
        let evaluation = Evaluation::new(Arc::new(rules), object(99, 0), vec![viewer], object(0, 0));
        let mut known = HashMap::new();
        for round in 1.. {
            match evaluation.step(&known) {
                Step::Done(done) => return (done, round),
                Step::Ask(questions) => {
                    known.extend(questions.into_iter().map(|asked| (asked.clone(), answer(&asked, layers, in_a_circle))));
                }
            }
        }
        unreachable!("it comes to an end")
    }

    #[test]
    fn many_ways_to_few_objects_are_not_walked_one_by_one() {
        // 40^5 ways over 201 pairs.
        let (done, rounds) = outcome(6, false, 1_000);
        assert_eq!(done, Ok(Checked::by(None)));
        assert!(rounds <= 8, "{rounds}");
    }

    #[test]
    fn a_net_of_circles_meets_the_limit() {
        let limit = DomainError::EvaluationLimit(EvaluationLimit::Frames);
        assert_eq!(outcome(2, true, 10_000).0, Err(limit));
    }
}
