//! A row of the application's own and an organization, as one transaction: both or neither.
//!
//! ```sh
//! cargo run -p tenantry --example own_transaction --features sqlite
//! cargo run -p tenantry --example own_transaction --features sqlite,postgres -- postgres://localhost/app
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks through it")]

use std::error::Error as StdError;

use tenantry::sqlite::{Options, SqliteStore, Transaction, rusqlite, with_transaction};
use tenantry::{CreateOrg, CreateUser, OrgId};

type Failure = Box<dyn StdError + Send + Sync>;

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1) {
        None => on_sqlite(),
        #[cfg(feature = "postgres")]
        Some(url) => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(on_postgres(&url)),
        #[cfg(not(feature = "postgres"))]
        Some(_) => Err("for Postgres, build with `--features sqlite,postgres`".into()),
    }
}

pub(crate) fn on_sqlite() -> Result<(), Failure> {
    let store = Options::new().open_in_memory()?;
    with_transaction(&store, |tx| Ok::<_, Failure>(tx.connection().execute_batch("CREATE TABLE account (org TEXT, plan TEXT UNIQUE)")?))?;

    let acme = sign_up(&store, "acme", "gold")?;
    println!("{acme} has the plan `gold`");

    // Our refusal takes the application's row along, and its failure takes the organization along.
    println!("a second acme: {}", refusal(sign_up(&store, "acme", "silver")));
    println!("a second gold: {}", refusal(sign_up(&store, "globex", "gold")));
    let (accounts, orgs) = with_transaction(&store, |tx| {
        let accounts: u32 = tx.connection().query_row("SELECT count(*) FROM account", [], |row| row.get(0))?;
        Ok::<_, Failure>((accounts, tx.dump()?.organizations.len()))
    })?;
    assert_eq!((accounts, orgs), (1, 1));
    println!("accounts: {accounts}, organizations: {orgs}");
    Ok(())
}

fn refusal<T>(done: Result<T, Failure>) -> String {
    done.map_or_else(|refused| refused.to_string(), |_| "done".to_owned())
}

fn sign_up(store: &SqliteStore, slug: &str, plan: &str) -> Result<OrgId, Failure> {
    with_transaction(store, |tx: &Transaction<'_>| {
        let owner = tx.create_user(CreateUser::new())?.user;
        let org = tx.create_org(CreateOrg::new(owner.id).slug(slug))?.org;
        tx.connection().execute("INSERT INTO account VALUES (?, ?)", rusqlite::params![org.id.to_string(), plan])?;
        Ok(org.id)
    })
}

#[cfg(feature = "postgres")]
pub(crate) async fn on_postgres(url: &str) -> Result<(), Failure> {
    use tenantry::postgres::{Options, bind, commit};
    use tenantry::{Inspect, TenancyStore};

    let pool = sqlx::PgPool::connect(url).await?;
    let store = Options::new().schema("tenantry_example").migrate(true).from_pool(pool.clone()).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS tenantry_example.account (org text, plan text)").execute(&pool).await?;
    let count = "SELECT count(*) FROM tenantry_example.account";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&pool).await?;
    let orgs_before = store.dump().await?.organizations.len();

    // Once to the end, and once the application changes its mind.
    for stays in [true, false] {
        let mut tx = pool.begin().await?;
        let bound = bind(&store, &mut tx);
        let owner = bound.create_user(CreateUser::new()).await?.user;
        let org = bound.create_org(CreateOrg::new(owner.id)).await?.org;
        drop(bound);
        let insert = sqlx::query("INSERT INTO tenantry_example.account VALUES ($1, 'gold')").bind(org.id.to_string());
        insert.execute(&mut *tx).await?;
        if stays {
            // Not `tx.commit()`: that answers `Ok` also when the server has rolled back.
            commit(&store, tx).await?;
        }
    }
    let accounts: i64 = sqlx::query_scalar(count).fetch_one(&pool).await?;
    let orgs = store.dump().await?.organizations.len();
    assert_eq!((accounts - before, orgs - orgs_before), (1, 1));
    println!("one account and one organization more");
    Ok(())
}
