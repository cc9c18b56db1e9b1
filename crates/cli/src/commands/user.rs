//! `tenantry user ...`

use tenantry::{CreateUser, ReinstateUser, RevokeUser, SuspendUser, TenancyStore, User};

use crate::args::UserCommand;
use crate::failure::Failure;
use crate::output::{Answer, Record};

pub(super) async fn run(command: UserCommand, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    match command {
        UserCommand::Create { name } => {
            let request = name.into_iter().fold(CreateUser::new(), CreateUser::display_name);
            let created = store.create_user(request).await?;
            Answer::new(&created, record(&created.user))
        }
        UserCommand::Show { usr_id } => answer(&store.get_user(usr_id).await?),
        UserCommand::Suspend(user) => {
            let suspended = store.suspend_user(SuspendUser::new(user.usr_id)).await?;
            let ownerless: Vec<String> = suspended.orgs_without_acting_owner.iter().map(ToString::to_string).collect();
            Answer::new(&suspended, record(&suspended.user).with("orgs_without_acting_owner", ownerless.join(" ")))
        }
        UserCommand::Reinstate(user) => answer(&store.reinstate_user(ReinstateUser::new(user.usr_id)).await?),
        UserCommand::Revoke(user) => answer(&store.revoke_user(RevokeUser::new(user.usr_id)).await?),
    }
}

fn answer(user: &User) -> Result<Answer, Failure> {
    Answer::new(user, record(user))
}

fn record(user: &User) -> Record {
    let User { id, status, display_name, created_at, updated_at, revision: _ } = user;
    Record::new()
        .with("id", id)
        .with("status", status)
        .with_some("display_name", display_name.as_ref())
        .with("created_at", created_at)
        .with("updated_at", updated_at)
}
