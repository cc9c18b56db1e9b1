//! The same question, about the same data, in the same process: `cedar-policy` and `casbin` beside Tenantry's kept answers.
//!
//! A thousand organizations, each owned by one user, by a role of the system that grants twenty permissions; and in each the owner of
//! another one is a member too, by a role of that organization's own, which grants them as well. Asked is whether one of the owners, or
//! of these members, may do one of the twenty, any of these, in that organization. The peers get it in the form that suits them best:
//! requests, entities and texts are made before the clock runs; of cedar's entities those alone that the question is about; and of
//! casbin's matcher the comparison comes first that leaves the least to do. Before anything is timed all have to agree, on what is
//! allowed and on what is not.
#![allow(clippy::print_stdout, reason = "a bench talks to the person who runs it")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use casbin::rhai::ImmutableString;
use casbin::{CachedApi, CachedEnforcer, CoreApi, DefaultCache, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use cedar_policy::{Authorizer, Context as CedarContext, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression};
use clap::Parser;
use tenantry_bench::figures::{Goal, Run};
use tenantry_bench::fill;
use tenantry_bench::floor::map::{self, Map};
use tenantry_bench::machine::Machine;
use tenantry_bench::measure::{Effort, Entrant, Side, counting, measure, over_runs, verdict};
use tenantry_bench::scene::{self, CATALOG, HELD, Pair};
use tenantry_bench::sides::{blocking, by_reference};
use tenantry_bench::world::{self, Chance, World};
use tenantry_core::{AccessStore, AddMember, CachedResolver, CreateRole, PermissionResolver, TenancyStore};
use tokio::runtime::{Builder, Runtime};

/// Organizations, and owners.
const SIZE: u32 = 1000;

/// Questions of a sample: of what takes microseconds, and of what takes nanoseconds.
const FEW: usize = 32;
const MANY: usize = 1024;

#[derive(Debug, Parser)]
#[command(name = "tenantry-peers", about = "Asks other libraries for authorization what Tenantry is asked")]
struct Args {
    /// Fewer and shorter runs
    #[arg(long)]
    quick: bool,
    /// Also write what was found to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A user, an organization and a permission, by their numbers.
#[derive(Debug, Clone, Copy)]
struct Question {
    user: u32,
    org: u32,
    permission: u32,
}

/// How far from their own organization the one is in which users are members by a role of its own.
const GUEST: u32 = 1;

/// And one that they have nothing to do with.
const ELSEWHERE: u32 = 2;

impl Question {
    /// What a user may do in an organization that stands so far from their own.
    const fn of(user: u32, away: u32, permission: u32) -> Self {
        Self { user, org: (user + away) % SIZE, permission }
    }

    /// One about an owner that is answered with yes.
    fn any(chance: &mut Chance) -> Self {
        Self::of(chance.below(SIZE), 0, chance.below(HELD))
    }

    /// One about a member by a role of the organization's own.
    fn of_a_guest(chance: &mut Chance) -> Self {
        Self::of(chance.below(SIZE), GUEST, chance.below(HELD))
    }

    /// The same, always about the permission that is granted first.
    fn of_the_first(chance: &mut Chance) -> Self {
        Self { permission: 0, ..Self::any(chance) }
    }

    fn pair(self) -> Result<Pair> {
        Ok((world::user_id(self.user)?, world::org_id(self.org)?))
    }

    /// Where its answer, or what is asked with it, stands in a list of all questions about owners.
    fn place(self) -> Result<usize> {
        Ok(usize::try_from(self.user * HELD + self.permission)?)
    }

    /// Those on which all have to agree, of one user: where they may and where they may not, what is granted, the next permission, which
    /// is not, and one that nobody has heard of.
    fn to_agree_on(user: u32, away: u32) -> impl Iterator<Item = Self> {
        let places = [away, ELSEWHERE].into_iter();
        places.flat_map(move |away| [0, 1, HELD / 2, HELD - 1, HELD, CATALOG].map(|permission| Self::of(user, away, permission)))
    }
}

/// One of those that are asked.
struct Peer {
    name: &'static str,
    goal: Goal,
    /// Its answer, however long it takes.
    allows: Box<dyn Fn(Question) -> Result<bool>>,
    side: Box<dyn Side>,
    question: fn(&mut Chance) -> Question,
    /// Where it is asked about, seen from a user's own organization, and about how many users it has to agree: some are slow.
    away: u32,
    users: u32,
}

/// What was found about one of them.
#[derive(serde::Serialize)]
struct Found {
    goal_row: &'static str,
    peer: &'static str,
    floor_us: f64,
    peer_us: f64,
    us: f64,
    times: f64,
    goal: Goal,
    runs: Vec<Run>,
}

#[derive(serde::Serialize)]
struct Report {
    quick: bool,
    machine: Machine,
    rows: Vec<Found>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = Builder::new_current_thread().build()?;
    let world = World::new(SIZE);
    let resolver = ours(&runtime, world)?;
    let floor = Map::of(world)?;
    let machine = Machine::look(&std::env::temp_dir())?;
    let mut peers = vec![
        cedar(1, "cedar-policy, 1 policy", Question::any)?,
        cedar(1, "cedar-policy, 1 policy, 1 permission", Question::of_the_first)?,
        cedar(10, "cedar-policy, 10 policies", Question::any)?,
    ];
    peers.extend(casbins(&runtime)?);
    let mut agreed = 0;
    for peer in &peers {
        agreed += agree(&runtime, &resolver, peer)?;
    }
    println!("{SIZE} organizations, {HELD} permissions; {agreed} answers agree");
    if let Some(load) = &machine.load {
        println!("{} {}, {} threads, load {load}", machine.system, machine.cpu.as_deref().unwrap_or_default(), machine.cores);
    }
    println!("{:<38} {:>10} {:>10} {:>10} {:>9}  goal", "", "floor", "peer", "Tenantry", "times");
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let mut rows = Vec::new();
    for Peer { name, goal, side, question, .. } in peers {
        let (mut chance, mut others) = (Chance::begin(), Chance::begin());
        let key = move || question(&mut chance).pair().map(|(usr, org)| map::key(usr, org));
        let look_up = by_reference(MANY, key, |key| Ok(floor.get(*key).is_some()));
        let slugs = scene::some(HELD);
        let make = || {
            let question = question(&mut others);
            Ok((question.pair()?, slugs.get(usize::try_from(question.permission)?).context("a permission")?.as_str()))
        };
        let ask = |((usr, org), slug): &(Pair, &str)| resolver.has_permission_now(*usr, *org, black_box(slug)).context("it is not kept");
        // The first is the one whose blocks are compared with the last one's.
        let mut entrants = [Entrant::new(name, side), Entrant::new("map", look_up), Entrant::new("Tenantry", by_reference(MANY, make, ask))];
        let runs = measure(effort, &mut entrants)?;
        let median = |at: usize| over_runs(&runs, |run| run.sides.get(at).map_or(0.0, |side| side.p50_us));
        let (peer_us, floor_us, us, ratio) = (median(0), median(1), median(2), over_runs(&runs, |run| run.ratio));
        let verdict = match goal {
            Goal::AtMost(most) => format!("{:.0}: {:?}", 1.0 / most, verdict(effort, &runs, goal, us, ratio)).to_lowercase(),
            _ => String::new(),
        };
        let times = 1.0 / ratio;
        println!(
            "{name:<38} {:>7.1} ns {:>7.0} ns {:>7.1} ns {times:>7.0} x  {verdict} ({} of {} runs)",
            floor_us * 1e3,
            peer_us * 1e3,
            us * 1e3,
            counting(&runs).count(),
            runs.len()
        );
        rows.push(Found { goal_row: "10", peer: name, floor_us, peer_us, us, times, goal, runs });
    }
    if let Some(file) = args.json {
        let report = Report { quick: args.quick, machine, rows };
        std::fs::write(&file, serde_json::to_string_pretty(&report)?).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(())
}

/// A filled store, and every answer kept.
fn ours(runtime: &Runtime, world: World) -> Result<CachedResolver> {
    runtime.block_on(async {
        let store = tenantry_memory::new();
        fill::memory::import(&store, world).await?;
        scene::furnish(&store, world).await?;
        for user in 0..SIZE {
            let (usr, org) = Question::of(user, GUEST, 0).pair()?;
            store.create_role(CreateRole::new(org, "guide").permissions(scene::some(HELD))).await?;
            store.add_member(AddMember::new(org, usr, "guide")).await?;
        }
        let resolver = CachedResolver::new(Arc::new(store));
        for user in 0..SIZE {
            for away in [0, GUEST] {
                let (usr, org) = Question::of(user, away, 0).pair()?;
                ensure!(resolver.has_permission(usr, org, scene::PERMISSION).await?, "{usr} does not hold it");
            }
        }
        Ok(resolver)
    })
}

/// Looks that a peer answers as we do, with yes and with no. Answers how many answers were compared.
fn agree(runtime: &Runtime, resolver: &CachedResolver, peer: &Peer) -> Result<u32> {
    let (mut allowed, mut asked) = (0, 0);
    for question in (0..peer.users).flat_map(|user| Question::to_agree_on(user, peer.away)) {
        let ((usr, org), slug) = (question.pair()?, scene::permission(question.permission));
        let (ours, theirs) = (runtime.block_on(resolver.has_permission(usr, org, &slug))?, (peer.allows)(question)?);
        ensure!(ours == theirs, "{}: {question:?} is answered with {theirs}, and by Tenantry with {ours}", peer.name);
        allowed += u32::from(ours);
        asked += 1;
    }
    // Four of six permissions, in one of two organizations.
    ensure!(allowed == 4 * peer.users && asked == 12 * peer.users, "{allowed} of {asked} questions were answered with yes");
    Ok(asked)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(kind.parse()?, id.parse().map_err(|never: std::convert::Infallible| match never {})?))
}

/// What cedar is asked about one owner in one organization: with each permission that the role grants and no other entity.
fn slice(question: Question) -> Result<Entities> {
    let (usr, org) = question.pair()?;
    let team = |n: u32| uid("Team", &format!("owners-{n}"));
    let none = HashSet::new;
    let mut entities = vec![
        Entity::new_no_attrs(uid("User", &usr.to_string())?, HashSet::from([team(question.user)?])),
        Entity::new_no_attrs(team(question.user)?, none()),
        Entity::new(
            uid("Org", &org.to_string())?,
            [("owners".to_owned(), RestrictedExpression::new_entity_uid(team(question.org)?))].into(),
            none(),
        )?,
        Entity::new_no_attrs(uid("Action", "owned")?, none()),
    ];
    if question.org != question.user {
        entities.push(Entity::new_no_attrs(team(question.org)?, none()));
    }
    for permission in scene::some(HELD) {
        entities.push(Entity::new_no_attrs(uid("Action", &permission)?, HashSet::from([uid("Action", "owned")?])));
    }
    Ok(Entities::from_entities(entities, None)?)
}

fn request(question: Question) -> Result<Request> {
    let (usr, org) = question.pair()?;
    let action = uid("Action", &scene::permission(question.permission))?;
    Ok(Request::new(uid("User", &usr.to_string())?, action, uid("Org", &org.to_string())?, CedarContext::empty(), None)?)
}

/// One policy lets owners do all of it where they own; the others are about other actions, and say nothing here.
fn cedar(policies: u32, name: &'static str, question: fn(&mut Chance) -> Question) -> Result<Peer> {
    let mut text = String::from("permit(principal, action in Action::\"owned\", resource) when { principal in resource.owners };\n");
    for n in 1..policies {
        writeln!(text, "permit(principal, action == Action::\"other-{n}\", resource) when {{ principal in resource.owners }};")?;
    }
    let policy_set: Rc<PolicySet> = Rc::new(text.parse()?);
    let authorizer = Rc::new(Authorizer::new());
    let mut slices = Vec::new();
    let mut requests = Vec::new();
    for user in 0..SIZE {
        slices.push(slice(Question::of(user, 0, 0))?);
        for permission in 0..HELD {
            requests.push(request(Question::of(user, 0, permission))?);
        }
    }
    let (also, set) = (Rc::clone(&authorizer), Rc::clone(&policy_set));
    let allows = move |question| Ok(also.is_authorized(&request(question)?, &set, &slice(question)?).decision() == Decision::Allow);
    let mut chance = Chance::begin();
    let make = move || {
        let question = question(&mut chance);
        Ok((question.place()?, usize::try_from(question.org)?))
    };
    let side = blocking(FEW, make, move |(place, org)| {
        let (request, entities) = (requests.get(place).context("a request")?, slices.get(org).context("entities")?);
        ensure!(authorizer.is_authorized(request, &policy_set, entities).decision() == Decision::Allow, "cedar denies it");
        Ok(())
    });
    let goal = Goal::AtMost(1.0 / 200.0);
    Ok(Peer { name, goal, allows: Box::new(allows), side, question, away: 0, users: SIZE })
}

const MODEL: &str = "
[request_definition]
r = sub, dom, act

[policy_definition]
p = sub, act

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.act == p.act && g(r.sub, p.sub, r.dom)
";

/// One role for all organizations, so that there are as few lines as there can be: one for each permission, in their order.
async fn filled<E: CoreApi + MgmtApi>() -> Result<E> {
    let mut enforcer = E::new(DefaultModel::from_str(MODEL).await?, MemoryAdapter::default()).await?;
    enforcer.add_policies(scene::some(HELD).into_iter().map(|permission| vec!["owner".to_owned(), permission]).collect()).await?;
    let owners = (0..SIZE).map(|user| {
        let (usr, org) = Question::of(user, 0, 0).pair()?;
        Ok(vec![usr.to_string(), "owner".to_owned(), org.to_string()])
    });
    enforcer.add_grouping_policies(owners.collect::<Result<_>>()?).await?;
    Ok(enforcer)
}

/// Texts as casbin's evaluator keeps them: they are handed over without being copied.
fn terms(question: Question) -> Result<Vec<ImmutableString>> {
    let (usr, org) = question.pair()?;
    Ok([usr.to_string(), org.to_string(), scene::permission(question.permission)].map(ImmutableString::from).to_vec())
}

fn casbin_of<E: CoreApi + 'static>(enforcer: E, name: &'static str, goal: Goal, question: fn(&mut Chance) -> Question) -> Result<Peer> {
    asking(enforcer, name, goal, question, 0, SIZE)
}

fn asking<E: CoreApi + 'static>(
    enforcer: E,
    name: &'static str,
    goal: Goal,
    question: fn(&mut Chance) -> Question,
    away: u32,
    users: u32,
) -> Result<Peer> {
    let mut asked = Vec::new();
    for user in 0..SIZE {
        for permission in 0..HELD {
            asked.push(terms(Question::of(user, away, permission))?);
        }
    }
    let enforcer = Rc::new(enforcer);
    let also = Rc::clone(&enforcer);
    let mut chance = Chance::begin();
    let make = move || asked.get(question(&mut chance).place()?).cloned().context("a question");
    let side = blocking(if users < SIZE { FEW / 2 } else { FEW }, make, move |terms: Vec<ImmutableString>| {
        ensure!(enforcer.enforce(terms)?, "casbin denies it");
        Ok(())
    });
    let allows = move |question| Ok(also.enforce(terms(question)?)?);
    Ok(Peer { name, goal, allows: Box::new(allows), side, question, away, users })
}

const MODEL_WITH_ROLES: &str = "
[request_definition]
r = sub, dom, act

[policy_definition]
p = sub, dom, act

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.dom == p.dom && r.act == p.act && g(r.sub, p.sub, r.dom)
";

/// A role for each organization: as many lines as there are roles, and permissions that they grant.
async fn filled_with_roles() -> Result<Enforcer> {
    let mut enforcer = Enforcer::new(DefaultModel::from_str(MODEL_WITH_ROLES).await?, MemoryAdapter::default()).await?;
    let (mut lines, mut members) = (Vec::new(), Vec::new());
    for user in 0..SIZE {
        let (usr, org) = Question::of(user, GUEST, 0).pair()?;
        lines.extend(scene::some(HELD).into_iter().map(|permission| vec!["guide".to_owned(), org.to_string(), permission]));
        members.push(vec![usr.to_string(), "guide".to_owned(), org.to_string()]);
    }
    enforcer.add_policies(lines).await?;
    enforcer.add_grouping_policies(members).await?;
    Ok(enforcer)
}

fn casbins(runtime: &Runtime) -> Result<[Peer; 4]> {
    let goal = Goal::AtMost(1.0 / 1900.0);
    // One that keeps all of the answers: there are no more questions than that.
    let mut keeping: CachedEnforcer = runtime.block_on(filled())?;
    keeping.set_cache(Box::new(DefaultCache::new(10 * usize::try_from(SIZE * HELD)?)));
    for user in 0..SIZE {
        for permission in 0..HELD {
            keeping.enforce(terms(Question::of(user, 0, permission))?)?;
        }
    }
    Ok([
        asking(runtime.block_on(filled_with_roles())?, "casbin, roles of 1,000 organizations", goal, Question::of_a_guest, GUEST, 10)?,
        casbin_of(runtime.block_on(filled::<Enforcer>())?, "casbin, one role for all of them", goal, Question::any)?,
        casbin_of(runtime.block_on(filled::<Enforcer>())?, "casbin, one role, 1 permission", Goal::Beside, Question::of_the_first)?,
        casbin_of(keeping, "casbin, every answer in its cache", Goal::Beside, Question::any)?,
    ])
}
