//! What the tests of this crate share: folders that go away, and children of a fork.
#![allow(dead_code)] // each test program uses its part

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process};

/// Seconds after which a child ends whatever it does.
const PATIENCE: u32 = 300;

static COUNT: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("tracekit-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A process that has ended.
pub(crate) struct Child {
    pub(crate) pid: i32,
    /// Exit code, or 1000 + signal.
    pub(crate) status: i32,
}

/// Starts a child of a fork that runs this and ends without the test program's own end.
pub(crate) fn start_child(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child touches only what this thread owns or what is made for forks, and leaves by _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system gives no process");
    if pid == 0 {
        // A child that waits for a thread it has not got is a red test, and no test that never ends.
        // SAFETY: a number and nothing else.
        unsafe { libc::alarm(PATIENCE) };
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    pid
}

pub(crate) fn wait(pid: i32) -> Child {
    let mut status = 0;
    // SAFETY: a child of ours, waited for once.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    let status = if libc::WIFSIGNALED(status) { 1000 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
    Child { pid, status }
}

pub(crate) fn in_child(work: impl FnOnce() -> i32) -> Child {
    wait(start_child(work))
}

/// Ends a child at whatever it does.
pub(crate) fn kill(pid: i32) -> Child {
    // SAFETY: a child of ours that nobody has waited for.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    wait(pid)
}
