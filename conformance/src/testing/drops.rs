//! Drops a future in the middle of its work, as a caller does that times out or goes away.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// When a future is dropped, after a number of polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As soon as the last poll has returned: what it set off is under way.
    AtOnce,
    /// When it would be polled next: what it set off has come back, and nobody takes it.
    Woken,
}

impl Moment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::AtOnce, Self::Woken];
}

/// Runs a future to its end, and counts how often it was polled.
pub async fn count_polls<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|context| {
        polls += 1;
        future.as_mut().poll(context)
    })
    .await;
    (output, polls)
}

/// Polls a future so often and then drops it; answers what it gave if it came to its end before. Between polls the
/// runtime goes on, so that each poll has something to do.
pub async fn drop_after<F: Future>(future: F, polls: usize, moment: Moment) -> Option<F::Output> {
    let mut future: Option<Pin<Box<F>>> = Some(Box::pin(future));
    let mut left = polls;
    poll_fn(|context| {
        let Some(running) = future.as_mut().filter(|_| left > 0) else {
            future = None;
            return Poll::Ready(None);
        };
        left -= 1;
        match running.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && moment == Moment::AtOnce => {
                future = None;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::{Context, Waker};

    use super::*;

    /// Ready at the third poll.
    async fn thrice(steps: &Cell<u32>) {
        for _ in 0..2 {
            steps.set(steps.get() + 1);
            let mut woken = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut woken, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        steps.set(steps.get() + 1);
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
        }
    }

    #[test]
    fn a_future_is_polled_as_often_as_asked() {
        assert_eq!(block_on(count_polls(thrice(&Cell::new(0)))).1, 3);
        for moment in Moment::ALL {
            for (polls, steps_done, ended) in [(0, 0, false), (1, 1, false), (2, 2, false), (3, 3, true), (9, 3, true)] {
                let steps = Cell::new(0);
                let output = block_on(drop_after(thrice(&steps), polls, moment));
                assert_eq!((output.is_some(), steps.get()), (ended, steps_done), "{polls} polls, {moment:?}");
            }
        }
    }
}
