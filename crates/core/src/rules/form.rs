//! Rules in JSON form.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Node, Rules, RulesError, RulesProblem};
use crate::json::Value;
use crate::role::Role;
use crate::value::{ObjectType, Relation};

impl Rules {
    /// Reads rules: `{type: {relation: [node]}}`, where a node is `{"type": "this"}`, `{"type": "computed_userset", "relation"}` or
    /// `{"type": "tuple_to_userset", "tupleset_relation", "computed_userset_relation"}`.
    ///
    /// # Errors
    /// The first thing that is wrong, in order of types and relations; see [`RulesProblem`].
    pub fn parse(value: &Value) -> Result<Self, RulesError> {
        let rules = Self::parse_open(value)?;
        rules.every_relation_is_reached()?;
        Ok(rules)
    }

    /// The same without asking that every relation that a rule leans on has an entry: one without is had by tuples only.
    ///
    /// # Errors
    /// As [`Rules::parse`], but never [`RulesProblem::Unreachable`].
    pub fn parse_open(value: &Value) -> Result<Self, RulesError> {
        let Value::Map(types) = value else { return Err(wrong("rules", RulesProblem::Shape("an object of types"))) };
        let mut rules = Self::new();
        for (type_name, relations) in types {
            let place = cut(type_name);
            let object_type = ObjectType::parse(type_name).ok_or_else(|| wrong(&place, RulesProblem::ObjectType))?;
            let Value::Map(relations) = relations else { return Err(wrong(&place, RulesProblem::Shape("an object of relations"))) };
            for (name, nodes) in relations {
                let place = format!("{place}.{}", cut(name));
                let name = relation(name, &place)?;
                let Value::List(nodes) = nodes else { return Err(wrong(&place, RulesProblem::Shape("a list of nodes"))) };
                let read = |(index, value): (usize, &Value)| node(value, &format!("{place}[{index}]"));
                let nodes = nodes.iter().enumerate().map(read).collect::<Result<_, _>>()?;
                rules = rules.with(object_type, name, nodes);
            }
        }
        Ok(rules)
    }

    fn every_relation_is_reached(&self) -> Result<(), RulesError> {
        let mut entries: Vec<_> = self.by_relation.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        let here = |on: ObjectType, relation: &Relation| self.by_relation.contains_key(&(on, relation.clone()));
        let anywhere = |relation: &Relation| self.by_relation.keys().any(|(_, name)| name == relation);
        for ((on, name), nodes) in entries {
            for (index, node) in nodes.iter().enumerate() {
                let unreached = |relation: &Relation, object_type| {
                    let problem = RulesProblem::Unreachable { relation: relation.to_string(), object_type };
                    Err(wrong(&format!("{on}.{name}[{index}]"), problem))
                };
                match node {
                    Node::ComputedUserset { relation } if !here(*on, relation) => return unreached(relation, Some(*on)),
                    Node::TupleToUserset { tupleset_relation, .. } if !here(*on, tupleset_relation) => {
                        return unreached(tupleset_relation, Some(*on));
                    }
                    Node::TupleToUserset { computed_userset_relation: relation, .. }
                        if !anywhere(relation) && Role::from_slug(relation.as_str()).is_none() =>
                    {
                        return unreached(relation, None);
                    }
                    Node::This | Node::ComputedUserset { .. } | Node::TupleToUserset { .. } => {}
                }
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Rules {
    /// Strictly, as [`Rules::parse`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn node(value: &Value, place: &str) -> Result<Node, RulesError> {
    let Value::Map(fields) = value else { return Err(wrong(place, RulesProblem::Shape("a node, which is an object"))) };
    let text = |key: &'static str| match fields.get(key) {
        Some(Value::Text(text)) => relation(text, place),
        _ => Err(wrong(place, RulesProblem::Shape(key))),
    };
    let Some(Value::Text(kind)) = fields.get("type") else { return Err(wrong(place, RulesProblem::Shape("a node with a `type`"))) };
    let (node, keys): (Node, &[&str]) = match kind.as_str() {
        "this" => (Node::This, &[]),
        "computed_userset" => (Node::ComputedUserset { relation: text("relation")? }, &["relation"]),
        "tuple_to_userset" => {
            let (tupleset_relation, computed_userset_relation) = (text("tupleset_relation")?, text("computed_userset_relation")?);
            let keys = &["tupleset_relation", "computed_userset_relation"];
            (Node::TupleToUserset { tupleset_relation, computed_userset_relation }, keys)
        }
        other => return Err(wrong(place, RulesProblem::NodeType(cut(other)))),
    };
    match fields.keys().find(|key| *key != "type" && !keys.contains(&key.as_str())) {
        Some(key) => Err(wrong(place, RulesProblem::Key(cut(key)))),
        None => Ok(node),
    }
}

fn relation(text: &str, place: &str) -> Result<Relation, RulesError> {
    Relation::parse(text).ok_or_else(|| wrong(place, RulesProblem::Relation(cut(text))))
}

fn wrong(place: &str, problem: RulesProblem) -> RulesError {
    RulesError { place: place.to_owned(), problem }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
