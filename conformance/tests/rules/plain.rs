//! The steps of spec/rules.md#evaluation, taken one after the other by a function that calls itself.

use std::collections::BTreeSet;

use tenantry_core::EvaluationLimit;
use tenantry_core::rules::Node;

/// Something with a type: the place of the type and a number.
pub(crate) type Entity = (usize, usize);

/// A tuple that counts. Its id is its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) subject: Entity,
    pub(crate) relation: usize,
    pub(crate) object: Entity,
}

/// Rules and tuples, in places of lists.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// By type and relation.
    pub(crate) rules: Vec<Vec<Option<Vec<Plan>>>>,
    pub(crate) tuples: Vec<Tuple>,
}

/// A node with places for relations.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plan {
    This,
    Computed(usize),
    /// The first relation, and the second.
    Through(usize, usize),
}

impl Plan {
    pub(crate) fn node(self, relation: impl Fn(usize) -> tenantry_core::Relation) -> Node {
        match self {
            Self::This => Node::This,
            Self::Computed(place) => Node::ComputedUserset { relation: relation(place) },
            Self::Through(first, second) => {
                Node::TupleToUserset { tupleset_relation: relation(first), computed_userset_relation: relation(second) }
            }
        }
    }
}

/// The limits, as the table gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) depth: usize,
    pub(crate) fan_out: usize,
    pub(crate) frames: usize,
}

impl Default for Most {
    fn default() -> Self {
        Self { depth: 8, fan_out: 1024, frames: 100_000 }
    }
}

/// The place of the tuple that allows, nothing where it is denied, or the limit that was met.
pub(crate) type Outcome = Result<Option<usize>, EvaluationLimit>;

/// One check on its way.
pub(crate) struct Check<'w> {
    pub(crate) world: &'w World,
    pub(crate) most: Most,
    pub(crate) subject: Entity,
    /// The pairs that were asked for.
    asked: BTreeSet<(usize, Entity)>,
    /// Whether a pair beyond the limit of frames was allowed by a tuple of its own: two sentences of the specification then say two
    /// things.
    pub(crate) is_torn: bool,
}

impl<'w> Check<'w> {
    pub(crate) fn new(world: &'w World, most: Most, subject: Entity) -> Self {
        Self { world, most, subject, asked: BTreeSet::new(), is_torn: false }
    }

    /// The first of these relations that is allowed, unless a limit is met before.
    pub(crate) fn any(&mut self, relations: &[usize], object: Entity) -> Outcome {
        for relation in relations {
            if let Some(place) = self.ask(*relation, object, &mut Vec::new())? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn ask(&mut self, relation: usize, object: Entity, way: &mut Vec<(usize, Entity)>) -> Outcome {
        self.asked.insert((relation, object));
        let world = self.world;
        // 1. A tuple with this subject, relation and object allows.
        let says = Tuple { subject: self.subject, relation, object };
        if let Some(place) = world.tuples.iter().position(|tuple| *tuple == says) {
            self.is_torn |= self.asked.len() > self.most.frames;
            return Ok(Some(place));
        }
        if self.asked.len() > self.most.frames {
            return Err(EvaluationLimit::Frames);
        }
        // 2. Without a rule it is denied.
        let Some(nodes) = &world.rules[object.0][relation] else { return Ok(None) };
        // 3. What is being asked for already, further up on the way, is denied on this way.
        if way.contains(&(relation, object)) {
            return Ok(None);
        }
        // 4. The way is too long.
        if way.len() >= self.most.depth {
            return Err(EvaluationLimit::Depth);
        }
        // 5. The nodes in their order: the first that allows ends the check, and an error before it likewise.
        way.push((relation, object));
        for node in nodes {
            let next: Vec<(usize, Entity)> = match *node {
                Plan::This => continue,
                Plan::Computed(other) => vec![(other, object)],
                Plan::Through(first, second) => {
                    let found = world.tuples.iter().filter(|tuple| (tuple.relation, tuple.object) == (first, object));
                    let subjects: Vec<Entity> = found.map(|tuple| tuple.subject).collect();
                    if subjects.len() > self.most.fan_out {
                        return Err(EvaluationLimit::FanOut);
                    }
                    subjects.into_iter().map(|subject| (second, subject)).collect()
                }
            };
            for (relation, object) in next {
                if let Some(place) = self.ask(relation, object, way)? {
                    return Ok(Some(place));
                }
            }
        }
        way.pop();
        // 6. No node allows.
        Ok(None)
    }
}
