//! `tenantry sweep`: one transaction after the other, until nothing is left.

use tenantry::{Sweep, Swept, TenancyStore};

use crate::args::SweepArgs;
use crate::failure::Failure;
use crate::output::{Answer, Record};
use crate::progress;

pub(super) async fn run(args: &SweepArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let request = args.limit.into_iter().fold(Sweep::new(), Sweep::limit);
    let spinner = progress::spinner("{spinner} sweeping  {pos} rows");
    let swept = all(&request, store, |rows| spinner.inc(rows)).await;
    spinner.finish_and_clear();
    let swept = swept?;
    let Swept { invitations, tuples, .. } = swept;
    Answer::new(&swept, Record::new().with("invitations", invitations).with("tuples", tuples))
}

async fn all(request: &Sweep, store: &dyn TenancyStore, told: impl Fn(u64)) -> Result<Swept, Failure> {
    let mut all = store.sweep(request.clone()).await?;
    told(all.invitations + all.tuples);
    while all.more {
        let next = store.sweep(request.clone()).await?;
        told(next.invitations + next.tuples);
        all.invitations += next.invitations;
        all.tuples += next.tuples;
        all.more = next.more;
    }
    Ok(all)
}
