//! Ten thousand recorders come and go, in one process and each in a process of its own, beside one drain: nothing of them is
//! left, no file, mapping, descriptor or thread. `TRACEKIT_ACTIVATIONS` says how many, which is a tenth of them otherwise.

mod common;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, thread};

use common::{Folder, start_child, wait};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::verify::verify;
use tracer_backend::{Home, Record, Registry, Settings, kinds};

const DEFAULT: u64 = 1000;
/// Mappings that the allocator makes and gives back as it likes.
const ALLOCATORS: usize = 8;
/// Between two looks of the drain; so many children live at a time.
const ROUND: u64 = 50;
/// What a recorder makes: a call and a log line in each of two threads.
const EACH: u64 = 4;

/// How many there are of what a process can leak.
#[derive(Debug)]
struct Held {
    mappings: usize,
    descriptors: usize,
    threads: usize,
    /// Of rings that are mapped though their files are gone.
    rings: usize,
}

impl Held {
    fn now(rings: &Path) -> Self {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
        let of_rings = rings.to_string_lossy();
        Self {
            mappings: maps.lines().count(),
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            rings: maps.lines().filter(|line| line.contains(&*of_rings)).count(),
        }
    }

    fn same(&self, other: &Self) -> bool {
        let whole = |held: &Self| (held.descriptors, held.threads, held.rings);
        whole(self) == whole(other) && self.mappings.abs_diff(other.mappings) <= ALLOCATORS
    }
}

fn settings() -> Settings {
    Settings { calls_bytes: 32 * 64, durable_bytes: 32 * 64, ..Settings::default() }
}

fn record(registry: &Registry) -> bool {
    let call = Record { kind: kinds::ENTER.0, id: registry.text("a function"), ..Record::default() };
    let log = Record { kind: kinds::LOG.0, id: registry.text("a logger"), ..Record::default() };
    registry.record(Home::Calls, call).is_ok() && registry.record(Home::Durable, log).is_ok()
}

/// A recorder from its beginning to its end.
fn activation(rings: &Path) -> bool {
    let Ok(registry) = Registry::in_folder(rings, settings()) else { return false };
    let other = registry.clone();
    record(&registry) && thread::spawn(move || record(&other)).join().unwrap_or(false)
}

/// What `round` leaves behind, `count` recorders in all.
fn left(name: &str, count: u64, round: impl Fn(&Path, u64) -> bool) -> bool {
    let folder = Folder::new();
    let rings = folder.path().join("rings");
    let Ok(mut drain) = Drain::open(&rings, folder.path(), Limits::default()) else { return false };
    let mut sound = true;
    let mut some = |many: u64| {
        for at in (0..many).step_by(usize::try_from(ROUND).unwrap_or(1)) {
            sound &= round(&rings, ROUND.min(many - at));
            sound &= drain.pass(0, true).is_ok();
        }
    };
    // What is made once, and what a thread keeps until its next record.
    some(2 * ROUND);
    let before = Held::now(&rings);
    some(count);
    let after = Held::now(&rings);
    let entries = fs::read_dir(&rings).into_iter().flatten().flatten();
    // One file stands beside the folders of the recorders: their lock.
    let files = entries.filter(|entry| entry.path().is_dir()).count();
    let all = |records: u64| records == (count + 2 * ROUND) * EACH;
    let report = drain.finish().and_then(|_| verify(folder.path()));
    let taken = report.is_ok_and(|report| report.complete() && all(report.records()));
    let ok = before.same(&after) && files == 0 && taken && sound;
    let end = if ok { "ok" } else { "FAILED" };
    println!(
        "P14 activations_{name}={count} folders={files} rings={} mappings={} descriptors={} threads={} {end}",
        after.rings, after.mappings, after.descriptors, after.threads
    );
    ok
}

fn in_one_process(rings: &Path, many: u64) -> bool {
    (0..many).all(|_| activation(rings))
}

fn in_processes(rings: &Path, many: u64) -> bool {
    let children: Vec<i32> = (0..many).map(|_| start_child(|| i32::from(!activation(rings)))).collect();
    children.into_iter().fold(true, |sound, child| sound & (wait(child).status == 0))
}

fn main() -> ExitCode {
    let count = env::var("TRACEKIT_ACTIVATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT);
    // Processes first: a fork has only the thread that made it.
    let processes = left("in_processes", count, in_processes);
    let one = left("in_one_process", count, in_one_process);
    if processes && one { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
