//! The kinds of side: how the operations of one sample are run and timed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::PgPool;
use tokio::runtime::Runtime;

use crate::measure::Side;

/// Operations whose inputs are made right before them: what has just been made is in the processor's caches, as with a caller.
struct Prepared<M, R> {
    operations: usize,
    make: M,
    run: R,
}

impl<I, M, R> Side for Prepared<M, R>
where
    M: FnMut() -> Result<I>,
    R: FnMut(Vec<I>) -> Result<Duration>,
{
    fn sample(&mut self) -> Result<Duration> {
        let inputs = (0..self.operations).map(|_| (self.make)()).collect::<Result<_>>()?;
        (self.run)(inputs)
    }

    fn operations(&self) -> usize {
        self.operations
    }
}

/// A side with its own way to run the inputs of a sample and to time them.
pub fn timed<'s, I: 's>(
    operations: usize,
    make: impl FnMut() -> Result<I> + 's,
    run: impl FnMut(Vec<I>) -> Result<Duration> + 's,
) -> Box<dyn Side + 's> {
    Box::new(Prepared { operations, make, run })
}

/// Calls that return when they are done.
pub fn blocking<'s, I: 's, T: 's>(
    operations: usize,
    make: impl FnMut() -> Result<I> + 's,
    mut call: impl FnMut(I) -> Result<T> + 's,
) -> Box<dyn Side + 's> {
    timed(operations, make, move |inputs| {
        let begun = Instant::now();
        for input in inputs {
            black_box(call(black_box(input))?);
        }
        Ok(begun.elapsed())
    })
}

/// Calls so short that it would count how their inputs get to them: by reference, from where they lie.
pub fn by_reference<'s, I: 's, T: 's>(
    operations: usize,
    make: impl FnMut() -> Result<I> + 's,
    mut call: impl FnMut(&I) -> Result<T> + 's,
) -> Box<dyn Side + 's> {
    timed(operations, make, move |inputs| {
        let begun = Instant::now();
        for input in &inputs {
            black_box(call(black_box(input))?);
        }
        Ok(begun.elapsed())
    })
}

/// Calls that are awaited, one behind the other.
pub fn awaited<'s, I: 's, T: 's>(
    runtime: &'s Runtime,
    operations: usize,
    make: impl FnMut() -> Result<I> + 's,
    mut call: impl AsyncFnMut(I) -> Result<T> + 's,
) -> Box<dyn Side + 's> {
    timed(operations, make, move |inputs| {
        runtime.block_on(async {
            let begun = Instant::now();
            for input in inputs {
                black_box(call(black_box(input)).await?);
            }
            Ok(begun.elapsed())
        })
    })
}

/// Calls that are awaited, each after the pool's connection is idle again: as if the caller held it. What the pool asks of a
/// connection that comes back is a round trip of its own, and no part of the call.
pub fn on_held<'s, I: 's, T: 's>(
    runtime: &'s Runtime,
    pool: &'s PgPool,
    make: impl FnMut() -> Result<I> + 's,
    mut call: impl AsyncFnMut(I) -> Result<T> + 's,
) -> Box<dyn Side + 's> {
    timed(1, make, move |inputs| {
        runtime.block_on(async {
            let mut spent = Duration::ZERO;
            for input in inputs {
                let begun = Instant::now();
                black_box(call(black_box(input)).await?);
                spent += begun.elapsed();
                settle(pool).await;
            }
            Ok(spent)
        })
    })
}

/// Waits until every connection of a pool is idle.
pub async fn settle(pool: &PgPool) {
    while pool.num_idle() < usize::try_from(pool.size()).unwrap_or_default() {
        tokio::task::yield_now().await;
    }
}
