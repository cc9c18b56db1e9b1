//! Which tuples count, and what checks ask: defined by `tenantry_core::State`.
//!
//! A tuple counts by what it hangs on: its subject's row, its scope with all above it, and a membership there. SQLite is in
//! process, so rows are met one after the other and looked at as they come, and a list ends where its page is full.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::ControlFlow;

use rusqlite::{Params, Row, params};
use tenantry_core::{
    Answer, EntityRef, Inquiry, Membership, MembershipId, MembershipStatus, OrgId, Question, Relation, Role, Timestamp, Tuple, TupleId,
    TupleKey, TupleQuery, UserId, UserStatus, WhichTuples, Window,
};

use crate::codec::{self, RoleHeld, bytes, scope};
use crate::error::Failure;
use crate::list::{self, behind};
use crate::session::Session;

pub(crate) fn tuples(db: &Session, query: &TupleQuery) -> Result<Vec<Tuple>, Failure> {
    db.at_one_moment(|| {
        let moment = Moment::new(db, query.at);
        match &query.which {
            WhichTuples::Id(id) => moment.one(*id),
            WhichTuples::OfSubject { subject, window } => moment.of_subject(*subject, *window),
            WhichTuples::OfObject { object, relation, window } => moment.on_object(*object, relation.as_ref(), *window),
        }
    })
}

/// Runs an inquiry to its end. One answer takes several statements, so it has a transaction even where it asks once; but for the
/// commonest question there is one statement.
pub(crate) fn inquire<Q: Inquiry>(db: &Session, mut inquiry: Q) -> Result<Q, Failure> {
    if let Some(key) = inquiry.lone()
        && let Told::Surely(held) = by_role(db, key, inquiry.at())?
    {
        inquiry.tell(held);
        return Ok(inquiry);
    }
    db.at_one_moment(|| {
        let moment = Moment::new(db, inquiry.at());
        loop {
            let questions = inquiry.questions();
            if questions.is_empty() {
                return Ok(());
            }
            let answers = questions.iter().map(|question| moment.answer(question));
            inquiry.answer(answers.collect::<Result<_, _>>()?);
        }
    })?;
    Ok(inquiry)
}

/// What one statement can tell.
enum Told {
    Surely(Option<TupleId>),
    /// Something hangs on organizations above, or a stored tuple has its part, or it is not about a role.
    NotAll,
}

/// Whether a user holds the relation of a role to an organization.
fn by_role(db: &Session, key: &TupleKey, at: Timestamp) -> Result<Told, Failure> {
    let ends = key.subject.as_user().zip(key.object.as_org());
    let Some((usr, org)) = ends else { return Ok(Told::NotAll) };
    let role = Role::from_slug(key.relation.as_str()).map(|role| bytes(&role.id()));
    let bound = params![bytes(&org), bytes(&usr), key.relation.as_str(), role, at.as_micros()];
    let Some(held) = db.first(&db.sql.role_held, bound, codec::role_held)? else { return Ok(Told::NotAll) };
    let is_live = held.above.is_some() && held.acts != Some(false);
    Ok(match held {
        RoleHeld { is_stored: true, .. } => Told::NotAll,
        RoleHeld { derived: Some(_), above: Some(above), .. } if is_live && !above.is_empty() => Told::NotAll,
        RoleHeld { derived, .. } => Told::Surely(derived.filter(|_| is_live)),
    })
}

/// The tuple in a place, if there is one.
pub(crate) fn in_place(db: &Session, key: &TupleKey, org: Option<OrgId>) -> Result<Option<Tuple>, Failure> {
    let TupleKey { subject, relation, object } = key;
    let ((of, on), relation) = ((ends(subject), ends(object)), relation.as_str());
    db.first(&db.sql.tuple_by_place, params![on.0, on.1, relation, of.0, of.1, scope(org)], codec::tuple)
}

pub(crate) fn by_id(db: &Session, id: TupleId) -> Result<Option<Tuple>, Failure> {
    db.first(&db.sql.tuple_by_id, [bytes(&id)], codec::tuple)
}

/// Whether an object has a stored tuple that has not expired outside of a scope.
pub(crate) fn is_elsewhere(db: &Session, object: EntityRef, org: OrgId, at: Timestamp) -> Result<bool, Failure> {
    let (kind, id) = ends(&object);
    db.holds(&db.sql.is_elsewhere, params![kind, id, bytes(&org), at.as_micros()])
}

/// A subject or object as it is stored.
pub(crate) fn ends(entity: &EntityRef) -> (&str, [u8; 16]) {
    (entity.kind.as_str(), entity.id.into_bytes())
}

/// What counts at a moment, in one transaction.
struct Moment<'s> {
    db: &'s Session,
    at: Timestamp,
    live: Known<OrgId>,
    acting: Known<UserId>,
}

impl<'s> Moment<'s> {
    fn new(db: &'s Session, at: Timestamp) -> Self {
        Self { db, at, live: Known::default(), acting: Known::default() }
    }

    fn answer(&self, question: &Question) -> Result<Answer, Failure> {
        match question {
            Question::Holds(key) => self.holds(key).map(Answer::Holds),
            Question::Subjects { relation, object, most } => {
                let rows = self.on_object(*object, Some(relation), Window { after: None, fetch: *most })?;
                Ok(Answer::Subjects(rows.into_iter().map(|tuple| tuple.key.subject).collect()))
            }
        }
    }

    /// Stored, or derived from the membership with the same UUID.
    fn one(&self, id: TupleId) -> Result<Vec<Tuple>, Failure> {
        if let Some(tuple) = by_id(self.db, id)? {
            return Ok(if self.counts(&tuple)? { vec![tuple] } else { Vec::new() });
        }
        let Ok(id) = MembershipId::from_uuid(id.as_uuid()) else { return Ok(Vec::new()) };
        match list::membership(self.db, id)? {
            Some(mem) if self.is_live_membership(&mem)? => Ok(vec![Tuple::derived(&mem)]),
            _ => Ok(Vec::new()),
        }
    }

    fn of_subject(&self, subject: EntityRef, window: Window<TupleId>) -> Result<Vec<Tuple>, Failure> {
        let usr = subject.as_user();
        if let Some(usr) = usr
            && !self.user_acts(usr)?
        {
            return Ok(Vec::new());
        }
        let ((kind, id), behind) = (ends(&subject), behind(window));
        let stored = self.stored(&self.db.sql.tuples_of_subject, params![kind, id, behind], window.fetch)?;
        let derived = match usr {
            Some(_) => self.derived(&self.db.sql.active_of_user, params![id, behind, self.at.as_micros()], window.fetch)?,
            None => Vec::new(),
        };
        Ok(merged(stored, derived, window.fetch))
    }

    fn on_object(&self, object: EntityRef, relation: Option<&Relation>, window: Window<TupleId>) -> Result<Vec<Tuple>, Failure> {
        let ((kind, id), behind, sql) = (ends(&object), behind(window), &self.db.sql);
        let stored = match relation {
            Some(relation) => self.stored(&sql.tuples_in_relation, params![kind, id, behind, relation.as_str()], window.fetch)?,
            None => self.stored(&sql.tuples_on_object, params![kind, id, behind], window.fetch)?,
        };
        let derived = match object.as_org() {
            // Only the relation of a role is derived: of one that is built in, or of one of the application's own with this slug.
            Some(org) if self.is_live(org)? => {
                let slug = relation.map(Relation::as_str);
                let role = slug.and_then(Role::from_slug).map(|role| bytes(&role.id()));
                self.derived(&sql.active_of_org, params![id, behind, self.at.as_micros(), role, slug], window.fetch)?
            }
            _ => Vec::new(),
        };
        Ok(merged(stored, derived, window.fetch))
    }

    /// The tuple with the lowest id that says this and counts.
    fn holds(&self, key: &TupleKey) -> Result<Option<TupleId>, Failure> {
        let mut lowest = self.derived_key(key)?;
        let TupleKey { subject, relation, object } = key;
        let (of, on) = (ends(subject), ends(object));
        self.db.walk(&self.db.sql.tuples_by_key, params![on.0, on.1, relation.as_str(), of.0, of.1], |row| {
            let tuple = codec::tuple(row)?;
            if lowest.is_none_or(|lowest| tuple.id < lowest) && self.counts(&tuple)? {
                lowest = Some(tuple.id);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(lowest)
    }

    fn derived_key(&self, key: &TupleKey) -> Result<Option<TupleId>, Failure> {
        let ends = key.subject.as_user().zip(key.object.as_org());
        let Some((usr, org)) = ends else { return Ok(None) };
        match list::current(self.db, org, usr)? {
            Some(mem) if mem.role.is_relation(key.relation.as_str()) && self.is_live_membership(&mem)? => Ok(Some(Tuple::derived(&mem).id)),
            _ => Ok(None),
        }
    }

    fn counts(&self, tuple: &Tuple) -> Result<bool, Failure> {
        if tuple.is_expired(self.at) {
            return Ok(false);
        }
        let usr = tuple.key.subject.as_user();
        if let Some(org) = tuple.org_id
            && !(self.is_live(org)? && self.is_member(org, usr)?)
        {
            return Ok(false);
        }
        usr.map_or(Ok(true), |usr| self.user_acts(usr))
    }

    /// Whether a subject who is a user has a membership in force there; another subject needs none.
    fn is_member(&self, org: OrgId, usr: Option<UserId>) -> Result<bool, Failure> {
        let Some(usr) = usr else { return Ok(true) };
        let mem = list::current(self.db, org, usr)?;
        Ok(mem.is_some_and(|mem| mem.status_at(self.at) == MembershipStatus::Active))
    }

    fn is_live_membership(&self, mem: &Membership) -> Result<bool, Failure> {
        Ok(mem.status_at(self.at) == MembershipStatus::Active && self.is_live(mem.org_id)? && self.user_acts(mem.usr_id)?)
    }

    fn is_live(&self, org: OrgId) -> Result<bool, Failure> {
        self.live.know(org, || list::is_live(self.db, org))
    }

    fn user_acts(&self, usr: UserId) -> Result<bool, Failure> {
        self.acting.know(usr, || Ok(list::user(self.db, usr)?.is_none_or(|user| user.status == UserStatus::Active)))
    }

    /// The first stored ones that count.
    fn stored(&self, sql: &str, params: impl Params, most: u32) -> Result<Vec<Tuple>, Failure> {
        self.first(sql, params, most, |row| {
            let tuple = codec::tuple(row)?;
            Ok(self.counts(&tuple)?.then_some(tuple))
        })
    }

    /// What the first memberships that are live stand for.
    fn derived(&self, sql: &str, params: impl Params, most: u32) -> Result<Vec<Tuple>, Failure> {
        self.first(sql, params, most, |row| {
            let mem = codec::membership(row)?;
            Ok(self.is_live_membership(&mem)?.then(|| Tuple::derived(&mem)))
        })
    }

    fn first(
        &self,
        sql: &str,
        params: impl Params,
        most: u32,
        read: impl Fn(&Row<'_>) -> Result<Option<Tuple>, Failure>,
    ) -> Result<Vec<Tuple>, Failure> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        if most == 0 {
            return Ok(found);
        }
        self.db.walk(sql, params, |row| {
            found.extend(read(row)?);
            Ok(if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

fn merged(mut rows: Vec<Tuple>, derived: Vec<Tuple>, fetch: u32) -> Vec<Tuple> {
    rows.extend(derived);
    rows.sort_by_key(|tuple| tuple.id);
    rows.truncate(usize::try_from(fetch).unwrap_or(usize::MAX));
    rows
}

/// What is known of these ids already, for many rows hang on the same few. Forgotten where it becomes much.
struct Known<I>(RefCell<HashMap<I, bool>>);

impl<I> Default for Known<I> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<I: Copy + Eq + Hash> Known<I> {
    const MOST: usize = 1024;

    fn know(&self, id: I, look: impl FnOnce() -> Result<bool, Failure>) -> Result<bool, Failure> {
        if let Some(known) = self.0.borrow().get(&id) {
            return Ok(*known);
        }
        let found = look()?;
        let mut known = self.0.borrow_mut();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(id, found);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rusqlite::OpenFlags;
    use tenantry_core::{Change, Plan};

    use super::*;
    use crate::apply::apply;
    use crate::error::Place;
    use crate::migrations;
    use crate::samples::{entity, id, key, membership, moment, org, plan, tuple};
    use crate::statements::{PREFIX, Statements};

    /// Asks the same again after each answer, so many times, while something happens in between.
    struct Meanwhile {
        left: u32,
        question: Question,
        happens: Box<dyn FnMut() + Send>,
        answers: Vec<Answer>,
    }

    impl Inquiry for Meanwhile {
        fn at(&self) -> Timestamp {
            moment(1)
        }

        fn is_single(&self) -> bool {
            false
        }

        fn restart(&mut self) {
            panic!("a transaction of SQLite keeps its moment");
        }

        fn questions(&mut self) -> Vec<Question> {
            let asks = self.left > 0;
            self.left = self.left.saturating_sub(1);
            if asks { vec![self.question.clone()] } else { Vec::new() }
        }

        fn answer(&mut self, answers: Vec<Answer>) {
            self.answers.extend(answers);
            (self.happens)();
        }
    }

    #[test]
    fn an_inquiry_sees_one_moment_whatever_is_written_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let place = Arc::new(Place::File(folder.path().join("a.db")));
            Session::open(place, Arc::new(Statements::new(PREFIX)), flags, Duration::ZERO).unwrap()
        };
        let (reader, writer) = (open(), open());
        reader.connection().pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        migrations::run(&writer, &tenantry_core::source::SystemClock).unwrap();
        let key = key(entity("usr", 1), "reader", entity("doc", 1));
        let rows =
            [Change::InsertOrg(org(1)), Change::InsertMembership(membership(1, 1, 1)), Change::InsertTuple(tuple(9, Some(1), key.clone()))];
        apply(&writer, &plan(rows)).unwrap();
        let mut endings =
            vec![plan([Change::DeleteTuple { id: id(9) }]), plan([Change::EndMemberships { org_id: id(1), count: 1 }]), Plan::default()];
        let happens = move || apply(&writer, &endings.pop().unwrap()).unwrap();
        let asks = |left, happens| Meanwhile { left, question: Question::Holds(key.clone()), happens, answers: Vec::new() };
        let done = inquire(&reader, asks(3, Box::new(happens))).unwrap();
        assert_eq!(done.answers, vec![Answer::Holds(Some(id(9))); 3]);
        assert_eq!(inquire(&reader, asks(1, Box::new(|| {}))).unwrap().answers, [Answer::Holds(None)]);
    }

    #[test]
    fn what_is_known_is_forgotten_where_it_becomes_much() {
        let known = Known::default();
        let mut looks = 0;
        for n in (0..3000_u32).chain([2999]) {
            let answer = known.know(n, || {
                looks += 1;
                Ok(n % 2 == 0)
            });
            assert_eq!(answer.unwrap(), n % 2 == 0);
            assert!(known.0.borrow().len() <= Known::<u32>::MOST);
        }
        assert_eq!(looks, 3000);
    }
}
