//! `tenantry review`: who may do what in an organization, and by what.

use indicatif::ProgressBar;
use tenantry::{AnyId, Page, PageRequest, ReviewPermissions, TenancyStore, UserAccess};

use super::org_id;
use crate::args::{ReviewArgs, ReviewForm};
use crate::failure::Failure;
use crate::output::{Answer, Output, Table, View};
use crate::progress;

/// Of so many users everything is held at once, of some of whom it may be thousands of permissions.
const USERS: i64 = 50;

const HEAD: &[&str] = &["user", "permission", "decided by", "rows", "role", "membership", "inherited from", "but"];

/// The same, as programs name it.
const FIELDS: &[&str] = &["usr_id", "permission", "layer", "rows", "role", "membership_id", "inherited_from_org_id", "reason"];

async fn request(args: &ReviewArgs, store: &dyn TenancyStore) -> Result<ReviewPermissions, Failure> {
    let mut request = ReviewPermissions::new(org_id(store, &args.org).await?);
    (request.permission, request.usr_id) = (args.permission.clone(), args.user);
    Ok(request)
}

async fn next(request: &ReviewPermissions, cursor: Option<String>, store: &dyn TenancyStore) -> Result<Page<UserAccess>, Failure> {
    let page = PageRequest::after_optional(cursor).limit(USERS);
    Ok(store.review_permissions(request.clone().page(page)).await?)
}

/// Written as it is read, so that it may be of any length.
pub(super) async fn to_output(args: &ReviewArgs, store: &dyn TenancyStore, output: &mut Output<'_>) -> Result<(), Failure> {
    if args.format == ReviewForm::Csv && !output.for_people() {
        return Err(Failure::usage("--json and --format csv do not go together"));
    }
    let request = request(args, store).await?;
    // The rows and a sign of life would be drawn over each other.
    let sign = if output.is_terminal() { ProgressBar::hidden() } else { progress::spinner("{spinner} {pos} users reviewed") };
    let (mut cursor, mut shown) = (None, false);
    loop {
        let page = next(&request, cursor, store).await?;
        let users = &page.data;
        match args.format {
            ReviewForm::Csv => {
                let text = csv(users, !shown)?;
                output.write_all(|out| out.write_all(&text))?;
            }
            ReviewForm::Json => output.json_rows(users)?,
            ReviewForm::Table => output.rows(users, &table(users).continued(shown))?,
        }
        shown |= args.format == ReviewForm::Csv || !users.is_empty();
        sign.inc(u64::try_from(users.len()).unwrap_or(u64::MAX));
        cursor = page.next_cursor;
        if cursor.is_none() {
            sign.finish_and_clear();
            return Ok(());
        }
    }
}

/// All of it as one answer, for a line of a batch.
pub(super) async fn run(args: &ReviewArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let request = request(args, store).await?;
    let mut page = next(&request, None, store).await?;
    while let Some(cursor) = page.next_cursor.take() {
        let more = next(&request, Some(cursor), store).await?;
        page.data.extend(more.data);
        page.next_cursor = more.next_cursor;
    }
    let view = match args.format {
        ReviewForm::Table => View::Table(table(&page.data)),
        ReviewForm::Json => View::Lines(page.data.iter().map(serde_json::to_string).collect::<Result<_, _>>().map_err(not_written)?),
        ReviewForm::Csv => View::Lines(String::from_utf8_lossy(&csv(&page.data, true)?).lines().map(str::to_owned).collect()),
    };
    Answer::new(&page, view)
}

fn not_written(error: impl Into<std::io::Error>) -> Failure {
    Failure::Output(error.into())
}

fn table(users: &[UserAccess]) -> Table {
    Table::new(HEAD, users.iter().flat_map(rows).map(|row| row.to_vec()))
}

fn csv(users: &[UserAccess], with_head: bool) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = with_head.then(|| writer.write_record(FIELDS)).transpose();
    let written = head.and_then(|_| users.iter().flat_map(rows).try_for_each(|row| writer.write_record(row)));
    written.map_err(not_written)?;
    writer.into_inner().map_err(|error| not_written(error.into_error()))
}

/// A row for each permission; one without where somebody belongs there and may do nothing.
fn rows(user: &UserAccess) -> Vec<[String; 8]> {
    let row = |permission: &str, layer: &str, by: &[AnyId]| {
        [
            user.usr_id.to_string(),
            permission.to_owned(),
            layer.to_owned(),
            by.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            user.role.map(|role| role.slug().to_owned()).unwrap_or_default(),
            user.membership_id.map(|mem| mem.to_string()).unwrap_or_default(),
            user.inherited_from_org_id.map(|org| org.to_string()).unwrap_or_default(),
            user.reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        ]
    };
    if user.permissions.is_empty() {
        return vec![row("", "", &[])];
    }
    let held = user.permissions.iter().map(|held| {
        let by = &held.decided_by;
        row(held.permission.as_str(), by.layer.as_str(), &by.rows)
    });
    held.collect()
}
