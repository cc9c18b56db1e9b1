//! The machine that asks: its outcome does not depend on which question is answered first, and is that of the plain steps.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRng;
use tenantry_core::rules::{Evaluation, Limits, Rules, Step};
use tenantry_core::{Answer, DomainError, EntityRef, EvaluationLimit, ObjectType, Question, Relation, TupleId, TupleKey};
use uuid::Uuid;

use crate::plain::{Check, Entity, Most, Outcome, Plan, Tuple, World};

/// Users can be followed, and have rules, as everything else.
const TYPES: [&str; 3] = ["doc", "folder", "usr"];
const RELATIONS: [&str; 4] = ["viewer", "editor", "parent", "owner"];
/// Of each type.
const ENTITIES: usize = 3;

fn kind(place: usize) -> ObjectType {
    ObjectType::parse(TYPES[place]).expect("a type")
}

fn relation(place: usize) -> Relation {
    Relation::parse(RELATIONS[place]).expect("a relation")
}

fn uuid(group: u64, number: usize) -> Uuid {
    Uuid::from_u64_pair((group << 32) | 0x7000, 0x8000_0000_0000_0000 | number as u64)
}

fn entity((place, number): Entity) -> EntityRef {
    EntityRef { kind: kind(place), id: uuid(place as u64 + 1, number) }
}

fn back(entity: EntityRef) -> Entity {
    let place = TYPES.iter().position(|name| *name == entity.kind.as_str()).expect("a type");
    (place, usize::try_from(entity.id.as_u64_pair().1 & 0xffff_ffff).expect("a number"))
}

fn tuple_id(place: usize) -> TupleId {
    TupleId::from_uuid(uuid(0x0196_0000, place)).expect("an id")
}

fn any_entity() -> impl Strategy<Value = Entity> {
    (0..TYPES.len(), 0..ENTITIES)
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let relation = || 0..RELATIONS.len();
    prop_oneof![
        1 => Just(Plan::This),
        3 => relation().prop_map(Plan::Computed),
        4 => (relation(), relation()).prop_map(|(first, second)| Plan::Through(first, second)),
    ]
}

fn any_world() -> impl Strategy<Value = World> {
    let rule = prop::option::weighted(0.7, prop::collection::vec(any_plan(), 0..4));
    let rules = prop::collection::vec(prop::collection::vec(rule, RELATIONS.len()), TYPES.len());
    let tuple =
        (any_entity(), 0..RELATIONS.len(), any_entity()).prop_map(|(subject, relation, object)| Tuple { subject, relation, object });
    (rules, prop::collection::vec(tuple, 0..24)).prop_map(|(rules, tuples)| {
        let mut world = World { rules, tuples: Vec::new() };
        // No two say the same.
        for tuple in tuples {
            if !world.tuples.contains(&tuple) {
                world.tuples.push(tuple);
            }
        }
        world
    })
}

fn any_limits() -> impl Strategy<Value = Most> {
    let frames = prop_oneof![2 => Just(100_000_usize), 1 => 1..12_usize];
    prop_oneof![
        1 => Just(Most::default()),
        2 => (1..9_usize, prop_oneof![Just(1024_usize), 1..4_usize], frames)
            .prop_map(|(depth, fan_out, frames)| Most { depth, fan_out, frames }),
    ]
}

fn limits(most: Most) -> Limits {
    let number = |most: usize| u32::try_from(most).expect("a small number");
    Limits::default().max_depth(number(most.depth)).max_fan_out(number(most.fan_out)).max_frames(number(most.frames))
}

fn rules(world: &World, most: Most) -> Arc<Rules> {
    let mut rules = Rules::new().limits(limits(most));
    for (place, relations) in world.rules.iter().enumerate() {
        for (name, nodes) in relations.iter().enumerate() {
            if let Some(nodes) = nodes {
                rules = rules.with(kind(place), relation(name), nodes.iter().map(|plan| plan.node(relation)).collect());
            }
        }
    }
    Arc::new(rules)
}

/// What a store would answer.
fn answer(world: &World, question: &Question) -> Answer {
    let place = |relation: &Relation| RELATIONS.iter().position(|name| *name == relation.as_str()).expect("a relation");
    match question {
        Question::Holds(TupleKey { subject, relation, object }) => {
            let says = Tuple { subject: back(*subject), relation: place(relation), object: back(*object) };
            Answer::Holds(world.tuples.iter().position(|tuple| *tuple == says).map(tuple_id))
        }
        Question::Subjects { relation, object, most } => {
            let found = world.tuples.iter().filter(|tuple| (tuple.relation, tuple.object) == (place(relation), back(*object)));
            Answer::Subjects(found.map(|tuple| entity(tuple.subject)).take(usize::try_from(*most).expect("a number")).collect())
        }
    }
}

/// Which of the questions are answered next.
type Choice<'c> = &'c mut dyn FnMut(&[Question]) -> Vec<usize>;

/// Steps the evaluation to its end; answers its outcome and how often it asked.
fn drive(
    evaluation: &Evaluation,
    choice: Choice<'_>,
    mut answer: impl FnMut(&Question) -> Answer,
) -> Result<(Outcome, usize), TestCaseError> {
    let mut known = HashMap::new();
    for rounds in 0.. {
        let asked = match evaluation.step(&known) {
            Step::Done(Ok(checked)) => {
                prop_assert_eq!(checked.allowed, checked.matched_tuple_id.is_some());
                let place =
                    checked.matched_tuple_id.map(|id| usize::try_from(id.as_uuid().as_u64_pair().1 & 0xffff_ffff).expect("a number"));
                return Ok((Ok(place), rounds));
            }
            Step::Done(Err(DomainError::EvaluationLimit(limit))) => return Ok((Err(limit), rounds)),
            Step::Done(Err(other)) => return Err(TestCaseError::fail(format!("{other:?}"))),
            Step::Ask(asked) => asked,
        };
        prop_assert!(!asked.is_empty(), "it asks for nothing");
        prop_assert_eq!(asked.iter().collect::<HashSet<_>>().len(), asked.len(), "it asks twice: {:?}", asked);
        prop_assert!(asked.iter().all(|question| !known.contains_key(question)), "it asks again: {:?}", asked);
        for place in choice(&asked) {
            known.insert(asked[place].clone(), answer(&asked[place]));
        }
    }
    unreachable!("it asks without end")
}

/// In every order, and compared with the plain steps.
fn compare(world: &World, most: Most, relations: &[usize], object: Entity, seed: u64) -> Result<(), TestCaseError> {
    let subject = (2, 0);
    let mut check = Check::new(world, most, subject);
    let expected = check.any(relations, object);
    let evaluation =
        Evaluation::new(rules(world, most), entity(subject), relations.iter().map(|place| relation(*place)).collect(), entity(object));

    let (at_once, rounds) = drive(&evaluation, &mut |asked| (0..asked.len()).collect(), |question| answer(world, question))?;
    if !check.is_torn {
        prop_assert_eq!(at_once, expected);
    }
    prop_assert!(rounds <= most.depth + 1, "{} rounds of questions with a depth of {}", rounds, most.depth);

    let mut random = TestRng::from_seed(proptest::test_runner::RngAlgorithm::XorShift, &(u128::from(seed) | 1 << 64).to_le_bytes());
    let mut first = |_: &[Question]| vec![0];
    let mut last = |asked: &[Question]| vec![asked.len() - 1];
    let mut one = {
        let mut random = random.clone();
        move |asked: &[Question]| vec![random.random_range(0..asked.len())]
    };
    let mut some = move |asked: &[Question]| {
        let some: BTreeSet<usize> = (0..=random.random_range(0..asked.len())).map(|_| random.random_range(0..asked.len())).collect();
        some.into_iter().collect()
    };
    let choices: [(&str, Choice<'_>); 4] = [("the first", &mut first), ("the last", &mut last), ("any one", &mut one), ("some", &mut some)];
    for (what, choice) in choices {
        let (outcome, _) = drive(&evaluation, choice, |question| answer(world, question))?;
        prop_assert_eq!(outcome, at_once, "{} answered first", what);
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(3_000))]

    // covers: RUL-1, RUL-2, RUL-3, RUL-4, RUL-5, RUL-6, RUL-7, RUL-8, RUL-9, RUL-10, RUL-11, RUL-12, RUL-14, RUL-15, TUP-36, TUP-37
    #[test]
    fn the_outcome_is_that_of_the_steps_in_whatever_order_answers_come(
        world in any_world(),
        most in any_limits(),
        relations in prop::collection::vec(0..RELATIONS.len(), 1..4),
        object in any_entity(),
        seed in any::<u64>(),
    ) {
        compare(&world, most, &relations, object, seed)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(500))]

    // covers: RUL-13
    #[test]
    fn the_order_of_tuples_does_not_decide_whether_it_allows(
        world in any_world(),
        relation in 0..RELATIONS.len(),
        object in any_entity(),
    ) {
        let allows = |world: &World| Check::new(world, Most::default(), (2, 0)).any(&[relation], object).map(|place| place.is_some());
        let evaluated = |world: &World| {
            let evaluation =
                Evaluation::new(rules(world, Most::default()), entity((2, 0)), vec![super::evaluation::relation(relation)], entity(object));
            drive(&evaluation, &mut |asked| (0..asked.len()).collect(), |question| answer(world, question)).map(|(outcome, _)| outcome)
        };
        let mut turned = world.clone();
        turned.tuples.reverse();
        let (one, other) = (evaluated(&world)?.map(|place| place.is_some()), evaluated(&turned)?.map(|place| place.is_some()));
        prop_assert_eq!(one, allows(&world));
        // A limit that one of them meets may lie behind what allows in the other.
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(one, other);
        }
    }
}

/// Random worlds must lead somewhere: each kind of outcome, and ways that come back.
#[test]
fn random_worlds_come_to_every_outcome() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for _ in 0..8_000 {
        let tree = (any_world(), any_limits(), 0..RELATIONS.len(), any_entity()).new_tree(&mut runner).expect("a world");
        let (world, most, relation, object) = tree.current();
        let mut check = Check::new(&world, most, (2, 0));
        let outcome = check.any(&[relation], object);
        let direct = world.tuples.contains(&Tuple { subject: (2, 0), relation, object });
        let what = match outcome {
            Ok(Some(_)) if direct => "a tuple".to_owned(),
            Ok(Some(_)) => "a rule".to_owned(),
            Ok(None) => "denied".to_owned(),
            Err(limit) => format!("{limit:?}"),
        };
        *seen.entry(what).or_default() += 1;
        *seen.entry("torn".to_owned()).or_default() += usize::from(check.is_torn);
    }
    for wanted in ["a tuple", "a rule", "denied", "Depth", "FanOut", "Frames"] {
        assert!(seen.get(wanted).is_some_and(|count| *count >= 8), "{wanted}: {seen:?}");
    }
}

/// A check that follows `hops` times whatever stands in `parent`, with answers that are made up on the way.
fn through(hops: usize, most: Most) -> Evaluation {
    let up = vec![Plan::Through(2, 0).node(relation)];
    let rules = (0..TYPES.len()).fold(Rules::new().limits(limits(most)), |rules, place| rules.with(kind(place), relation(0), up.clone()));
    assert!(hops > 0);
    Evaluation::new(Arc::new(rules), entity((2, 0)), vec![relation(0)], entity((1, 0)))
}

/// One hop that finds so many subjects, of which the last would allow.
fn wide(subjects: usize) -> Outcome {
    let answered = |question: &Question| match question {
        Question::Holds(key) => Answer::Holds((back(key.object) == (1, subjects)).then(|| tuple_id(7))),
        Question::Subjects { object, most, .. } if back(*object) == (1, 0) => {
            Answer::Subjects((1..=subjects).map(|number| entity((1, number))).take(usize::try_from(*most).expect("a number")).collect())
        }
        Question::Subjects { .. } => Answer::Subjects(Vec::new()),
    };
    let (outcome, rounds) = drive(&through(1, Most::default()), &mut |asked| (0..asked.len()).collect(), answered).expect("an outcome");
    assert!(rounds <= 9, "{rounds}");
    outcome
}

// covers: RUL-14
#[test]
fn a_hop_to_1024_subjects_asks_for_each_and_one_to_more_meets_the_limit() {
    assert_eq!(wide(1), Ok(Some(7)));
    assert_eq!(wide(1024), Ok(Some(7)));
    for subjects in [1025, 1026, 10_000] {
        assert_eq!(wide(subjects), Err(EvaluationLimit::FanOut), "{subjects}");
    }
}

/// Two hops, to so many subjects each time: each pair is another one.
fn pairs(first: usize, second: usize) -> Outcome {
    let answered = |question: &Question| match question {
        Question::Holds(_) => Answer::Holds(None),
        Question::Subjects { object, .. } => Answer::Subjects(match back(*object) {
            (1, 0) => (1..=first).map(|number| entity((1, number))).collect(),
            (1, number) => (0..second).map(|child| entity((0, number * 10_000 + child))).collect(),
            _ => Vec::new(),
        }),
    };
    drive(&through(2, Most::default()), &mut |asked| (0..asked.len()).collect(), answered).expect("an outcome").0
}

// covers: RUL-15
#[test]
fn a_check_of_100_000_pairs_is_answered_and_one_of_more_meets_the_limit() {
    // The check's own pair, those of the first hop, and those of the second: 1 + 369 + 369 * 270 = 100,000.
    assert_eq!(pairs(369, 270), Ok(None));
    // 1 + 1000 + 1000 * 99 = 100,001.
    assert_eq!(pairs(1000, 99), Err(EvaluationLimit::Frames));
}
