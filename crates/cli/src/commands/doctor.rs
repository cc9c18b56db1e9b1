//! `tenantry doctor`: looks over every row, and says what does not hold.

use serde::Serialize;
use tenantry::doctor::{Finding, examine, examine_feed, repairs};
use tenantry::{Dump, Error, Event, ListAllChanges, PageSize, TenancyStore};

use crate::args::DoctorArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Record, Table, View};
use crate::progress;
use crate::session::Turn;

const HEAD: &[&str] = &["code", "table", "what is wrong", "rows", "can be mended"];

/// How often rows are examined anew at most, where somebody changes them while they are mended.
const ATTEMPTS: usize = 3;

/// What was looked at, and what is wrong with it.
#[derive(Debug, Serialize)]
struct Report {
    healthy: bool,
    findings: Vec<Finding>,
    /// What was wrong and is mended, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    repaired: Option<Vec<Finding>>,
    examined: Examined,
}

/// How many rows were looked at.
#[derive(Debug, Default, Serialize)]
struct Examined {
    users: usize,
    organizations: usize,
    memberships: usize,
    invitations: usize,
    tuples: usize,
    events: usize,
}

impl From<&Dump> for Examined {
    fn from(dump: &Dump) -> Self {
        Self {
            users: dump.users.len(),
            organizations: dump.organizations.len(),
            memberships: dump.memberships.len(),
            invitations: dump.invitations.len(),
            tuples: dump.tuples.len(),
            events: dump.events.len(),
        }
    }
}

pub(super) async fn run(args: DoctorArgs, turn: &Turn) -> Result<Answer, Failure> {
    let mut report = look(turn).await?;
    if args.repair {
        report.repaired = Some(mend(&mut report, turn).await?);
    }
    let exit = if report.healthy { Exit::Done } else { Exit::Refused };
    Ok(Answer::new(&report, view(&report))?.note(mended(&report)).note(left(&report)).ends_with(exit))
}

/// Mends what can be mended, and looks again; answers what was mended.
async fn mend(report: &mut Report, turn: &Turn) -> Result<Vec<Finding>, Failure> {
    let mut repaired = Vec::new();
    for _ in 0..ATTEMPTS {
        let repairs = repairs(&report.findings);
        if repairs.is_empty() {
            break;
        }
        let done = turn.repair(repairs).await?;
        let before = std::mem::replace(report, look(turn).await?);
        if done {
            repaired.extend(before.findings.into_iter().filter(|finding| finding.repair.is_some()));
        }
    }
    Ok(repaired)
}

async fn look(turn: &Turn) -> Result<Report, Failure> {
    let spinner = progress::spinner("{spinner} reading");
    let dump = turn.dump().await;
    spinner.finish_and_clear();
    let (mut findings, examined) = match readable(dump)? {
        Ok(dump) => {
            let feed = feed(&*turn.store, dump.events.len()).await;
            let mut findings = examine(&dump, turn.now);
            match readable(feed)? {
                Ok(feed) => findings.extend(examine_feed(&dump, &feed)),
                Err(finding) => findings.push(finding),
            }
            (findings, Examined::from(&dump))
        }
        Err(finding) => (vec![finding], Examined::default()),
    };
    findings.sort_by_key(|finding| finding.invariant);
    Ok(Report { healthy: findings.is_empty(), findings, repaired: None, examined })
}

/// What could be read, or what a row that could not be read amounts to.
fn readable<T>(read: Result<T, Error>) -> Result<Result<T, Finding>, Failure> {
    match read {
        Ok(rows) => Ok(Ok(rows)),
        Err(Error::Backend(error)) => match Finding::unreadable(&error) {
            Some(finding) => Ok(Err(finding)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The whole feed, as a follower reads it.
async fn feed(store: &dyn TenancyStore, events: usize) -> Result<Vec<Event>, Error> {
    let bar = progress::bar(u64::try_from(events).unwrap_or(u64::MAX), "following  {wide_bar} {pos}/{len}");
    let mut feed: Vec<Event> = Vec::with_capacity(events);
    loop {
        let after = feed.last().map(|event| event.id);
        let page = store.changes_all(after.into_iter().fold(ListAllChanges::new(), ListAllChanges::after).limit(PageSize::MAX)).await;
        let page = page.inspect_err(|_| bar.finish_and_clear())?;
        bar.inc(u64::try_from(page.data.len()).unwrap_or(u64::MAX));
        let ends = page.next_cursor.is_none() || page.data.is_empty();
        feed.extend(page.data);
        // A feed that leads back to where it was would never end; what is twice in it is found.
        if ends || feed.len() > events.saturating_mul(2).saturating_add(10_000) {
            bar.finish_and_clear();
            return Ok(feed);
        }
    }
}

fn view(report: &Report) -> View {
    if report.healthy {
        let Examined { users, organizations, memberships, invitations, tuples, events } = &report.examined;
        let examined = Record::new()
            .with("findings", 0)
            .with("users", users)
            .with("organizations", organizations)
            .with("memberships", memberships)
            .with("invitations", invitations)
            .with("tuples", tuples)
            .with("events", events);
        return examined.into();
    }
    let row = |finding: &Finding| {
        let mended = if finding.repair.is_some() { "yes" } else { "no" };
        vec![finding.code().to_owned(), finding.table.clone(), finding.message.clone(), finding.ids.join(" "), mended.to_owned()]
    };
    Table::new(HEAD, report.findings.iter().map(row)).into()
}

/// What was mended, for people.
fn mended(report: &Report) -> Option<String> {
    let repaired = report.repaired.as_ref()?;
    let lines = repaired.iter().map(|finding| format!("\n  {} {}: {}", finding.code(), finding.ids.join(" "), finding.message));
    Some(format!("mended: {}{}", repaired.len(), lines.collect::<String>()))
}

/// What is left, for people.
fn left(report: &Report) -> Option<String> {
    let repairable = report.findings.iter().filter(|finding| finding.repair.is_some()).count();
    match (report.findings.len(), repairable) {
        (0, _) => None,
        (all, 0) => Some(format!("findings: {all}; spec/doctor.md says what each code means")),
        (all, some) => Some(format!("findings: {all}; `tenantry doctor --repair` mends {some} of them")),
    }
}
