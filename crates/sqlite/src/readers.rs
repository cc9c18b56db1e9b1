//! The threads that read, each with a connection of its own, over one queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use tenantry_core::BackendError;
use tokio::sync::{mpsc, oneshot};

use crate::error::Failure;
use crate::session::Session;
use crate::writer::panicked;

/// A read that answers by itself.
pub(crate) type Question = Box<dyn FnOnce(&Session) + Send>;

/// A read as a message, and where its answer comes.
pub(crate) fn question<T: Send + 'static>(
    read: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
) -> (Question, oneshot::Receiver<Result<T, BackendError>>) {
    let (reply, answer) = oneshot::channel();
    let ask = move |session: &Session| {
        // Nobody waits any more.
        if reply.is_closed() {
            return;
        }
        let found = match catch_unwind(AssertUnwindSafe(|| read(session))) {
            Ok(found) => found.map_err(|failure| session.explain(failure)),
            Err(_) => Err(panicked()),
        };
        drop(reply.send(found));
    };
    (Box::new(ask), answer)
}

/// Works until the last sender is gone; then the session is to be closed.
pub(crate) fn run(queue: &Mutex<mpsc::Receiver<Question>>, session: Session) -> Session {
    // The lock is held while waiting and let go before working, so that exactly one idle thread takes the next read.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
    while let Some(question) = next() {
        question(&session);
    }
    session
}
