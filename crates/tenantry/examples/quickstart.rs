//! An organization, an invitation accepted with a grant, a check, and a caller who is refused.
//!
//! ```sh
//! cargo run -p tenantry --example quickstart
//! cargo run -p tenantry --example quickstart --features sqlite -- sqlite:quickstart.db
//! cargo run -p tenantry --example quickstart --features postgres -- postgres://localhost/app
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks through it")]

use std::env::args;
use std::sync::Arc;

use tenantry::{
    AcceptInvitation, BackendError, BackendKind, Caller, CheckOne, CreateInvitation, CreateOrg, CreateUser, Error, InvitationInput,
    InvitationStatus, ListChanges, ListInvitationsFor, Patch, PreTuple, SelfLeave, TenancyStore, UpdateOrg,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let place = args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let store = open(&place).await?;
    tour(&*store).await
}

/// A program has one of these lines. It is the only one that knows the store.
#[allow(clippy::unused_async, reason = "only Postgres is connected to")]
pub(crate) async fn open(place: &str) -> Result<Arc<dyn TenancyStore>, Error> {
    Ok(match place.split_once(':') {
        Some(("memory", _)) => Arc::new(tenantry::memory::new()),
        #[cfg(feature = "sqlite")]
        Some(("sqlite", path)) => Arc::new(tenantry::sqlite::open(path)?),
        #[cfg(feature = "postgres")]
        Some(("postgres", _)) => Arc::new(tenantry::postgres::Options::new().migrate(true).connect(place).await?),
        _ => {
            let message = "no such store in this build: name `memory:`, `sqlite:PATH` or `postgres://...`, with its `--features`";
            return Err(BackendError::new(BackendKind::Unavailable, message).into());
        }
    })
}

/// The same on every store.
pub(crate) async fn tour(store: &dyn TenancyStore) -> Result<(), Error> {
    // A store that nobody was named to is a trusted one: it does what it is told, within the rules that always hold.
    let ada = store.create_user(CreateUser::new().display_name("Ada")).await?.user;
    let ben = store.create_user(CreateUser::new().display_name("Ben")).await?.user;

    // From here on each of them acts for themselves, and the store asks whether they may.
    let as_ada = store.with_caller(Caller::guarded(ada.id));
    let acme = as_ada.create_org(CreateOrg::new(ada.id).name("Acme")).await?;
    println!("Ada owns {}", acme.org.id);

    // A folder is the application's own: Tenantry knows its type and its UUID. Here it has that of the organization.
    let folder = acme.org.id.as_uuid().to_string();
    let in_two_weeks = acme.org.created_at.plus_seconds(14 * 24 * 3600);
    let offer =
        InvitationInput::new("ben@example.org", "member", in_two_weeks).pre_tuples(vec![PreTuple::new("editor", "folder", &folder)]);
    let invited = as_ada.create_invitation(CreateInvitation::new(acme.org.id, ada.id, offer)).await?;

    // Whoever signs Ben in knows that the address is his, and vouches for it.
    let as_ben = store.with_caller(Caller::guarded(ben.id).vouching(["ben@example.org"]));
    let waiting = as_ben.list_invitations_for(ListInvitationsFor::new("ben@example.org").status(InvitationStatus::Pending)).await?;
    assert!(waiting.data.contains(&invited));
    let accepted = as_ben.accept_invitation(AcceptInvitation::by(invited.id, ben.id, "ben@example.org")).await?;
    println!("Ben is {} as {}", accepted.membership.id, accepted.membership.role);

    // What he was promised came with the membership, in the same commit, and counts as long as he is a member.
    let question = CheckOne::new(("usr", &ben.id.to_string()), "editor", ("folder", &folder));
    let answer = as_ben.check(question).await?;
    println!("may Ben edit the folder? {}", answer.allowed);
    assert_eq!(answer.matched_tuple_id, accepted.materialized_tuples.first().map(|tuple| tuple.id));

    // A member may not rename the organization. The owner may, and even she cannot leave it without an owner. To somebody
    // without a membership it is not there.
    let rename = UpdateOrg::new(acme.org.id).name(Patch::Set("Ben & Co".to_owned()));
    println!("Ben renames it: {}", refusal(as_ben.update_org(rename).await));
    println!("Ada leaves it: {}", refusal(as_ada.self_leave(SelfLeave::new(acme.owner_membership.id)).await));
    let cleo = store.create_user(CreateUser::new().display_name("Cleo")).await?.user;
    println!("Cleo looks at it: {}", refusal(store.with_caller(Caller::guarded(cleo.id)).get_org(acme.org.id).await));

    // What happened, numbered without gaps, with who did it.
    for event in as_ada.changes(ListChanges::new(acme.org.id)).await?.data {
        let who = event.actor.id.map(|id| id.to_string()).unwrap_or_default();
        println!("{:>3}  {}  by {who}", event.revision.unwrap_or_default(), event.kind.as_str());
    }
    Ok(())
}

/// The stable code of a refusal, for programs; its text is for people.
fn refusal<T>(outcome: Result<T, Error>) -> String {
    outcome.map_or_else(|error| format!("{}: {error}", error.code()), |_| "done".to_owned())
}
