//! The one lock of everything that is not the hot path. A fork waits for it and gives it back on both sides, so that a
//! child never inherits a lock that a thread it does not have was holding.

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use crate::hot;

static LOCKED: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicU64 = AtomicU64::new(0);
static WATCH: Once = Once::new();

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread holds the gate. An allocator that records is called in here, too, and must not wait for
/// itself.
pub(crate) fn inside() -> bool {
    INSIDE.with(Cell::get)
}

fn lock() {
    while LOCKED.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
        thread::yield_now();
    }
    INSIDE.with(|inside| inside.set(true));
}

fn unlock() {
    INSIDE.with(|inside| inside.set(false));
    LOCKED.store(false, Release);
}

extern "C" fn before_fork() {
    lock();
}

extern "C" fn after_fork_in_parent() {
    unlock();
}

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Relaxed);
    hot::leave_rings();
    unlock();
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
    /// Not where `inside` is true: nobody would ever come to give it back.
    pub(crate) fn new() -> Self {
        lock();
        Self(())
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        unlock();
    }
}
