//! What a registry is told by the environment of its process: each case is a child with an environment of its own.

mod common;

use std::path::Path;
use std::process::Command;
use std::{env, fs, thread};

use common::{Folder, in_child};
use tracer_backend::clock::{CLOCK_VARIABLE, monotonic_ns, tsc_trusted};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::header;
use tracer_backend::reader::RingFile;
use tracer_backend::segment::{Segment, segments, strings_path};
use tracer_backend::strings::entries;
use tracer_backend::{
    Home, RING_VARIABLE, RINGS_VARIABLE, Record, Registry, SCENARIO_VARIABLE, SCENARIOS_VARIABLE, Settings, kinds,
};

const NAMES: [&str; 5] = [RINGS_VARIABLE, RING_VARIABLE, SCENARIO_VARIABLE, SCENARIOS_VARIABLE, CLOCK_VARIABLE];

fn event(arg: u32) -> Record {
    Record { kind: kinds::EVENT.0, arg, ..Record::default() }
}

/// The two programs: tests of this file that end well in any environment.
const RECORDS: &str = "program__with_two_threads__then_both_record";
const STARTS_ANOTHER: &str = "program__that_starts_another__then_both_record";

/// Whether one of the programs ends well in this environment. In a process of its own and not in a fork of this one,
/// whose environment may be held by a thread that the fork has not got.
fn started(program: &str, variables: &[(&str, &Path)]) -> bool {
    let mut command = Command::new(env::current_exe().expect("this program"));
    for name in NAMES {
        command.env_remove(name);
    }
    command.args(["--exact", program]).envs(variables.iter().copied());
    let output = command.output().expect("a process");
    // The harness ends well where it has found no test of that name, too.
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed")
}

/// A program that records on a thread that has no name, and on one that has.
#[test]
fn program__with_two_threads__then_both_record() {
    let registry = Registry::new().expect("memory");
    let recorder = |arg| {
        let registry = registry.clone();
        move || registry.record(Home::Calls, event(arg)).expect("a ring")
    };
    thread::spawn(recorder(1)).join().expect("a record");
    thread::Builder::new()
        .name("tests::one".to_owned())
        .spawn(recorder(2))
        .expect("a thread")
        .join()
        .expect("a record");
}

/// A program that records, and starts one that does.
#[test]
fn program__that_starts_another__then_both_record() {
    let registry = Registry::new().expect("memory");
    registry.set_process_scenario(registry.text("the nearest one"));
    let child = in_child(|| {
        program__with_two_threads__then_both_record();
        0
    });
    assert_eq!(child.status, 0);
}

/// When each event below this folder was recorded, once it is drained.
fn times(folder: &Folder) -> Vec<u64> {
    let (mut found, mut buffer) = (Vec::new(), Vec::new());
    for (_, path) in segments(folder.path()).expect("segments") {
        let segment = Segment::open(&path).expect("a segment");
        for number in 0..segment.blocks().len() {
            let block = segment.load(number, &mut buffer).expect("a block").expect("a whole block");
            found.extend(block.iter().filter(|row| row.kind == kinds::EVENT.0).map(|row| row.time));
        }
    }
    found
}

/// Number and scenario of each event below this folder.
fn told(folder: &Folder) -> Vec<(u32, String)> {
    Drain::open(&folder.path().join("rings"), folder.path(), Limits::default())
        .expect("a folder")
        .finish()
        .expect("a disk");
    let bytes = fs::read(strings_path(folder.path())).expect("strings");
    let strings: Vec<String> = entries(&bytes).map(|entry| String::from_utf8_lossy(entry.body).into_owned()).collect();
    let (mut found, mut buffer) = (Vec::new(), Vec::new());
    for (_, path) in segments(folder.path()).expect("segments") {
        let segment = Segment::open(&path).expect("a segment");
        for number in 0..segment.blocks().len() {
            let block = segment.load(number, &mut buffer).expect("a block").expect("a whole block");
            let events = block.iter().filter(|row| row.kind == kinds::EVENT.0);
            let whose = |at: u32| at.checked_sub(1).map_or_else(String::new, |at| strings[at as usize].clone());
            found.extend(events.map(|row| (row.arg, whose(row.scenario))));
        }
    }
    found.sort();
    found
}

#[test]
fn scenario__of_a_process__then_every_thread_s() {
    let folder = Folder::new();
    let rings = folder.path().join("rings");
    let variables = [(RINGS_VARIABLE, rings.as_path()), (SCENARIO_VARIABLE, Path::new("cargo:a.rs::one"))];
    assert!(started(RECORDS, &variables));
    let whose = "cargo:a.rs::one".to_owned();
    assert_eq!(told(&folder), [(1, whose.clone()), (2, whose)]);
}

#[test]
fn scenario__of_a_thread_by_its_name__then_that_thread_s_only() {
    let folder = Folder::new();
    let (rings, list) = (folder.path().join("rings"), folder.path().join("list"));
    fs::write(&list, "tests::other\tcargo:a.rs::other\ntests::one\tcargo:a.rs::one\nno tab\n\n").unwrap();
    assert!(started(RECORDS, &[(RINGS_VARIABLE, &rings), (SCENARIOS_VARIABLE, &list)]));
    assert_eq!(told(&folder), [(1, String::new()), (2, "cargo:a.rs::one".to_owned())]);
}

#[test]
fn scenario__of_a_process_that_a_recording_one_started__then_that_one_s() {
    let folder = Folder::new();
    let rings = folder.path().join("rings");
    let variables = [(RINGS_VARIABLE, rings.as_path()), (SCENARIO_VARIABLE, Path::new("the outer one"))];
    assert!(started(STARTS_ANOTHER, &variables));
    let whose = "the nearest one".to_owned();
    assert_eq!(told(&folder), [(1, whose.clone()), (2, whose)]);
}

#[test]
fn rings__where_nothing_can_be_written_or_read__then_the_program_works_all_the_same() {
    let folder = Folder::new();
    let (file, missing) = (folder.path().join("file"), folder.path().join("missing"));
    fs::write(&file, "").unwrap();
    assert!(started(RECORDS, &[(RINGS_VARIABLE, &file.join("rings")), (SCENARIOS_VARIABLE, &missing)]));
    assert!(started(RECORDS, &[]));
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn ring__asked_for__then_as_large() {
    let cases = [("", 1 << 20), ("word", 1 << 20), ("0", 1 << 20), ("262144", 1 << 18), ("4194304", 1 << 22)];
    for (asked, wanted) in cases {
        let folder = Folder::new();
        let rings = folder.path().join("rings");
        let variables = [(RINGS_VARIABLE, rings.as_path()), (RING_VARIABLE, Path::new(asked))];
        assert!(started(RECORDS, &variables));
        let process = tracer_backend::reader::ProcessFolder::all(&rings).unwrap().remove(0);
        let ring = process.rings().unwrap().into_iter().find(|path| path.extension() == Some("calls".as_ref()));
        let bytes = fs::metadata(ring.unwrap()).unwrap().len();
        assert!((wanted..wanted + 8192).contains(&bytes), "{asked}: {bytes}");
    }
    assert_eq!(Settings::default().calls_bytes, 1 << 20);
}

#[test]
fn clock__of_the_system_asked_for__then_said_in_each_ring_and_its_times_as_they_stand() {
    for asked in ["system", "", "counter"] {
        let folder = Folder::new();
        let rings = folder.path().join("rings");
        let before = monotonic_ns();
        assert!(started(RECORDS, &[(RINGS_VARIABLE, &rings), (CLOCK_VARIABLE, Path::new(asked))]));
        let after = monotonic_ns();
        let process = tracer_backend::reader::ProcessFolder::all(&rings).unwrap().remove(0);
        let counter = asked != "system" && tsc_trusted();
        for ring in process.rings().unwrap() {
            let file = RingFile::open(&ring).unwrap();
            assert_eq!(file.header().word(header::TSC) == 1, counter, "{asked}");
        }
        // What no counter of this machine shows: nanoseconds, between two that this process has read.
        let bytes = fs::read(process.rings().unwrap().remove(0)).unwrap();
        let at = header::HEADER_BYTES + 8;
        let stored = u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((before..=after).contains(&stored), !counter, "{asked}: {before} {stored} {after}");
        assert_eq!(told(&folder).len(), 2);
        assert!(times(&folder).iter().all(|time| (before..=after).contains(time)), "{asked}");
    }
}
