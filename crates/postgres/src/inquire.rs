//! What checks ask: one statement for all questions of a round, defined by `tenantry_core::State::answer`.

use sqlx::{PgConnection, Row};
use tenantry_core::{Answer, EntityRef, Inquiry, ObjectType, Question, Role, Timestamp, TupleId, TupleKey};
use uuid::Uuid;

use crate::codec::{self, PgMoment};
use crate::error::{Failure, other, unreadable};
use crate::statements::Statements;

/// Asks and answers until there are no questions left, on a connection that sees one moment.
pub(crate) async fn to_the_end(sql: &Statements, conn: &mut PgConnection, inquiry: &mut impl Inquiry) -> Result<(), Failure> {
    inquiry.restart();
    let at = inquiry.at();
    loop {
        let questions = inquiry.questions();
        if questions.is_empty() {
            return Ok(());
        }
        inquiry.answer(answers(sql, conn, &questions, at).await?);
    }
}

/// The answers, in the order of the questions.
pub(crate) async fn answers(
    sql: &Statements,
    conn: &mut PgConnection,
    questions: &[Question],
    at: Timestamp,
) -> Result<Vec<Answer>, Failure> {
    if let [Question::Holds(TupleKey { subject, relation, object })] = questions {
        let row = if let (Some(usr), Some(org)) = (subject.as_user(), object.as_org()) {
            // None is called so but a custom role perhaps, which stands in the row by its slug.
            let role = role(relation.as_str());
            let check = sql.check_role.query().bind(usr.as_uuid()).bind(relation.as_str()).bind(org.as_uuid()).bind(role);
            check.bind(PgMoment(at)).fetch_one(conn).await?
        } else {
            let check = sql.check_stored.query().bind(subject.kind.as_str()).bind(subject.id).bind(relation.as_str());
            check.bind(object.kind.as_str()).bind(object.id).bind(PgMoment(at)).fetch_one(conn).await?
        };
        return Ok(vec![Answer::Holds(lowest(row.try_get(0)?, row.try_get(1)?)?)]);
    }
    let mut columns = Columns::default();
    let mut most = 0;
    for question in questions {
        match question {
            Question::Holds(TupleKey { subject, relation, object }) => columns.push(Some(subject), relation.as_str(), object),
            Question::Subjects { relation, object, most: of_this } => {
                most = most.max(*of_this);
                columns.push(None, relation.as_str(), object);
            }
        }
    }
    let answers = sql.answers.query().bind(columns.subject_types).bind(columns.subject_ids).bind(columns.relations);
    let answers = answers.bind(columns.object_types).bind(columns.object_ids).bind(columns.roles).bind(PgMoment(at)).bind(i64::from(most));
    let rows = answers.fetch_all(conn).await?;
    if rows.len() != questions.len() {
        return Err(other().into());
    }
    let answer = |(question, row): (&Question, &sqlx::postgres::PgRow)| match question {
        Question::Holds(_) => Ok(Answer::Holds(lowest(row.try_get(0)?, row.try_get(1)?)?)),
        Question::Subjects { most, .. } => {
            let subjects: Vec<String> = row.try_get(2)?;
            let most = usize::try_from(*most).unwrap_or(usize::MAX);
            Ok(Answer::Subjects(subjects.iter().take(most).map(|text| subject(text)).collect::<Result<_, _>>()?))
        }
    };
    questions.iter().zip(&rows).map(answer).collect()
}

/// The questions, column by column; a question for subjects has no subject.
#[derive(Debug, Default)]
struct Columns {
    subject_types: Vec<Option<String>>,
    subject_ids: Vec<Option<Uuid>>,
    relations: Vec<String>,
    object_types: Vec<String>,
    object_ids: Vec<Uuid>,
    roles: Vec<Option<Uuid>>,
}

impl Columns {
    fn push(&mut self, subject: Option<&EntityRef>, relation: &str, object: &EntityRef) {
        self.subject_types.push(subject.map(|subject| subject.kind.to_string()));
        self.subject_ids.push(subject.map(|subject| subject.id));
        self.relations.push(relation.to_owned());
        self.object_types.push(object.kind.to_string());
        self.object_ids.push(object.id);
        self.roles.push(role(relation));
    }
}

/// The id of the role with this slug: derived tuples are found by it.
pub(crate) fn role(relation: &str) -> Option<Uuid> {
    Role::from_slug(relation).map(|role| role.id().as_uuid())
}

/// The lower of a stored tuple's id and a derived one's.
fn lowest(stored: Option<Uuid>, derived: Option<Uuid>) -> Result<Option<TupleId>, Failure> {
    stored.into_iter().chain(derived).min().map(|id| codec::id("tuple", id)).transpose()
}

fn subject(text: &str) -> Result<EntityRef, Failure> {
    let parts = text.split_once(':').and_then(|(kind, id)| Some((ObjectType::parse(kind)?, Uuid::try_parse(id).ok()?)));
    let (kind, id) = parts.ok_or_else(|| unreadable("tuple", "unknown", "a subject does not have its form"))?;
    Ok(EntityRef { kind, id })
}
