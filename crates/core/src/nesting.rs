//! Whether the code that calls a store runs inside a transaction that the same store has lent to this thread.
//!
//! A store with one writer lends it for the length of a transaction. Whoever then uses the store itself, instead of the transaction,
//! would wait for a lock that their own caller holds. The thread remembers what it is inside of, so that this is an error at once.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{BackendError, BackendKind};

thread_local! {
    /// The stores whose transactions this thread is inside of, outermost first.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A store's mark, to be told from those of others.
#[derive(Debug)]
pub struct Nesting(u64);

impl Default for Nesting {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Nesting {
    /// Nothing, unless this thread is inside a transaction of this store.
    ///
    /// # Errors
    /// `backend.nested_write`.
    pub fn check(&self) -> Result<(), BackendError> {
        if INSIDE.with_borrow(|inside| inside.contains(&self.0)) {
            let message =
                "the store was called from inside a transaction of its own, for which it would wait: call the transaction instead";
            return Err(BackendError::new(BackendKind::NestedWrite, message));
        }
        Ok(())
    }

    /// From now on, and until the answer is dropped, this thread is inside a transaction of this store.
    ///
    /// # Errors
    /// `backend.nested_write`: it is so already.
    pub fn enter(&self) -> Result<Inside, BackendError> {
        self.check()?;
        INSIDE.with_borrow_mut(|inside| inside.push(self.0));
        Ok(Inside { store: self.0, _stays_on_its_thread: PhantomData })
    }
}

/// That this thread is inside a transaction of a store.
#[derive(Debug)]
pub struct Inside {
    store: u64,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| inside.retain(|store| *store != self.store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_inside_of_what_it_entered_until_it_leaves() {
        let (one, two) = (Nesting::default(), Nesting::default());
        let inside = one.enter().unwrap();
        assert_eq!(one.check().unwrap_err().code(), "backend.nested_write");
        assert!(one.enter().is_err());
        assert!(two.check().is_ok());
        let deeper = two.enter().unwrap();
        assert!(std::thread::scope(|scope| scope.spawn(|| one.check().is_ok()).join().unwrap()), "another thread can wait");
        drop(inside);
        assert!(one.check().is_ok() && two.check().is_err());
        drop(deeper);
        assert!(two.check().is_ok());
    }
}
