//! The drain with real processes and threads: what they recorded is on the disk once, in order, or said to be missing.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Folder, in_child};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::kind::UNPAIRED;
use tracer_backend::reader::ProcessFolder;
use tracer_backend::segment::{Recording, Segment, segments, strings_path};
use tracer_backend::strings::entries;
use tracer_backend::verify::verify;
use tracer_backend::{Home, Reason, Record, Registry, Row, Settings, Tag, kinds, payload};

fn small() -> Settings {
    Settings { calls_bytes: 32 * 256, durable_bytes: 32 * 64, ..Settings::default() }
}

fn event(arg: u32) -> Record {
    Record { kind: kinds::EVENT.0, arg, ..Record::default() }
}

struct Run {
    folder: Folder,
}

impl Run {
    fn new() -> Self {
        Self { folder: Folder::new() }
    }

    fn rings(&self) -> std::path::PathBuf {
        self.folder.path().join("rings")
    }

    fn registry(&self, settings: Settings) -> Registry {
        Registry::in_folder(&self.rings(), settings).expect("a folder for the rings")
    }

    fn drain(&self) -> Drain {
        Drain::open(&self.rings(), self.folder.path(), Limits::default()).expect("a folder for the trace")
    }

    fn rows(&self) -> Vec<Row> {
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        for (_, path) in segments(self.folder.path()).expect("segments") {
            let segment = Segment::open(&path).expect("a segment");
            for number in 0..segment.blocks().len() {
                found.extend(segment.load(number, &mut buffer).expect("a block").expect("a whole block").iter());
            }
        }
        found
    }

    fn strings(&self) -> Vec<(Tag, String)> {
        let bytes = fs::read(strings_path(self.folder.path())).expect("strings");
        entries(&bytes).map(|entry| (entry.tag, String::from_utf8_lossy(entry.body).into_owned())).collect()
    }

    fn text(&self, number: u32) -> String {
        number.checked_sub(1).map_or_else(String::new, |at| self.strings()[at as usize].1.clone())
    }
}

#[test]
fn drain__of_processes_that_are_gone__then_every_record_with_its_names_and_the_folders_removed() {
    let run = Run::new();
    let registry = run.registry(small());
    for number in 0..3 {
        let child = in_child(|| {
            let name = registry.text(&format!("child {number}"));
            let scenario = registry.text("the scenario");
            for record in [Record { kind: kinds::POINT.0, id: name, arg: 7, scenario, ..Record::default() }, event(9)] {
                if registry.record(Home::Calls, record).is_err() {
                    return 1;
                }
            }
            0
        });
        assert_eq!(child.status, 0);
    }
    let mut drain = run.drain();
    assert_eq!(drain.finish().unwrap().taken, 6);
    let mut points: Vec<_> = run
        .rows()
        .iter()
        .filter(|row| row.kind == kinds::POINT.0)
        .map(|row| (run.text(row.id), row.arg, run.text(row.scenario)))
        .collect();
    points.sort();
    let wanted: Vec<_> = (0..3).map(|number| (format!("child {number}"), 7, "the scenario".to_owned())).collect();
    assert_eq!(points, wanted);
    let report = verify(run.folder.path()).unwrap();
    assert!(report.complete(), "{report:?}");
    assert_eq!((report.records(), report.lanes.len()), (6, 3));
    assert!(report.lanes.values().all(|lane| lane.end.as_deref() == Some("process gone")));
    // This process lives, and keeps its folder until its recorder is over.
    assert_eq!(ProcessFolder::all(&run.rings()).unwrap().len(), 1);
    drop(registry);
    drain.pass(0, true).unwrap();
    assert!(ProcessFolder::all(&run.rings()).unwrap().is_empty());
    assert_eq!(drain.faults(), [""; 0]);
}

#[test]
fn drain__stopped_while_threads_come_and_go__then_every_durable_record_of_each() {
    // The usual budgets, and three times as many threads as their rings have room for side by side.
    const THREADS: u32 = 240;
    let run = Run::new();
    let registry = run.registry(Settings::default());
    let mut drain = run.drain();
    drain.pass(0, true).unwrap();
    for number in 0..THREADS {
        let registry = registry.clone();
        thread::spawn(move || {
            (0..300).for_each(|call| drop(registry.record(Home::Calls, event(call))));
            let log = Record { kind: kinds::LOG.0, arg: 0, depth: u16::try_from(number).unwrap(), ..Record::default() };
            registry.record(Home::Durable, log).unwrap();
        })
        .join()
        .unwrap();
    }
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    drain.pass(0, true).unwrap();
    assert!(files() < before + 200, "a reader of {} rings has not so many descriptors", 2 * THREADS);
    registry.close();
    drop(registry);
    drain.finish().unwrap();
    let mut told: Vec<u16> = run.rows().iter().filter(|row| row.kind == kinds::LOG.0).map(|row| row.depth).collect();
    told.sort_unstable();
    assert_eq!(told, (0..u16::try_from(THREADS).unwrap()).collect::<Vec<_>>());
    let report = verify(run.folder.path()).unwrap();
    assert!(report.sound(), "{:?}", report.faults);
    // Calls had room, too, since nobody kept what he did not write to.
    assert_eq!((report.records(), report.lost()), (u64::from(THREADS) * 301, 0));
}

#[test]
fn drain__beside_writers_that_flood__then_sent_is_kept_and_lost_exactly() {
    let run = Run::new();
    let registry = run.registry(small());
    let stop = AtomicBool::new(false);
    let mut drain = run.drain();
    let sent: Vec<u64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut sent = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for _ in 0..100 {
                            registry.record(Home::Calls, event(sent)).unwrap();
                            sent += 1;
                        }
                    }
                    u64::from(sent)
                })
            })
            .collect();
        let mut taken = 0;
        while taken < 200_000 {
            taken += drain.pass(0, true).unwrap().taken;
        }
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    drain.finish().unwrap();
    let report = verify(run.folder.path()).unwrap();
    assert!(report.sound(), "{:?}", report.faults);
    let mut found: Vec<u64> =
        report.lanes.values().map(|lane| lane.records + lane.lost.values().sum::<u64>()).collect();
    let mut sent = sent;
    found.sort_unstable();
    sent.sort_unstable();
    assert_eq!(found, sent);
    assert!(report.lost() > 0, "the rings are small");
    for row in run.rows().iter().filter(|row| row.kind == kinds::EVENT.0) {
        assert_eq!(u64::from(row.arg), row.sequence, "a torn record");
    }
}

#[test]
fn drain__begun_anew_after_any_pass__then_nothing_twice_and_nothing_left_out() {
    let run = Run::new();
    let registry = run.registry(small());
    let (outer, inner) = (registry.text("outer"), registry.text("inner"));
    let call =
        |kind: tracer_backend::Kind, id| registry.record(Home::Calls, Record { kind: kind.0, id, ..Record::default() });
    let mut written = 0;
    for round in 0..10 {
        let mut drain = run.drain();
        if round == 0 {
            call(kinds::ENTER, outer).unwrap();
            written += 1;
        }
        for _ in 0..5 {
            call(kinds::ENTER, inner).unwrap();
            call(kinds::EXIT, inner).unwrap();
            written += 2;
        }
        drain.pass(0, true).unwrap();
    }
    call(kinds::EXIT, outer).unwrap();
    written += 1;
    registry.close();
    run.drain().finish().unwrap();
    let rows = run.rows();
    let calls: Vec<_> = rows.iter().filter(|row| row.kind < 16).collect();
    assert_eq!(calls.iter().map(|row| row.sequence).collect::<Vec<_>>(), (0..written).collect::<Vec<_>>());
    let last = calls[calls.len() - 1];
    assert_eq!(last.duration, last.time - calls[0].time, "paired across drains");
    assert!(calls.iter().all(|row| row.flags & UNPAIRED == 0));
    let report = verify(run.folder.path()).unwrap();
    assert!(report.complete(), "{report:?}");
    assert_eq!(run.strings().iter().filter(|(tag, _)| *tag == Tag::Lane).count(), 1);
}

#[test]
fn drain__thread_that_takes_a_ring_over__then_a_lane_of_its_own() {
    let run = Run::new();
    let registry = run.registry(small());
    let mut drain = run.drain();
    for number in 0..4 {
        let registry = registry.clone();
        let named = thread::Builder::new().name(format!("worker {number}"));
        named
            .spawn(move || (0..10).for_each(|n| registry.record(Home::Calls, event(n)).unwrap()))
            .unwrap()
            .join()
            .unwrap();
        drain.pass(0, true).unwrap();
    }
    assert_eq!(ProcessFolder::all(&run.rings()).unwrap()[0].rings().unwrap().len(), 1);
    registry.close();
    drain.finish().unwrap();
    let report = verify(run.folder.path()).unwrap();
    let lanes: Vec<_> = report.lanes.values().map(|lane| (lane.name.clone(), lane.records)).collect();
    let wanted: Vec<_> = (0..4).map(|number| (format!("worker {number}"), 10)).collect();
    assert_eq!(lanes, wanted);
    assert!(report.complete(), "{report:?}");
}

#[test]
fn drain__many_threads_that_ended__then_their_rings_are_free_at_the_next_look() {
    let run = Run::new();
    let registry = run.registry(small());
    let mut drain = run.drain();
    let files = || ProcessFolder::all(&run.rings()).unwrap()[0].rings().unwrap().len();
    let threads = |count: u32| {
        for number in 0..count {
            let registry = registry.clone();
            thread::spawn(move || registry.record(Home::Durable, event(number)).unwrap()).join().unwrap();
        }
    };
    // The clock stands still: nothing is due.
    threads(3);
    assert_eq!(drain.pass(1, false).unwrap().taken, 3);
    assert!(run.rows().is_empty());
    threads(20);
    assert_eq!((drain.pass(1, false).unwrap().taken, files()), (20, 23));
    threads(23);
    assert_eq!(files(), 23);
    assert_eq!(drain.pass(1, false).unwrap().taken, 23);
}

#[test]
fn drain__what_a_process_could_not_record__then_told_once_by_reason() {
    let run = Run::new();
    let registry = run.registry(Settings { process_bytes: 0, ..small() });
    for count in 1..=3 {
        (0..10).for_each(|n| assert!(registry.record(Home::Calls, event(n)).is_err()));
        run.drain().pass(0, true).unwrap();
        let report = verify(run.folder.path()).unwrap();
        let wanted = BTreeMap::from([(Reason::ProcessBudget.words().to_owned(), count * 10)]);
        assert_eq!(report.lanes.values().map(|lane| lane.lost.clone()).collect::<Vec<_>>(), [wanted]);
        assert!(report.sound() && !report.complete());
    }
}

#[test]
fn drain__past_its_quota__then_calls_are_counted_and_the_durable_lane_goes_on() {
    let run = Run::new();
    let registry = run.registry(Settings::default());
    let limits = Limits { trace_bytes: 1, ..Limits::default() };
    let mut drain = Drain::open(&run.rings(), run.folder.path(), limits).unwrap();
    registry.record(Home::Durable, event(0)).unwrap();
    drain.pass(0, true).unwrap();
    for n in 1..=100 {
        registry.record(Home::Calls, event(n)).unwrap();
        registry.record(Home::Durable, event(n)).unwrap();
    }
    registry.close();
    drain.finish().unwrap();
    let report = verify(run.folder.path()).unwrap();
    assert!(report.sound(), "{:?}", report.faults);
    let by_kind: BTreeMap<_, _> = report.lanes.values().map(|lane| (lane.kind.as_str(), lane)).collect();
    assert_eq!((by_kind["durable"].records, by_kind["calls"].records), (101, 0));
    assert_eq!(by_kind["calls"].lost[Reason::Quota.words()], 100);
}

#[test]
fn drain__disk_that_fails__then_nothing_is_lost_that_the_rings_hold() {
    let run = Run::new();
    let registry = run.registry(Settings::default());
    let mut drain = run.drain();
    let trace = run.folder.path().join("trace");
    fs::remove_dir(&trace).unwrap();
    (0..100).for_each(|n| registry.record(Home::Calls, event(n)).unwrap());
    assert!(drain.pass(0, true).is_err());
    (100..200).for_each(|n| registry.record(Home::Calls, event(n)).unwrap());
    assert!(drain.pass(0, true).is_err());
    fs::create_dir(&trace).unwrap();
    registry.close();
    drain.finish().unwrap();
    let report = verify(run.folder.path()).unwrap();
    assert!(report.complete(), "{report:?}");
    assert_eq!(report.records(), 200);
}

#[test]
fn drain__ring_that_is_no_ring__then_said_and_the_others_are_read() {
    let run = Run::new();
    let registry = run.registry(small());
    registry.record(Home::Calls, event(1)).unwrap();
    let own = registry.folder().unwrap();
    fs::write(own.join("1.calls"), b"too short").unwrap();
    let mut damaged = fs::read(ProcessFolder::all(&run.rings()).unwrap()[0].rings().unwrap().remove(1)).unwrap();
    damaged[128 * 8 + 7] = 0x70; // a head that no ring ever had
    fs::write(own.join("2.calls"), damaged).unwrap();
    let mut drain = run.drain();
    drain.pass(0, true).unwrap();
    drain.pass(0, true).unwrap();
    let faults = drain.faults();
    assert!(faults.len() == 1 && faults[0].contains("1.calls"), "{faults:?}");
    assert_eq!(run.rows().iter().filter(|row| row.kind == kinds::EVENT.0).count(), 1);
    assert_eq!(verify(run.folder.path()).unwrap().lost(), 0, "while its process lives it may become one");
    for _ in 0..2 {
        run.drain().finish().unwrap();
    }
    let report = verify(run.folder.path()).unwrap();
    let lost: Vec<_> =
        report.lanes.values().flat_map(|lane| lane.lost.iter().map(|(why, n)| (why.as_str(), *n))).collect();
    assert_eq!(lost, [(Reason::Damaged.words(), 2)], "one record for each of them, once");
    assert!(report.sound() && !report.complete());
}

#[test]
fn drain__ring_that_was_removed_before_it_was_opened__then_counted_and_said_once() {
    let run = Run::new();
    let registry = run.registry(small());
    let child = in_child(|| {
        for home in [Home::Calls, Home::Durable] {
            registry.record(home, event(1)).expect("a ring");
        }
        let folder = ProcessFolder::all(&run.rings()).expect("folders").into_iter();
        let own = folder.filter(|folder| folder.process.pid == u64::from(std::process::id()));
        for ring in own.flat_map(|folder| folder.rings().expect("rings")) {
            if ring.extension() == Some("durable".as_ref()) {
                fs::remove_file(ring).expect("a file that is there");
            }
        }
        i32::from(registry.record(Home::Durable, event(2)).is_err())
    });
    assert_eq!(child.status, 0);
    let mut drain = run.drain();
    assert_eq!(drain.finish().unwrap().taken, 1);
    assert_eq!(drain.finish().unwrap().lost, 0, "it is told once");
    let gaps: Vec<_> = run.rows().into_iter().filter(|row| row.kind == kinds::GAP.0).collect();
    assert_eq!(
        gaps.iter().map(|row| (run.text(row.id), row.arg)).collect::<Vec<_>>(),
        [("ring damaged".to_owned(), 1)]
    );
    assert!(matches!(&drain.faults()[..], [fault] if fault.contains("the file of a ring is gone")));
    assert!(!verify(run.folder.path()).unwrap().complete());
}

#[test]
fn verify__block_damaged_inside__then_named_and_the_rest_is_read() {
    let run = Run::new();
    let registry = run.registry(small());
    for n in 0..3 {
        registry.record(Home::Calls, event(n)).unwrap();
        run.drain().pass(0, true).unwrap();
    }
    let path = &segments(run.folder.path()).unwrap()[0].1;
    let segment = Segment::open(path).unwrap();
    let first = segment.blocks().next().unwrap().bytes;
    let mut bytes = fs::read(path).unwrap();
    bytes[64 + first + 100] ^= 1;
    fs::write(path, bytes).unwrap();
    let report = verify(run.folder.path()).unwrap();
    assert!(report.faults[0].ends_with("seg-000000.tks: block 1 is damaged"), "{:?}", report.faults);
    assert!(report.faults[1].contains("record 2 where 1 was to come"), "{:?}", report.faults);
    assert_eq!(report.records(), 2);
}

#[test]
fn drain__record_damaged_in_a_ring_whose_writer_is_gone__then_all_behind_it_are_there() {
    const MANY: u32 = 30_000;
    let run = Run::new();
    let registry = run.registry(Settings { calls_bytes: 32 << 15, ..small() });
    let child = in_child(|| i32::from((0..MANY).any(|n| registry.record(Home::Calls, event(n)).is_err())));
    assert_eq!(child.status, 0);
    let folders = ProcessFolder::all(&run.rings()).unwrap();
    let gone = folders.iter().find(|folder| !folder.process.alive()).unwrap();
    let ring = gone.rings().unwrap().into_iter().find(|path| path.extension().unwrap() == "calls").unwrap();
    let mut bytes = fs::read(&ring).unwrap();
    bytes[4096 + 5 * 32] ^= 1; // the stamp of its sixth record
    fs::write(&ring, bytes).unwrap();
    run.drain().finish().unwrap();
    let report = verify(run.folder.path()).unwrap();
    assert_eq!((report.records(), report.lost()), (u64::from(MANY) - 1, 1), "{:?}", report.faults);
}

#[test]
fn drain__strings_of_a_process_as_long_as_the_disk__then_no_more_is_held_than_a_piece() {
    let run = Run::new();
    let registry = run.registry(small());
    let names: Vec<u32> = (0..3_000).map(|n| registry.text(&format!("{n} {}", "long ".repeat(100)))).collect();
    let last = *names.last().unwrap();
    registry.record(Home::Calls, Record { kind: kinds::POINT.0, id: last, ..Record::default() }).unwrap();
    let strings = fs::OpenOptions::new().write(true).open(registry.folder().unwrap().join("strings")).unwrap();
    strings.set_len(1 << 43).unwrap(); // a hole that no machine has the memory for
    run.drain().pass(0, true).unwrap();
    let point = run.rows().into_iter().find(|row| row.kind == kinds::POINT.0).unwrap();
    assert!(run.text(point.id).starts_with("2999 long"));
}

#[test]
fn verify__more_faults_than_anybody_reads__then_the_first_and_how_many_more() {
    let folder = Folder::new();
    let mut recording = Recording::open(folder.path()).unwrap();
    for n in 0..1_500 {
        recording.push(Row { time: n, kind: kinds::EVENT.0, sequence: n * 2, ..Row::default() }).unwrap();
    }
    recording.flush().unwrap();
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.faults.len(), report.faults[1000].as_str()), (1001, "499 more"));
}

#[test]
fn record__begun_before_its_registry_was_closed_and_stored_behind_a_look_of_the_drain__then_taken() {
    use std::os::unix::fs::FileExt;
    use tracer_backend::header::{HEAD, HEADER_BYTES};
    let run = Run::new();
    let registry = run.registry(small());
    registry.record(Home::Calls, event(1)).unwrap();
    let mut drain = run.drain();
    registry.close();
    drain.pass(0, true).unwrap();
    // The thread had looked whether records are taken, was held up, and goes on now.
    let folder = ProcessFolder::all(&run.rings()).unwrap().remove(0);
    let ring = folder.rings().unwrap().remove(0);
    let ring = fs::OpenOptions::new().write(true).open(ring).unwrap();
    let [time, what, ids] = Record { time: u64::MAX >> 20, ..event(2) }.words();
    let slot: Vec<u8> = [2, time, what, ids].into_iter().flat_map(u64::to_ne_bytes).collect();
    ring.write_all_at(&slot, (HEADER_BYTES + slot.len()) as u64).unwrap();
    ring.write_all_at(&2_u64.to_ne_bytes(), (HEAD * 8) as u64).unwrap();
    drain.finish().unwrap();
    let told: Vec<_> = run.rows().into_iter().filter(|row| row.kind == kinds::EVENT.0).map(|row| row.arg).collect();
    assert_eq!(told, [1, 2]);
    let report = verify(run.folder.path()).unwrap();
    assert!(report.complete(), "{report:?}");
}

#[test]
fn drain__flood_of_log_lines_and_a_crash_in_it__then_every_line_with_its_words() {
    const LINES: u32 = 20_000;
    const PIECE: u32 = 1000;
    let line = |number: u32| {
        let mut body = Vec::new();
        payload::put(&mut body, "text", format!("line {number}").as_bytes());
        body
    };
    let run = Run::new();
    let registry = run.registry(Settings::default());
    let mut drain = run.drain();
    let ended = in_child(|| {
        for number in 0..LINES {
            let arg = registry.string(Tag::Payload, &line(number));
            if registry.record(Home::Durable, Record { kind: kinds::LOG.0, arg, ..Record::default() }).is_err() {
                return 1;
            }
            // The rings hold fewer: a drain beside it, which dies and begins again as well.
            if number % PIECE == PIECE - 1 {
                if number % (4 * PIECE) == PIECE - 1 {
                    drain = run.drain();
                }
                if drain.pass(0, true).is_err() {
                    return 2;
                }
            }
        }
        // SAFETY: this process, as if from outside.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        3
    });
    assert_eq!(ended.status, 1000 + libc::SIGKILL);
    run.drain().finish().unwrap();
    let strings = run.strings();
    let found: Vec<&str> = run
        .rows()
        .iter()
        .filter(|row| row.kind == kinds::LOG.0)
        .map(|row| strings[row.arg as usize - 1].1.as_str())
        .collect();
    let wanted: Vec<String> = (0..LINES).map(|number| String::from_utf8(line(number)).unwrap()).collect();
    assert_eq!(found, wanted);
    let report = verify(run.folder.path()).unwrap();
    assert!(report.sound() && report.lost() == 0, "{:?}", report.faults);
}
