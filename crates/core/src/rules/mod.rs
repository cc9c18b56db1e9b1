//! Rewrite rules: relations that follow from other relations (spec/rules.md).
//!
//! [`Rules`] say which. An [`Evaluation`] answers one check without input or output: it asks for what it does not know yet,
//! the whole frontier at once, and decides as if it had walked the rules in their order, one look-up after the other.

mod evaluation;
mod form;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::id::TupleId;
use crate::value::{ObjectType, Relation};

pub use evaluation::{Evaluation, Step};

/// One way to come by a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// By a tuple. Every relation can be had so, whether this node is there or not.
    This,
    /// By another relation to the same object.
    ComputedUserset {
        /// The other relation.
        relation: Relation,
    },
    /// By a relation to whatever stands in another relation to the object, as to its parent.
    TupleToUserset {
        /// The relation that leads from the object to its subjects.
        tupleset_relation: Relation,
        /// The relation that one must have to one of them.
        computed_userset_relation: Relation,
    },
}

/// How far an evaluation may go; beyond that it is neither yes nor no, but
/// [`EvaluationLimit`](crate::DomainError::EvaluationLimit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many rules may follow each other: 1 to 64, 8 unless said otherwise.
    depth: u32,
    /// How many tuples one hop may find: 1 to 100,000, 1,024 unless said otherwise.
    fan_out: u32,
    /// How many pairs of relation and object one check may meet: 1 to 1,000,000, 100,000 unless said otherwise.
    frames: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 8, fan_out: 1024, frames: 100_000 }
    }
}

impl Limits {
    /// So many rules may follow each other: 1 to 64, other numbers are brought into these bounds.
    #[must_use]
    pub fn max_depth(mut self, depth: u32) -> Self {
        self.depth = depth.clamp(1, 64);
        self
    }

    /// So many tuples may one hop find: 1 to 100,000, other numbers are brought into these bounds.
    #[must_use]
    pub fn max_fan_out(mut self, subjects: u32) -> Self {
        self.fan_out = subjects.clamp(1, 100_000);
        self
    }

    /// How often one check may look at a pair.
    fn looks(self) -> u32 {
        (self.frames * 4).max(100_000)
    }

    /// So many pairs of relation and object may one check meet: 1 to 1,000,000, other numbers are brought into these bounds. It may
    /// look at pairs four times as often, and at least 100,000 times.
    #[must_use]
    pub fn max_frames(mut self, frames: u32) -> Self {
        self.frames = frames.clamp(1, 1_000_000);
        self
    }
}

/// The rules of a deployment. Without any, a check finds exactly what is stored or derived.
///
/// They are read from JSON, strictly: every type and relation has its form, every node type is known, and every relation that a
/// rule leans on has an entry of its own, so that a slip of the pen is refused instead of never granting anything.
///
/// ```
/// use tenantry_core::json::Value;
/// use tenantry_core::rules::Rules;
/// # fn value(text: &str) -> Value { serde_json::from_str(text).unwrap() }
/// let rules = Rules::parse(&value(r#"{"doc": {
///     "owner": [{"type": "this"}],
///     "editor": [{"type": "this"}, {"type": "computed_userset", "relation": "owner"}]
/// }}"#)).unwrap();
/// assert_eq!(rules.len(), 2);
/// let slip = Rules::parse(&value(r#"{"doc": {"editor": [{"type": "computed_userset", "relation": "onwer"}]}}"#)).unwrap_err();
/// assert_eq!(slip.to_string(), "`doc.editor[0]`: nothing reaches the relation `onwer`, since `doc` has no entry for it");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    by_relation: HashMap<(ObjectType, Relation), Vec<Node>>,
    limits: Limits,
}

impl Rules {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// A rule more: the relation on objects of the type follows from any of the nodes, looked at in their order. A rule for the
    /// same relation is replaced.
    #[must_use]
    pub fn with(mut self, object_type: ObjectType, relation: Relation, nodes: Vec<Node>) -> Self {
        self.by_relation.insert((object_type, relation), nodes);
        self
    }

    /// With these limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many relations have a rule.
    pub fn len(&self) -> usize {
        self.by_relation.len()
    }

    /// True when there is no rule.
    pub fn is_empty(&self) -> bool {
        self.by_relation.is_empty()
    }

    /// The nodes of a relation's rule; nothing when it has none.
    pub fn nodes(&self, object_type: ObjectType, relation: &Relation) -> Option<&[Node]> {
        if self.by_relation.is_empty() {
            return None;
        }
        self.by_relation.get(&(object_type, relation.clone())).map(Vec::as_slice)
    }
}

/// What is wrong with rules in JSON form, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {problem}")]
pub struct RulesError {
    /// Where, such as `doc.viewer[2]`.
    pub place: String,
    /// What.
    pub problem: RulesProblem,
}

/// What is wrong with rules in JSON form. Words of the input are cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RulesProblem {
    /// Not what stands here.
    Shape(&'static str),
    /// Not a type's name.
    ObjectType,
    /// Not a relation's name.
    Relation(String),
    /// No such node type.
    NodeType(String),
    /// A key that the node does not have.
    Key(String),
    /// A relation that nothing on this type, or on any type, leads to.
    Unreachable {
        /// The relation.
        relation: String,
        /// The type that has no entry for it; `None` when no type has one.
        object_type: Option<ObjectType>,
    },
}

impl fmt::Display for RulesProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(expected) => write!(f, "expected {expected}"),
            Self::ObjectType => f.write_str("a type has 2 to 6 of `a-z`"),
            Self::Relation(text) => write!(f, "`{text}` is no relation, which has 2 to 32 of `a-z` and `_`"),
            Self::NodeType(text) => {
                write!(f, "there is no node type `{text}`; there are `this`, `computed_userset` and `tuple_to_userset`")
            }
            Self::Key(text) => write!(f, "the node has no key `{text}`"),
            Self::Unreachable { relation, object_type: Some(on) } => {
                write!(f, "nothing reaches the relation `{relation}`, since `{on}` has no entry for it")
            }
            Self::Unreachable { relation, object_type: None } => {
                write!(f, "nothing reaches the relation `{relation}`, since no type has an entry for it and no role is called so")
            }
        }
    }
}

/// What a check answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// Whether the subject stands in the relation.
    pub allowed: bool,
    /// The tuple that shows it.
    pub matched_tuple_id: Option<TupleId>,
}

impl Checked {
    pub(crate) const fn by(tuple: Option<TupleId>) -> Self {
        Self { allowed: tuple.is_some(), matched_tuple_id: tuple }
    }
}
