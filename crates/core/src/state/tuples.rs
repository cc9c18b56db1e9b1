//! Tuples: which of them count, and what checks ask.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::roster::Row;
use super::{State, load::pairs_of};
use crate::backend::Inquiry;
use crate::entity::{MembershipStatus, UserStatus};
use crate::id::{Id, MembershipId, OrgId, TupleId, UserId};
use crate::load::{Hold, Standing, Standpoint};
use crate::query::{Answer, Question, TupleQuery, WhichTuples};
use crate::time::Timestamp;
use crate::tuple::{EntityRef, Grant, Tuple, TupleKey};
use crate::value::Relation;

impl State {
    /// Tuples, stored and derived, that count at the query's moment.
    pub fn read_tuples(&self, query: &TupleQuery) -> Vec<Tuple> {
        let at = query.at;
        match &query.which {
            WhichTuples::Id(id) => match self.tuples.get(id) {
                Some(tuple) => self.counts(tuple, at).then(|| tuple.clone()).into_iter().collect(),
                None => self.derived_by_id(*id, at).into_iter().collect(),
            },
            WhichTuples::OfSubject { subject, window } => {
                let derived = subject.as_user().into_iter().flat_map(|usr| self.memberships.of_user(usr, after(window.after)));
                self.merged(&self.tuples_of, *subject, derived, at, window, None)
            }
            WhichTuples::OfObject { object, relation, window } => {
                let derived = object.as_org().into_iter().flat_map(|org| self.memberships.of_org(org, after(window.after)));
                self.merged(&self.tuples_on, *object, derived, at, window, relation.as_ref())
            }
        }
    }

    /// A user's standing in each of these organizations, in their order.
    pub fn read_standings(&self, usr: UserId, orgs: &[OrgId]) -> Vec<Standing> {
        orgs.iter().map(|org| self.standing(usr, *org)).collect()
    }

    /// What a check asks, as of a moment.
    pub fn answer(&self, question: &Question, at: Timestamp) -> Answer {
        match question {
            Question::Holds(key) => Answer::Holds(self.holds(key, at)),
            Question::Subjects { relation, object, most } => Answer::Subjects(self.subjects(relation, *object, *most, at)),
        }
    }

    /// Runs an inquiry to its end.
    pub fn inquire<Q: Inquiry>(&self, mut inquiry: Q) -> Q {
        let at = inquiry.at();
        if let Some(key) = inquiry.lone() {
            let held = self.holds(key, at);
            inquiry.tell(held);
            return inquiry;
        }
        loop {
            let questions = inquiry.questions();
            if questions.is_empty() {
                return inquiry;
            }
            inquiry.answer(questions.iter().map(|question| self.answer(question, at)).collect());
        }
    }

    /// Whether a stored tuple counts: it has not expired, a subject who is a user has no row or an active one, and its scope, if
    /// it has one, is live and has that user as a live member.
    fn counts(&self, tuple: &Tuple, at: Timestamp) -> bool {
        if tuple.is_expired(at) {
            return false;
        }
        let usr = tuple.key.subject.as_user();
        usr.is_none_or(|usr| self.user_counts(usr))
            && tuple.org_id.is_none_or(|org| {
                let member = |usr| self.memberships.current(org, usr).is_some_and(|mem| mem.status_at(at) == MembershipStatus::Active);
                self.org_live(org) && usr.is_none_or(member)
            })
    }

    fn user_counts(&self, usr: UserId) -> bool {
        self.users.get(&usr).is_none_or(|user| user.status == UserStatus::Active)
    }

    /// Whether a membership is live.
    fn mem_live(&self, mem: &Row, at: Timestamp) -> bool {
        mem.status_at(at) == MembershipStatus::Active && self.user_counts(mem.usr_id) && self.org_live(mem.org_id)
    }

    fn derived_by_id(&self, id: TupleId, at: Timestamp) -> Option<Tuple> {
        let mem = self.memberships.get(&MembershipId::from_uuid(id.as_uuid()).ok()?)?;
        self.mem_live(mem, at).then(|| Tuple::derived(&mem.unpack()))
    }

    fn merged<'s>(
        &'s self,
        stored: &'s BTreeSet<(EntityRef, TupleId)>,
        end: EntityRef,
        derived: impl Iterator<Item = &'s Row>,
        at: Timestamp,
        window: &crate::query::Window<TupleId>,
        relation: Option<&Relation>,
    ) -> Vec<Tuple> {
        let fetch = usize::try_from(window.fetch).unwrap_or(usize::MAX);
        let wanted = |tuple: &Tuple| relation.is_none_or(|relation| tuple.key.relation == *relation);
        let stored = stored.range(pairs_of(end, window.after)).filter_map(|(_, id)| self.tuples.get(id));
        let mut rows: Vec<Tuple> = stored.filter(|tuple| wanted(tuple) && self.counts(tuple, at)).take(fetch).cloned().collect();
        let derived = derived.filter(|mem| self.mem_live(mem, at)).map(|mem| Tuple::derived(&mem.unpack()));
        rows.extend(derived.filter(wanted).take(fetch));
        rows.sort_by_key(|tuple| tuple.id);
        rows.truncate(fetch);
        rows
    }

    /// The tuple with the lowest id that says this and counts.
    fn holds(&self, key: &TupleKey, at: Timestamp) -> Option<TupleId> {
        let stored = self.tuples.saying(key).filter(|tuple| self.counts(tuple, at)).map(|tuple| tuple.id);
        stored.chain(self.derived_key(key, at)).min()
    }

    fn derived_key(&self, key: &TupleKey, at: Timestamp) -> Option<TupleId> {
        let (usr, org) = (key.subject.as_user()?, key.object.as_org()?);
        let same = |mem: &&Row| mem.role().is_relation(key.relation.as_str());
        let mem = self.memberships.current(org, usr).filter(|mem| same(mem) && self.mem_live(mem, at))?;
        TupleId::from_uuid(mem.id.as_uuid()).ok()
    }

    fn subjects(&self, relation: &Relation, object: EntityRef, most: u32, at: Timestamp) -> Vec<EntityRef> {
        let window = crate::query::Window { after: None, fetch: most };
        let derived = object.as_org().into_iter().flat_map(|org| self.memberships.of_org(org, None));
        let rows = self.merged(&self.tuples_on, object, derived, at, &window, Some(relation));
        rows.into_iter().map(|tuple| tuple.key.subject).collect()
    }

    pub(super) fn standing(&self, usr: UserId, org: OrgId) -> Standing {
        Standing { user: self.user(usr), membership: self.current_of(org, usr), org_live: self.org_live(org) }
    }

    /// Whether an object has a stored tuple that has not expired outside of a scope.
    pub(super) fn is_elsewhere(&self, object: EntityRef, scope: OrgId, at: Timestamp) -> bool {
        let on = self.tuples_on.range(pairs_of(object, None)).filter_map(|(_, id)| self.tuples.get(id));
        on.into_iter().any(|tuple| tuple.org_id != Some(scope) && !tuple.is_expired(at))
    }

    pub(super) fn standpoint(&self, usr: UserId, grant: &Grant, scope: Option<OrgId>, at: Timestamp) -> Standpoint {
        let key = TupleKey { subject: EntityRef::user(usr), relation: grant.relation.clone(), object: grant.object };
        let hold = |scope| {
            let tuple = self.tuples.at(&key, scope).filter(|tuple| !tuple.is_expired(at));
            tuple.map_or(Hold::Not, |tuple| Hold::until(tuple.expires_at))
        };
        Standpoint {
            open: hold(None),
            scoped: scope.map_or(Hold::Not, |org| hold(Some(org))),
            elsewhere: scope.is_some_and(|org| self.is_elsewhere(grant.object, org, at)),
        }
    }

    pub(super) fn tuples_in_scope(&self, org: OrgId, subject: EntityRef) -> impl Iterator<Item = TupleId> {
        let range = (Bound::Included((org, subject, TupleId::LOWEST)), Bound::Included((org, subject, TupleId::HIGHEST)));
        self.tuples_in.range(range).map(|(_, _, id)| *id)
    }

    /// The tuples on an organization, or in its scope, each once.
    pub(super) fn tuples_of_org(&self, org: OrgId) -> Vec<TupleId> {
        let on = self.tuples_on.range(pairs_of(EntityRef::org(org), None)).map(|(_, id)| *id);
        let lowest = EntityRef { kind: crate::value::ObjectType::LOWEST, id: uuid::Uuid::nil() };
        let scoped = self.tuples_in.range((Bound::Included((org, lowest, TupleId::LOWEST)), Bound::Unbounded));
        let scoped = scoped.take_while(|(scope, _, _)| *scope == org).map(|(_, _, id)| *id);
        on.chain(scoped).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn after(tuple: Option<TupleId>) -> Option<MembershipId> {
    tuple.and_then(|id| MembershipId::from_uuid(id.as_uuid()).ok())
}
