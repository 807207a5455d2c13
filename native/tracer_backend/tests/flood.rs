//! P6, the plane of traces: threads write at full speed for `TRACEKIT_FLOOD_MS` while a drain takes what it can, into
//! `TRACEKIT_FLOOD_PLACE` where somebody may read along. Every record is kept or counted as dropped, none is torn.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, ptr, thread};

use common::{Folder, start_child, wait};
use tracer_backend::clock::monotonic_ns;
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::segment::{Segment, segments};
use tracer_backend::verify::verify;
use tracer_backend::{Home, Record, Registry, Settings, kinds};

const DEFAULT_MS: u64 = 300;
const THREADS: usize = 2;
/// How much of it is written down: a flood is longer than any disk.
const TRACE_BYTES: u64 = 256 << 20;
const LOOK: Duration = Duration::from_millis(5);

fn shared() -> &'static [AtomicU64] {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, kept to the end of the program.
    let start = unsafe { libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0) };
    assert!(start != libc::MAP_FAILED);
    // SAFETY: one page of zeroes, never unmapped.
    unsafe { std::slice::from_raw_parts(start.cast(), 4096 / 8) }
}

fn mixed(sequence: u64, thread: u16) -> u32 {
    let mixed = (sequence + u64::from(thread)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from(mixed >> 32).unwrap_or(0)
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Writes until the time is over, and says how many records were taken; `TRACEKIT_FLOOD_RATE` a second and thread, or
/// as fast as it goes.
fn write(registry: &Registry, thread: u16, life: Duration, made: &AtomicU64) {
    let id = registry.text("a name of the flood");
    let rate = number("TRACEKIT_FLOOD_RATE").filter(|&rate| rate > 0);
    let (begun, mut sequence) = (Instant::now(), 0);
    while begun.elapsed() < life {
        for _ in 0..4096 {
            let arg = mixed(sequence, thread);
            let record = Record { kind: kinds::POINT.0, id, arg, scenario: id, depth: thread, ..Record::default() };
            if registry.record(Home::Calls, record).is_ok() {
                sequence += 1;
            }
        }
        if let Some(rate) = rate {
            thread::sleep(Duration::from_nanos(sequence * 1_000_000_000 / rate).saturating_sub(begun.elapsed()));
        }
    }
    made.store(sequence, Ordering::Release);
}

fn child(rings: &Path, life: Duration, made: &'static [AtomicU64]) -> i32 {
    let Ok(registry) = Registry::in_folder(rings, Settings::default()) else { return 1 };
    let other = registry.clone();
    let beside = thread::spawn(move || write(&other, 1, life, &made[1]));
    write(&registry, 0, life, &made[0]);
    i32::from(beside.join().is_err())
}

#[derive(Default)]
struct Seen {
    kept: u64,
    torn: u64,
    reordered: u64,
}

fn look(place: &Path) -> Result<Seen, String> {
    let words = |problem: tracer_backend::Problem| problem.to_string();
    let (mut seen, mut buffer, mut next) = (Seen::default(), Vec::new(), BTreeMap::<u32, u64>::new());
    for (_, path) in segments(place).map_err(words)? {
        let segment = Segment::open(&path).map_err(words)?;
        for at in 0..segment.blocks().len() {
            let Some(block) = segment.load(at, &mut buffer).map_err(words)? else {
                return Err("a damaged block".into());
            };
            for row in block.iter().filter(|row| row.kind == kinds::POINT.0) {
                seen.kept += 1;
                seen.torn += u64::from(row.arg != mixed(row.sequence, row.depth) || row.id != row.scenario);
                let from = next.entry(row.lane).or_default();
                seen.reordered += u64::from(row.sequence < *from);
                *from = row.sequence + 1;
            }
        }
    }
    Ok(seen)
}

fn flood(place: &Path, life: Duration) -> Result<String, String> {
    let words = |problem: tracer_backend::Problem| problem.to_string();
    let rings = place.join("rings");
    let made = shared();
    let pid = start_child(|| child(&rings, life, made));
    let limits = Limits { trace_bytes: TRACE_BYTES, ..Limits::default() };
    let mut drain = Drain::open(&rings, place, limits).map_err(words)?;
    let (begun, margin) = (Instant::now(), Duration::from_secs(1));
    while begun.elapsed() < life + margin {
        drain.pass(monotonic_ns(), true).map_err(words)?;
        thread::sleep(LOOK);
    }
    let ended = wait(pid);
    drain.finish().map_err(words)?;
    let report = verify(place).map_err(words)?;
    let sent: u64 = made.iter().take(THREADS).map(|made| made.load(Ordering::Acquire)).sum();
    let (seen, dropped) = (look(place)?, report.lost());
    let exact = sent == seen.kept + dropped && report.sound() && ended.status == 0;
    let ok = exact && seen.torn == 0 && seen.reordered == 0 && seen.kept > 0;
    let Seen { kept, torn, reordered } = seen;
    let figures = format!("P6 sent={sent} kept={kept} dropped={dropped} torn={torn} reordered={reordered}");
    if ok { Ok(figures) } else { Err(format!("{figures} faults={:?} status={}", report.faults, ended.status)) }
}

fn main() -> ExitCode {
    let ms = number("TRACEKIT_FLOOD_MS").unwrap_or(DEFAULT_MS);
    let own = Folder::new();
    let place = env::var_os("TRACEKIT_FLOOD_PLACE").map_or_else(|| own.path().to_path_buf(), Into::into);
    match flood(&place, Duration::from_millis(ms)) {
        Ok(line) => {
            println!("{line} ok");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            println!("{fault} FAILED");
            ExitCode::FAILURE
        }
    }
}
