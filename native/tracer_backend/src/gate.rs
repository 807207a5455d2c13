//! The one lock of everything that is not the hot path. A fork waits for it and gives it back on both sides, so that a
//! child never inherits a lock that a thread it does not have was holding.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::Duration;

use crate::hot;
use crate::registry::Shared;

static LOCKED: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicU64 = AtomicU64::new(0);
/// Who has forks watched: 0 for nobody, the process that is about to, or `WATCHED`.
static WATCHER: AtomicU64 = AtomicU64::new(0);
const WATCHED: u64 = u64::MAX;

/// Whoever has yielded so often lets go of the processor for a while: who holds the gate may be of lower priority.
const YIELDS: u32 = 200;
const PAUSE: Duration = Duration::from_micros(100);

/// A registry whose records were refused because their thread stood in the gate. Never dropped by the end of a thread,
/// which would have to be registered, and that allocates.
type Refused = Cell<ManuallyDrop<Option<Arc<Shared>>>>;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Forks of this thread that began while it held the gate itself.
    static NESTED: Cell<u32> = const { Cell::new(0) };
    static REFUSED: Refused = const { Cell::new(ManuallyDrop::new(None)) };
}

/// Whether the calling thread holds the gate. An allocator that records is called in here, too, and must not wait for
/// itself.
pub(crate) fn inside() -> bool {
    INSIDE.with(Cell::get)
}

fn lock() {
    let mut yields = 0;
    while LOCKED.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
        if yields < YIELDS {
            yields += 1;
            thread::yield_now();
        } else {
            thread::sleep(PAUSE);
        }
    }
    INSIDE.with(|inside| inside.set(true));
}

fn unlock() {
    INSIDE.with(|inside| inside.set(false));
    LOCKED.store(false, Release);
}

/// A thread that holds the gate already, as one whose signal handler forks may, must not wait for itself.
extern "C" fn before_fork() {
    if inside() {
        NESTED.with(|nested| nested.set(nested.get() + 1));
    } else {
        lock();
    }
}

extern "C" fn after_fork_in_parent() {
    NESTED.with(|nested| match nested.get() {
        0 => unlock(),
        forks => nested.set(forks - 1),
    });
}

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Relaxed);
    hot::leave_rings();
    after_fork_in_parent();
}

/// From here on forks wait for the gate, and are counted in the child.
///
/// No `Once`: a child that was forked while another thread was in it would wait for that thread for ever. A child that
/// finds its parent about to do it does it again, which at worst makes the handlers run twice, one inside the other.
pub(crate) fn watch_forks() {
    let own = u64::from(std::process::id());
    loop {
        match WATCHER.load(Acquire) {
            WATCHED => return,
            other if other == own => thread::yield_now(),
            other => {
                if WATCHER.compare_exchange(other, own, Acquire, Relaxed).is_ok() {
                    break;
                }
            }
        }
    }
    // SAFETY: the handlers touch atomics and cells of the thread only, which is allowed between fork and exec.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
    WATCHER.store(WATCHED, Release);
}

/// The calling thread, which holds the gate, was refused something by this registry: it is counted before the gate is
/// given back. Of several registries one waits for whoever comes next.
pub(crate) fn refused(shared: &Arc<Shared>) {
    REFUSED.with(|refused| {
        let before = ManuallyDrop::into_inner(refused.replace(ManuallyDrop::new(None)));
        refused.set(ManuallyDrop::new(Some(before.unwrap_or_else(|| Arc::clone(shared)))));
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
        let refused = REFUSED.with(|refused| ManuallyDrop::into_inner(refused.replace(ManuallyDrop::new(None))));
        if let Some(shared) = &refused {
            shared.behind(self);
        }
        unlock();
        // Behind the gate: the last one of a registry closes it.
        drop(refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child of a fork that ends after this many seconds, whatever it waits for.
    const PATIENCE: u32 = 120;

    fn ends_well(work: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child has its gate and what this thread owns, and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "the system gives no process");
        if pid == 0 {
            // SAFETY: numbers and nothing else.
            unsafe {
                libc::alarm(PATIENCE);
                libc::_exit(i32::from(!work()));
            }
        }
        let mut status = 0;
        // SAFETY: a child of ours, waited for once.
        unsafe { libc::waitpid(pid, &raw mut status, 0) };
        status == 0
    }

    #[test]
    fn fork__of_a_thread_that_holds_the_gate__then_waits_neither_here_nor_in_the_child() {
        watch_forks();
        let ended = ends_well(|| {
            let before = forks();
            let passed = Passed::new();
            let child = ends_well(|| inside() && forks() == before + 1);
            let held = inside();
            drop(passed);
            child && held && !inside() && ends_well(|| drop_of(Passed::new()))
        });
        assert!(ended);
    }

    #[test]
    fn child__whose_parent_was_about_to_watch_forks__then_watches_them_itself() {
        watch_forks();
        let ended = ends_well(|| {
            // SAFETY: asks for a number.
            WATCHER.store(u64::from(unsafe { libc::getppid() }.unsigned_abs()), Release);
            watch_forks();
            // The handlers stand there twice now.
            WATCHER.load(Acquire) == WATCHED && ends_well(|| drop_of(Passed::new())) && drop_of(Passed::new())
        });
        assert!(ended);
    }

    fn drop_of(passed: Passed) -> bool {
        let held = inside();
        drop(passed);
        held && !inside()
    }
}
