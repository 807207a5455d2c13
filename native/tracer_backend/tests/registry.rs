//! What a registry promises: each thread its own rings, budgets that count instead of failing, children of a fork on
//! their own, and files that others find by name.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;
use std::thread;

use common::{Folder, in_child};
use tracer_backend::reader::{ProcessFolder, RingFile};
use tracer_backend::strings::entries;
use tracer_backend::{Home, Problem, ProcessId, Reason, Record, Registry, Settings, kinds};

fn small() -> Settings {
    Settings { calls_bytes: 32 * 64, durable_bytes: 32 * 64, ..Settings::default() }
}

fn event(arg: u32) -> Record {
    Record { kind: kinds::EVENT.0, arg, ..Record::default() }
}

fn args(registry: &Registry) -> Vec<u32> {
    let mut found: Vec<u32> =
        registry.lanes().iter().flat_map(|lane| lane.records.iter().map(|(_, record)| record.arg)).collect();
    found.sort_unstable();
    found
}

#[test]
fn threads__each_with_its_own_rings__then_nothing_is_lost_or_mixed() {
    let registry = Registry::in_memory(Settings::default()).unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let registry = &registry;
            scope
                .spawn(move || (0..1000).for_each(|n| registry.record(Home::Calls, event(number * 1000 + n)).unwrap()));
        }
    });
    assert_eq!(args(&registry), (0..8000).collect::<Vec<_>>());
    for lane in registry.lanes() {
        assert_eq!(
            lane.records.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(),
            (0..1000).collect::<Vec<_>>()
        );
        assert!(lane.records.windows(2).all(|pair| pair[0].1.time <= pair[1].1.time));
    }
}

#[test]
fn threads__sixty_four_at_once__then_all_have_room_by_default() {
    let registry = Registry::in_memory(Settings::default()).unwrap();
    let (say, ready) = channel();
    let threads: Vec<_> = (0..64)
        .map(|number| {
            let (registry, say) = (registry.clone(), say.clone());
            let (go, wait) = channel::<()>();
            let thread = thread::spawn(move || {
                registry.record(Home::Calls, event(number)).unwrap();
                registry.record(Home::Durable, event(number)).unwrap();
                say.send(()).unwrap();
                wait.recv().unwrap();
            });
            (thread, go)
        })
        .collect();
    (0..64).for_each(|_| ready.recv().unwrap());
    assert_eq!(registry.drops(), [0; tracer_backend::REASONS]);
    assert_eq!(registry.lanes().len(), 128);
    for (thread, go) in threads {
        go.send(()).unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn threads__one_after_the_other_in_memory__then_all_their_records_while_there_is_room() {
    let settings = Settings { process_bytes: 64 << 10, ..small() };
    let registry = Registry::in_memory(settings).unwrap();
    for number in 0..100 {
        let registry = registry.clone();
        thread::spawn(move || registry.record(Home::Calls, event(number)).unwrap()).join().unwrap();
    }
    assert_eq!(args(&registry), (0..100).collect::<Vec<_>>());
    assert_eq!(registry.drops(), [0; tracer_backend::REASONS]);
}

#[test]
fn threads__one_more_than_there_is_room_for__then_counted_and_the_others_go_on() {
    let settings = Settings { process_bytes: 10 << 10, ..small() };
    let registry = Registry::in_memory(settings).unwrap();
    registry.record(Home::Calls, event(1)).unwrap();
    let refused = thread::scope(|scope| {
        scope
            .spawn(|| (0..5000).map(|n| registry.record(Home::Calls, event(n))).filter(Result::is_err).count())
            .join()
            .unwrap()
    });
    assert_eq!(refused, 5000);
    registry.record(Home::Calls, event(2)).unwrap();
    assert_eq!(registry.drops()[Reason::ProcessBudget as usize], 5000);
    assert_eq!(args(&registry), [1, 2]);
}

#[test]
fn run__budget_used_by_another_process__then_counted_with_its_own_reason() {
    let folder = Folder::new();
    let settings = Settings { run_bytes: 10 << 10, ..small() };
    let first = Registry::in_folder(folder.path(), settings.clone()).unwrap();
    first.record(Home::Calls, event(1)).unwrap();
    let second = Registry::in_folder(folder.path(), settings).unwrap();
    let problem = second.record(Home::Calls, event(2)).unwrap_err();
    assert!(matches!(problem, Problem::Dropped(Reason::RunBudget)), "{problem}");
    assert_eq!(second.drops()[Reason::RunBudget as usize], 1);
}

#[test]
fn ring__of_a_dead_thread__then_taken_over_only_once_it_is_drained() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    let write = |arg| {
        let registry = registry.clone();
        thread::spawn(move || registry.record(Home::Calls, event(arg)).unwrap()).join().unwrap();
    };
    let process = &ProcessFolder::all(folder.path()).unwrap()[0];
    write(1);
    let ring = RingFile::open(&process.rings().unwrap()[0]).unwrap();
    let mut slots = Vec::new();
    let first = ring.read(0, 100, false, &mut slots).unwrap().unwrap();
    assert!(first.closed && first.looked.next == 1);
    write(2);
    assert_eq!(process.rings().unwrap().len(), 2);
    ring.drained(1, 0, 0).unwrap();
    write(3);
    assert_eq!(process.rings().unwrap().len(), 2);
    slots.clear();
    let taken = ring.read(1, 100, false, &mut slots).unwrap().unwrap();
    assert_eq!((taken.writer.base, taken.looked.first, taken.looked.next), (1, 1, 2));
    assert_ne!(taken.writer.tid, first.writer.tid);
    assert_eq!(Record::from_copied(&slots[0]).arg, 3);
}

#[test]
fn calls__of_more_threads_than_there_is_room_for__then_each_durable_ring_has_its_own() {
    // Room for four rings; calls take three of them at most, and nobody drains.
    let folder = Folder::new();
    for registry in [
        Registry::in_folder(folder.path(), Settings { process_bytes: 25 << 10, ..small() }).unwrap(),
        Registry::in_memory(Settings { process_bytes: 25 << 10, ..small() }).unwrap(),
    ] {
        let (say, ready) = channel();
        let threads: Vec<_> = (0..6)
            .map(|number| {
                let (registry, say) = (registry.clone(), say.clone());
                let (go, wait) = channel::<()>();
                let thread = thread::spawn(move || {
                    say.send(registry.record(Home::Calls, event(number)).is_ok()).unwrap();
                    wait.recv().unwrap();
                });
                (thread, go)
            })
            .collect();
        assert_eq!((0..6).filter(|_| ready.recv().unwrap()).count(), 3);
        registry.record(Home::Durable, event(9)).unwrap();
        let mut wanted = [0; tracer_backend::REASONS];
        wanted[Reason::ProcessBudget as usize] = 3;
        assert_eq!(registry.drops(), wanted);
        for (thread, go) in threads {
            go.send(()).unwrap();
            thread.join().unwrap();
        }
    }
}

#[test]
fn threads__that_came_and_went_while_nobody_drains__then_their_rings_take_what_was_written_and_nothing_is_lost() {
    // Room for nine threads at a time, each of whose two rings are 68 KiB long and written to their first page.
    const THREADS: u32 = 60;
    let folder = Folder::new();
    let settings = Settings { calls_bytes: 64 << 10, durable_bytes: 64 << 10, process_bytes: 1280 << 10, ..small() };
    let registry = Registry::in_folder(folder.path(), settings).unwrap();
    let burst = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let registry = registry.clone();
            thread::spawn(move || {
                registry.record(Home::Calls, event(number)).unwrap();
                registry.record(Home::Durable, event(number)).unwrap();
            })
            .join()
            .unwrap();
        }
    };
    let rings = || ProcessFolder::all(folder.path()).unwrap()[0].rings().unwrap();
    burst(0..THREADS);
    assert_eq!(registry.drops(), [0; tracer_backend::REASONS]);
    assert_eq!(args(&registry), (0..THREADS).flat_map(|number| [number, number]).collect::<Vec<_>>());
    assert_eq!(rings().len(), 2 * THREADS as usize);
    // Once they are drained they serve again, with all of their blocks: nobody writes over a hole.
    for path in rings() {
        let ring = RingFile::open(&path).unwrap();
        assert_eq!(ring.read(0, 100, false, &mut Vec::new()).unwrap().unwrap().looked.next, 1);
        ring.drained(1, 0, 0).unwrap();
    }
    burst(THREADS..THREADS + 20);
    assert_eq!(registry.drops(), [0; tracer_backend::REASONS]);
    assert_eq!(rings().len(), 2 * THREADS as usize);
    let last = |path: &std::path::Path| {
        let mut slots = Vec::new();
        RingFile::open(path).unwrap().read(1, 100, false, &mut slots).unwrap();
        slots.last().map(|slot| Record::from_copied(slot).arg)
    };
    let whole = |path: &std::path::Path| fs::metadata(path).map(|facts| facts.blocks() * 512 >= facts.len()).unwrap();
    let written: Vec<_> = rings().into_iter().filter(|path| last(path) == Some(THREADS + 19)).collect();
    assert_eq!(written.iter().map(|path| whole(path)).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn fork__in_the_middle__then_the_child_has_rings_of_its_own_and_the_same_numbers() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    let name = registry.text("before");
    registry.record(Home::Calls, event(1)).unwrap();
    let child = in_child(|| {
        let kept = registry.text("before") == name;
        let new = registry.text("in the child");
        registry.record(Home::Calls, event(new)).unwrap();
        i32::from(!kept)
    });
    assert_eq!(child.status, 0);
    registry.record(Home::Calls, event(2)).unwrap();
    let after = registry.text("after");
    assert_eq!(after, name + 1, "the child's strings are not the parent's");
    let processes = ProcessFolder::all(folder.path()).unwrap();
    let mut seen = Vec::new();
    for process in &processes {
        let ring = RingFile::open(&process.rings().unwrap()[0]).unwrap();
        let mut slots = Vec::new();
        ring.read(0, 100, true, &mut slots).unwrap().unwrap();
        let strings = fs::read(process.strings()).unwrap();
        let texts: Vec<_> = entries(&strings).map(|entry| String::from_utf8_lossy(entry.body).into_owned()).collect();
        let args: Vec<_> = slots.iter().map(|slot| Record::from_copied(slot).arg).collect();
        seen.push((process.process.pid == u64::from(std::process::id()), args, texts));
    }
    seen.sort();
    assert_eq!(seen[0], (false, vec![2], vec!["before".into(), "in the child".into()]));
    assert_eq!(seen[1], (true, vec![1, 2], vec!["before".into(), "after".into()]));
}

#[test]
fn fork__while_other_threads_are_busy__then_the_child_never_waits_for_them() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    let (stop, stopped) = channel::<()>();
    let busy = {
        let registry = registry.clone();
        thread::spawn(move || {
            let mut number = 0;
            while stopped.try_recv().is_err() {
                number = (number + 1) % 1000;
                registry.text(&format!("text {number}"));
            }
        })
    };
    for _ in 0..20 {
        let child = in_child(|| i32::from(registry.record(Home::Durable, event(7)).is_err()));
        assert_eq!(child.status, 0);
    }
    stop.send(()).unwrap();
    busy.join().unwrap();
}

#[test]
fn folder__that_cannot_be_written__then_told_and_named() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let problem = Registry::in_folder(&file.join("rings"), small()).unwrap_err();
    assert!(problem.to_string().starts_with("failed to make "), "{problem}");
    assert!(problem.to_string().contains("file/rings"), "{problem}");
}

#[test]
fn folder__gone_after_the_start__then_counted_and_never_an_end() {
    let folder = Folder::new();
    let rings = folder.path().join("rings");
    let registry = Registry::in_folder(&rings, small()).unwrap();
    fs::remove_dir_all(&rings).unwrap();
    assert!(registry.record(Home::Calls, event(1)).is_err());
    assert_eq!(registry.drops()[Reason::Unwritable as usize], 1);
}

#[test]
fn registry__closed__then_counted_and_what_is_there_stays() {
    let registry = Registry::in_memory(small()).unwrap();
    registry.record(Home::Calls, event(1)).unwrap();
    registry.close();
    registry.close();
    assert!(matches!(registry.record(Home::Calls, event(2)), Err(Problem::Dropped(Reason::Closed))));
    assert_eq!(args(&registry), [1]);
    assert_eq!(registry.drops()[Reason::Closed as usize], 1);
}

#[test]
fn missed__by_a_source_before_or_behind_a_record_and_once_closed__then_counted_until_then() {
    let registry = Registry::in_memory(small()).unwrap();
    registry.miss(Reason::Deep);
    registry.record(Home::Calls, event(1)).unwrap();
    registry.miss(Reason::Deep);
    registry.close();
    registry.miss(Reason::Deep);
    assert_eq!(registry.drops()[Reason::Deep as usize], 2);
    assert_eq!((args(&registry), registry.drops().iter().sum::<u64>()), (vec![1], 2));
}

#[test]
fn calls__not_asked_for__then_neither_recorded_nor_counted() {
    let registry = Registry::in_memory(Settings { calls: false, ..small() }).unwrap();
    registry.record(Home::Calls, event(1)).unwrap();
    registry.record(Home::Durable, event(2)).unwrap();
    assert_eq!(args(&registry), [2]);
    assert_eq!(registry.drops(), [0; tracer_backend::REASONS]);
}

#[test]
fn record__of_what_only_the_drain_writes__then_in_no_ring_whatever_came_before() {
    let registry = Registry::in_memory(small()).unwrap();
    registry.record(Home::Drain, event(1)).unwrap();
    registry.record(Home::Durable, event(2)).unwrap();
    registry.record(Home::Drain, event(3)).unwrap();
    assert_eq!((args(&registry), registry.drops().iter().sum::<u64>()), (vec![2], 0));
}

#[test]
fn registries__two_in_turn_from_one_thread__then_each_has_its_own_and_no_other() {
    let both = [Registry::in_memory(small()).unwrap(), Registry::in_memory(small()).unwrap()];
    both[0].set_scenario(7).unwrap();
    for number in 0..20 {
        let home = if number % 3 == 0 { Home::Durable } else { Home::Calls };
        both[number as usize % 2].record(home, event(number)).unwrap();
    }
    for (at, registry) in both.iter().enumerate() {
        assert_eq!(args(registry), (0..20).filter(|number| *number as usize % 2 == at).collect::<Vec<_>>());
        let scenario = if at == 0 { 7 } else { 0 };
        assert!(registry.lanes().iter().all(|lane| lane.records.iter().all(|(_, record)| record.scenario == scenario)));
    }
}

#[test]
fn durable__beside_a_flood_of_calls__then_untouched() {
    let registry = Registry::in_memory(small()).unwrap();
    registry.record(Home::Durable, event(7)).unwrap();
    (0..100_000).for_each(|n| registry.record(Home::Calls, event(n)).unwrap());
    let lanes = registry.lanes();
    let durable = lanes.iter().find(|lane| lane.home == Home::Durable).unwrap();
    assert_eq!((durable.lost, durable.records[0].1.arg), (0, 7));
    let calls = lanes.iter().find(|lane| lane.home == Home::Calls).unwrap();
    assert_eq!(calls.lost + calls.records.len() as u64, 100_000);
}

#[test]
fn scenario__of_a_thread_and_of_the_process__then_the_nearer_one() {
    let registry = Registry::in_memory(small()).unwrap();
    registry.set_process_scenario(3);
    registry.record(Home::Durable, event(0)).unwrap();
    registry.set_scenario(5).unwrap();
    registry.record(Home::Durable, event(1)).unwrap();
    registry.record(Home::Durable, Record { scenario: 9, ..event(2) }).unwrap();
    let found: Vec<u32> = registry.lanes()[0].records.iter().map(|(_, record)| record.scenario).collect();
    assert_eq!(found, [3, 5, 9]);
}

#[test]
fn registries__ten_thousand_one_after_the_other__then_no_mapping_and_no_file_is_left() {
    let mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let round = || {
        let registry = Registry::in_memory(small()).unwrap();
        registry.record(Home::Calls, event(1)).unwrap();
        registry.record(Home::Durable, event(1)).unwrap();
    };
    (0..100).for_each(|_| round());
    let before = (mappings(), files());
    (0..10_000).for_each(|_| round());
    // Other tests of this program come and go beside this one.
    assert!(mappings() < before.0 + 600, "{} {}", before.0, mappings());
    assert!(files() < before.1 + 100);
}

#[test]
fn ring__cut_short_or_of_another_version__then_refused_with_its_name() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    registry.record(Home::Calls, event(1)).unwrap();
    let process = &ProcessFolder::all(folder.path()).unwrap()[0];
    assert_eq!(process.process, ProcessId::own());
    let path = &process.rings().unwrap()[0];
    let whole = fs::read(path).unwrap();
    let copy = folder.path().join("copy.calls");
    for (length, words) in [(0, "cut short"), (100, "cut short"), (4096, "cut short"), (whole.len() - 1, "cut short")] {
        fs::write(&copy, &whole[..length]).unwrap();
        let problem = RingFile::open(&copy).unwrap_err().to_string();
        assert!(problem.contains(words) && problem.contains("copy.calls"), "{length}: {problem}");
    }
    let mut newer = whole.clone();
    newer[8] = 9;
    fs::write(&copy, &newer).unwrap();
    assert!(RingFile::open(&copy).unwrap_err().to_string().ends_with("version 9, this program reads 1"));
    fs::write(&copy, vec![7; whole.len()]).unwrap();
    assert!(RingFile::open(&copy).unwrap_err().to_string().ends_with("not a ring"));
}

#[test]
fn reader__file_cut_short_while_it_is_open__then_a_fault_and_no_signal() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    registry.record(Home::Calls, event(1)).unwrap();
    let path = &ProcessFolder::all(folder.path()).unwrap()[0].rings().unwrap()[0];
    let copy = folder.path().join("copy.calls");
    fs::copy(path, &copy).unwrap();
    let ring = RingFile::open(&copy).unwrap();
    fs::File::options().write(true).open(&copy).unwrap().set_len(4100).unwrap();
    assert!(ring.read(0, 10, true, &mut Vec::new()).is_err());
}

#[test]
fn scenario__of_a_process__then_told_in_its_page_and_in_the_one_of_a_forked_child() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    let name = registry.text("pytest:test_a.py::test_it");
    registry.set_process_scenario(name);
    let said = |process: &ProcessFolder| process.page().unwrap().word(tracer_backend::header::SCENARIO);
    assert_eq!(said(&ProcessFolder::all(folder.path()).unwrap()[0]), u64::from(name));
    in_child(|| {
        registry.record(Home::Durable, Record { kind: kinds::LOG.0, ..Record::default() }).unwrap();
        0
    });
    let all = ProcessFolder::all(folder.path()).unwrap();
    assert_eq!(all.iter().map(said).collect::<Vec<_>>(), [u64::from(name); 2]);
    // Nobody above this process records there.
    assert_eq!(tracer_backend::inherited_scenario(folder.path()), None);
}

#[test]
fn ring__while_another_process_keeps_the_lock_of_the_run__then_made_without_it() {
    let folder = Folder::new();
    let registry = Registry::in_folder(folder.path(), small()).unwrap();
    let lock = fs::File::create(folder.path().join("lock")).unwrap();
    // As a process does that was stopped while it made a ring.
    lock.lock().unwrap();
    let child = in_child(|| i32::from(registry.record(Home::Durable, event(1)).is_err()));
    assert_eq!(child.status, 0);
    drop(lock);
}
