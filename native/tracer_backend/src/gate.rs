//! The one lock of everything that is not the hot path. A fork waits for it and gives it back on both sides, so that a
//! child never inherits a lock that a thread it does not have was holding.

use std::sync::Once;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use crate::hot;

static LOCKED: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicU64 = AtomicU64::new(0);
static WATCH: Once = Once::new();

fn lock() {
    while LOCKED.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
        thread::yield_now();
    }
}

extern "C" fn before_fork() {
    lock();
}

extern "C" fn after_fork_in_parent() {
    LOCKED.store(false, Release);
}

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Relaxed);
    hot::leave_rings();
    LOCKED.store(false, Release);
}

/// From here on forks wait for the gate, and are counted in the child.
pub(crate) fn watch_forks() {
    WATCH.call_once(|| {
        // SAFETY: the handlers touch atomics and cells of the thread only, which is allowed between fork and exec.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
    });
}

/// How many forks lie between the first process that watched and this one.
#[inline]
pub(crate) fn forks() -> u64 {
    FORKS.load(Relaxed)
}

/// Held while something of the registry is looked at or changed.
pub(crate) struct Passed(());

impl Passed {
    pub(crate) fn new() -> Self {
        lock();
        Self(())
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        LOCKED.store(false, Release);
    }
}
