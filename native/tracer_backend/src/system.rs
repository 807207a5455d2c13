//! What the recorder asks the system: who a process and a thread are, and whether they still run.

use std::fs;
use std::path::Path;

/// Pid and start: together they name one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// The pid.
    pub pid: u64,
    /// Start time in clock ticks since boot, 0 where that is not known.
    pub start: u64,
}

impl ProcessId {
    /// This process.
    pub fn own() -> Self {
        let pid = u64::from(std::process::id());
        Self { pid, start: start_of("/proc/self/stat").unwrap_or(0) }
    }

    /// Whether it still runs. A pid that was given to another process is not it; a zombie runs no more.
    pub fn alive(self) -> bool {
        // One reading tells both: the kernel works for this file, and a drain asks many times a second.
        let Ok(text) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            if Path::new("/proc/self/stat").exists() {
                return false;
            }
            let Ok(pid) = libc::pid_t::try_from(self.pid) else { return false };
            // SAFETY: signal 0 only asks.
            return unsafe { libc::kill(pid, 0) } == 0;
        };
        let state = fields(&text).next();
        !matches!(state, Some("Z" | "X")) && (self.start == 0 || start_in(&text) == Some(self.start))
    }

    /// As it stands in the name of its folder.
    pub fn folder(self) -> String {
        format!("{}-{}", self.pid, self.start)
    }

    /// From the name of its folder.
    pub fn from_folder(name: &str) -> Option<Self> {
        let (pid, start) = name.split_once('-')?;
        // A second registry of the process has a number behind.
        let start = start.split_once('-').map_or(start, |(start, _)| start);
        Some(Self { pid: pid.parse().ok()?, start: start.parse().ok()? })
    }
}

/// The fields behind the command, which may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

/// The process that started a process, or took it over.
pub(crate) fn parent_of(pid: u64) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields(&text).nth(1)?.parse().ok()
}

fn start_of(path: &str) -> Option<u64> {
    start_in(&fs::read_to_string(path).ok()?)
}

fn start_in(stat: &str) -> Option<u64> {
    fields(stat).nth(19)?.parse().ok()
}

/// The number of the calling thread.
pub(crate) fn thread_id() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: asks for a number.
        u64::try_from(unsafe { libc::gettid() }).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}

/// The boot that this machine is in; empty where that cannot be known.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process__own__then_alive_and_another_start_is_not() {
        let own = ProcessId::own();
        assert!(own.alive());
        assert_eq!(ProcessId::from_folder(&own.folder()), Some(own));
        assert!(!ProcessId { start: own.start + 1, ..own }.alive());
        assert!(ProcessId::from_folder("lock").is_none());
    }

    #[test]
    fn process__ended__then_not_alive_even_before_it_is_waited_for() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let path = format!("/proc/{}/stat", child.id());
        let id = ProcessId { pid: u64::from(child.id()), start: start_of(&path).unwrap_or(0) };
        while id.alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!id.alive());
    }

    #[test]
    fn fields__of_a_command_with_brackets__then_those_behind_it() {
        assert_eq!(fields("1 (a) b) R 2 3").collect::<Vec<_>>(), ["R", "2", "3"]);
    }
}
