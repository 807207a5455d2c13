//! P1: a writing process is killed at random; every record whose call had returned is there, whole and in order, as far
//! as the ring's window goes. `TRACEKIT_KILLS` says how often.

mod common;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, ptr, thread};

use common::{Folder, kill, start_child};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::segment::{Segment, segments, strings_path};
use tracer_backend::strings::entries;
use tracer_backend::verify::verify;
use tracer_backend::{Home, Reason, Record, Registry, Settings, kinds};

const DEFAULT_KILLS: u64 = 30;
const THREADS: usize = 3;
const SLOTS: u64 = 4096;
const NAMES: u64 = 64;

/// Memory that the child shares with this process: how many records each thread knows to be made.
fn shared() -> &'static [AtomicU64] {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, kept to the end of the program.
    let start = unsafe { libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0) };
    assert!(start != libc::MAP_FAILED);
    // SAFETY: one page of zeroes, never unmapped.
    unsafe { std::slice::from_raw_parts(start.cast(), 4096 / 8) }
}

fn mixed(sequence: u64, thread: usize) -> u32 {
    let mixed = (sequence + thread as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from(mixed >> 32).unwrap_or(0)
}

fn write(registry: &Registry, thread: usize, made: &AtomicU64) {
    let mut name = 0;
    for sequence in 0.. {
        if sequence % 97 == 0 {
            name = registry.text(&format!("name {}", sequence / 97 % NAMES));
        }
        let arg = mixed(sequence, thread);
        let record = Record {
            kind: kinds::POINT.0,
            id: name,
            arg,
            scenario: name,
            depth: u16::try_from(thread).unwrap_or(0),
            ..Record::default()
        };
        if registry.record(Home::Calls, record).is_ok() {
            made.store(sequence + 1, Ordering::Release);
        }
    }
}

fn child(rings: &std::path::Path, made: &'static [AtomicU64]) -> i32 {
    let settings = Settings { calls_bytes: SLOTS * 32, ..Settings::default() };
    let Ok(registry) = Registry::in_folder(rings, settings) else { return 1 };
    for (number, made) in made.iter().enumerate().take(THREADS).skip(1) {
        let registry = registry.clone();
        thread::spawn(move || write(&registry, number, made));
    }
    write(&registry, 0, &made[0]);
    0
}

#[derive(Default)]
struct Counts {
    records: u64,
    lost: u64,
    torn: u64,
    reordered: u64,
    unnamed: u64,
}

fn round(number: u64, random: &mut u64, counts: &mut Counts) -> Result<(), String> {
    let folder = Folder::new();
    let rings = folder.path().join("rings");
    let made = shared();
    let pid = start_child(|| child(&rings, made));
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let life = Duration::from_micros((*random >> 33) % 6000);
    let words = |problem: tracer_backend::Problem| problem.to_string();
    let mut drain = Drain::open(&rings, folder.path(), Limits::default()).map_err(words)?;
    let begun = Instant::now();
    while begun.elapsed() < life {
        // Every other round is drained while it writes; the others show what the window alone holds.
        if number.is_multiple_of(2) {
            drain.pass(0, true).map_err(words)?;
        }
    }
    kill(pid);
    drop(drain); // another drain goes on, as after the death of both
    let mut drain = Drain::open(&rings, folder.path(), Limits::default()).map_err(words)?;
    drain.finish().map_err(words)?;
    let report = verify(folder.path()).map_err(words)?;
    if !report.sound() || report.lanes.values().any(|lane| lane.end.is_none()) {
        return Err(format!("round {number}: {report:?}"));
    }
    let strings = fs::read(strings_path(folder.path())).unwrap_or_default();
    let strings: Vec<Vec<u8>> = entries(&strings).map(|entry| entry.body.to_vec()).collect();
    let (mut buffer, mut next) = (Vec::new(), HashMap::<u32, (u64, u64, usize)>::new());
    for (_, path) in segments(folder.path()).map_err(words)? {
        let segment = Segment::open(&path).map_err(words)?;
        for at in 0..segment.blocks().len() {
            let Some(block) = segment.load(at, &mut buffer).map_err(words)? else {
                return Err("a damaged block".into());
            };
            for row in block.iter() {
                let lane = next.entry(row.lane).or_default();
                if row.kind == kinds::GAP.0 {
                    counts.lost += u64::from(row.arg);
                    let why = usize::try_from(row.id).ok().and_then(|id| strings.get(id.wrapping_sub(1)));
                    if why.is_none_or(|why| why != Reason::Overwritten.words().as_bytes()) {
                        return Err(format!("round {number}: a gap for another reason"));
                    }
                    lane.0 = row.sequence + u64::from(row.arg);
                } else if row.kind == kinds::POINT.0 {
                    counts.records += 1;
                    lane.2 = usize::from(row.depth);
                    counts.torn += u64::from(row.arg != mixed(row.sequence, lane.2) || row.id != row.scenario);
                    counts.reordered += u64::from(row.sequence != lane.0 || row.time < lane.1);
                    let wanted = format!("name {}", row.sequence / 97 % NAMES);
                    let name = usize::try_from(row.id).ok().and_then(|id| strings.get(id.wrapping_sub(1)));
                    counts.unnamed += u64::from(name.is_none_or(|name| name != wanted.as_bytes()));
                    (lane.0, lane.1) = (row.sequence + 1, row.time);
                }
            }
        }
    }
    for (thread, made) in made.iter().enumerate().take(THREADS) {
        let made = made.load(Ordering::Acquire);
        let kept = next.values().find(|lane| lane.0 > 0 && lane.2 == thread).map_or(0, |lane| lane.0);
        if kept < made || kept > made + 1 {
            return Err(format!("round {number}: thread {thread} made {made}, {kept} are known"));
        }
    }
    if number % 2 == 1 {
        // Nobody drained before the end: what is missing is what the window cannot hold, and nothing else.
        let wanted: u64 = report
            .lanes
            .values()
            .map(|lane| lane.records + lane.lost.values().sum::<u64>())
            .map(|sent| (sent + 1).saturating_sub(SLOTS))
            .sum();
        if report.lost() != wanted {
            return Err(format!("round {number}: {} lost, {wanted} by the window", report.lost()));
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let kills = env::var("TRACEKIT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_KILLS);
    let (mut counts, mut random, mut faults) = (Counts::default(), 20_240, Vec::new());
    for number in 0..kills {
        if let Err(fault) = round(number, &mut random, &mut counts) {
            eprintln!("{fault}");
            faults.push(fault);
        }
    }
    let Counts { records, lost, torn, reordered, unnamed } = counts;
    let ok = faults.is_empty() && torn == 0 && reordered == 0 && unnamed == 0 && records > 0;
    println!(
        "P1 kills={kills} records={records} overwritten={lost} lost={} torn={torn} reordered={reordered} unnamed={unnamed} {}",
        faults.len(),
        if ok { "ok" } else { "FAILED" }
    );
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
