//! A writer that dies at any store of the protocol: what a reader finds. The rows of `CRASH.md` name these tests.

mod common;

use std::cell::Cell;
use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Folder, in_child};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::header::{BASE, GENERATION, HEAD, STATE};
use tracer_backend::reader::ProcessFolder;
use tracer_backend::ring::{Copied, Looked, Memory, Slot, Word, look, push};
use tracer_backend::segment::segment_path;
use tracer_backend::verify::verify;
use tracer_backend::{Home, Record, Registry, Settings, kinds};

thread_local! {
    /// How many stores the writer has left to live.
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// A word whose writer is dead after so many stores.
#[derive(Default)]
struct Mortal(AtomicU64);

impl Word for Mortal {
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        if let Some(left) = LEFT.get().checked_sub(1) {
            LEFT.set(left);
            self.0.store(value, order);
        }
    }

    fn fence(_order: Ordering) {}
}

struct Ring {
    head: Mortal,
    slots: Vec<Slot<Mortal>>,
}

const SLOTS: u64 = 8;

impl Ring {
    fn written(sequences: Range<u64>) -> Self {
        let ring = Self { head: Mortal::default(), slots: (0..SLOTS).map(|_| Slot::default()).collect() };
        LEFT.set(u64::MAX);
        sequences.for_each(|sequence| ring.push(sequence));
        ring
    }

    fn push(&self, sequence: u64) {
        push(&self.head, &self.slots, sequence, [sequence, sequence * 3, sequence * 7]);
    }

    fn read(&self) -> (Looked, Vec<Copied>) {
        let mut out = Vec::new();
        let memory = Memory { head: &self.head, slots: &self.slots };
        let looked = look(&memory, 0, usize::MAX, true, &mut out).expect("memory can be read");
        (looked, out)
    }
}

/// The writer dies after `stores` stores of the push of each sequence; the reader must find this many whole records.
fn dies_after(stores: u64, committed: bool) {
    for sequence in [0, 1, 6, 7, 8, 9, 15, 16, 23, 40] {
        let ring = Ring::written(0..sequence);
        LEFT.set(stores);
        ring.push(sequence);
        let (looked, out) = ring.read();
        let next = sequence + u64::from(committed);
        let first = (next + 1).saturating_sub(SLOTS);
        assert_eq!((looked.first, looked.next, looked.damaged), (first, next, 0), "sequence {sequence}");
        let wanted: Vec<Copied> = (first..next).map(|n| [n + 1, n, n * 3, n * 7]).collect();
        assert_eq!(out, wanted, "sequence {sequence}");
    }
}

#[test]
fn push__dies_before_its_first_store__then_everything_before_is_there() {
    dies_after(0, false);
}

#[test]
fn push__dies_after_the_time__then_everything_before_is_there() {
    dies_after(1, false);
}

#[test]
fn push__dies_after_the_meaning__then_everything_before_is_there() {
    dies_after(2, false);
}

#[test]
fn push__dies_after_the_ids__then_everything_before_is_there() {
    dies_after(3, false);
}

#[test]
fn push__dies_after_the_stamp__then_its_record_is_there_too() {
    dies_after(4, true);
}

#[test]
fn push__dies_after_the_head__then_its_record_is_there_too() {
    dies_after(5, true);
}

struct Box_ {
    folder: Folder,
}

impl Box_ {
    fn new() -> Self {
        Self { folder: Folder::new() }
    }

    fn rings(&self) -> std::path::PathBuf {
        self.folder.path().join("rings")
    }

    /// A process that records so many events and is gone.
    fn written(&self, events: u32) {
        let child = in_child(|| {
            let settings = Settings { calls_bytes: 32 * 64, ..Settings::default() };
            let Ok(registry) = Registry::in_folder(&self.rings(), settings) else { return 1 };
            let name = registry.text("name");
            for arg in 0..events {
                let record = Record { kind: kinds::POINT.0, id: name, arg, ..Record::default() };
                if registry.record(Home::Calls, record).is_err() {
                    return 2;
                }
            }
            0
        });
        assert_eq!(child.status, 0);
    }

    fn process(&self) -> ProcessFolder {
        ProcessFolder::all(&self.rings()).expect("a folder").remove(0)
    }

    /// The state of the ring's words as the dead writer left them.
    fn change(&self, words: &[(usize, u64)]) {
        let path = self.process().rings().expect("rings").remove(0);
        let mut bytes = fs::read(&path).expect("a ring");
        for (word, value) in words {
            bytes[word * 8..word * 8 + 8].copy_from_slice(&value.to_ne_bytes());
        }
        fs::write(&path, bytes).expect("a ring");
    }

    fn drained(&self) -> (u64, bool) {
        let limits = Limits::default();
        let mut drain = Drain::open(&self.rings(), self.folder.path(), limits).expect("a folder");
        drain.finish().expect("a disk");
        let report = verify(self.folder.path()).expect("a trace");
        assert!(report.sound(), "{:?}", report.faults);
        (report.records(), report.complete())
    }
}

#[test]
fn ring_file__dies_before_it_has_its_name__then_no_ring_is_found() {
    let this = Box_::new();
    this.written(3);
    let path = this.process().rings().unwrap().remove(0);
    fs::copy(&path, path.with_file_name("77.calls.new")).unwrap();
    assert_eq!(this.process().rings().unwrap().len(), 1);
    assert_eq!(this.drained(), (3, true));
}

#[test]
fn ring_file__dies_before_its_first_record__then_an_empty_lane_that_ended() {
    let this = Box_::new();
    this.written(3);
    this.change(&[(HEAD, 0), (4096 / 8, 0)]);
    assert_eq!(this.drained(), (0, true));
}

#[test]
fn hand_over__dies_at_any_store__then_nothing_of_the_thread_before_is_told_twice() {
    // All that the thread before wrote was drained, or its ring would not have been handed over.
    for stores in 0..=4 {
        let this = Box_::new();
        this.written(3);
        let limits = Limits { remove: false, ..Limits::default() };
        Drain::open(&this.rings(), this.folder.path(), limits).unwrap().finish().unwrap();
        let changes = [(GENERATION, 3), (17, 4711), (BASE, 3), (STATE, 0), (GENERATION, 4)];
        this.change(&changes[..=stores]);
        assert_eq!(this.drained(), (3, true), "after {stores}");
    }
}

#[test]
fn state__dies_before_the_ring_is_closed__then_the_lane_ended_with_its_process() {
    let this = Box_::new();
    this.written(3);
    this.change(&[(STATE, 0)]);
    assert_eq!(this.drained(), (3, true));
    let report = verify(this.folder.path()).unwrap();
    assert!(report.lanes.values().all(|lane| lane.end.as_deref() == Some("process gone")));
}

#[test]
fn string__dies_inside_its_write__then_no_record_names_it() {
    let this = Box_::new();
    this.written(0);
    let path = this.process().strings();
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(tracer_backend::strings::entries(&whole[..end]).next().is_none());
    }
    assert_eq!(this.drained(), (0, true));
}

#[test]
fn drained__dies_before_the_ring_is_told__then_the_next_drain_takes_nothing_twice() {
    let this = Box_::new();
    this.written(5);
    let limits = Limits { remove: false, ..Limits::default() };
    Drain::open(&this.rings(), this.folder.path(), limits).unwrap().finish().unwrap();
    this.change(&[(64, 0)]);
    assert_eq!(this.drained(), (5, true));
}

#[test]
fn block__dies_at_any_byte_of_its_write__then_the_next_drain_writes_it_again() {
    let this = Box_::new();
    this.written(5);
    let limits = Limits { remove: false, ..Limits::default() };
    Drain::open(&this.rings(), this.folder.path(), limits.clone()).unwrap().finish().unwrap();
    let path = segment_path(this.folder.path(), 0);
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        Drain::open(&this.rings(), this.folder.path(), limits.clone()).unwrap().finish().unwrap();
        let report = verify(this.folder.path()).unwrap();
        assert!(report.complete() && report.records() == 5, "cut at {end}: {report:?}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn strings_of_the_box__dies_at_any_byte__then_the_next_drain_numbers_them_again() {
    let this = Box_::new();
    this.written(5);
    let limits = Limits { remove: false, ..Limits::default() };
    let strings = tracer_backend::segment::strings_path(this.folder.path());
    Drain::open(&this.rings(), this.folder.path(), limits.clone()).unwrap().finish().unwrap();
    let whole = fs::read(&strings).unwrap();
    for end in (0..whole.len()).filter(|end| *end == 0 || *end >= 8) {
        // Blocks come after the strings that they need, so there is none yet.
        fs::remove_dir_all(this.folder.path().join("trace")).unwrap();
        fs::write(&strings, &whole[..end]).unwrap();
        if end == 0 {
            fs::remove_file(&strings).unwrap();
        }
        Drain::open(&this.rings(), this.folder.path(), limits.clone()).unwrap().finish().unwrap();
        let report = verify(this.folder.path()).unwrap();
        assert!(report.complete() && report.records() == 5, "cut at {end}: {report:?}");
    }
}
