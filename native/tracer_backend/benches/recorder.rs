//! What recording and draining cost, each beside a reference of the same run; one figure a line, as
//! `NAME value=… unit=… reference=…`. `record` | `drain` | `drain-alone` | `trickle`
//! chooses, with a figure's size behind it.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use std::{env, fs, process, thread};

use tracer_backend::clock::{monotonic_ns, tsc, tsc_trusted};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::segment::segments;
use tracer_backend::verify::verify;
use tracer_backend::{Home, Problem, Record, Registry, Result, Row, Settings, kinds};

const PAIRS: usize = 7;
/// As many as a ring of 32 MiB has room for.
const ALONE: u64 = 1_000_000;
const RECORDS: u64 = 1 << 21;
/// Once around the ring.
const STRETCH: u64 = 1 << 15;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::cast_precision_loss)] // figures for people
fn figure(value: u64) -> f64 {
    value as f64
}

/// Nanoseconds that one of so many steps takes: the middle one of its stretches, so that the moments in which this
/// program had no processor, or a cold cache, tell nothing.
fn each(steps: u64, mut step: impl FnMut(u64)) -> f64 {
    let stretches = (0..steps / STRETCH).map(|stretch| {
        let begun = Instant::now();
        (stretch * STRETCH..(stretch + 1) * STRETCH).for_each(&mut step);
        begun.elapsed().as_secs_f64() * 1e9 / figure(STRETCH)
    });
    median(stretches.collect())
}

/// A bare loop of the same clock and a store of 32 bytes, into memory of the same size.
fn bare(memory: &mut [[u64; 4]], trusted: bool) -> f64 {
    let mask = memory.len() - 1;
    each(RECORDS, |number| {
        let time = if trusted { tsc() } else { monotonic_ns() };
        let at = usize::try_from(number).unwrap_or(0) & mask;
        memory[at] = [number, time, number, number];
        black_box(&mut *memory);
    })
}

fn record() -> Result<()> {
    let folder = env::temp_dir().join(format!("tracekit-bench-{}", process::id()));
    let settings = Settings::default();
    let slots = usize::try_from(settings.calls_bytes / 32).unwrap_or(1 << 15);
    let registry = Registry::in_folder(&folder, settings)?;
    let mut memory = vec![[0_u64; 4]; slots];
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..=PAIRS {
        let reference = bare(&mut memory, tsc_trusted());
        let mut refused = 0;
        let value = each(RECORDS, |number| {
            let arg = u32::try_from(number & 0xffff).unwrap_or(0);
            let record = Record { kind: kinds::EVENT.0, arg, ..Record::default() };
            refused += u64::from(black_box(&registry).record(Home::Calls, record).is_err());
        });
        assert!(refused == 0, "the registry takes what is recorded");
        // The first pair touches the memory.
        if pair > 0 {
            ours.push(value);
            theirs.push(reference);
            ratios.push(value / reference);
        }
    }
    drop(registry);
    drop(fs::remove_dir_all(&folder));
    println!("record value={:.3} unit=ns reference={:.3} ratio={:.4}", median(ours), median(theirs), median(ratios));
    Ok(())
}

/// One thread writes at the pace of traced calls, or as fast as it can; one drain takes everything.
fn flood(events: u64, ring: u64, pace_ns: u64) -> Result<(u64, u64, f64)> {
    let folder = env::temp_dir().join(format!("tracekit-bench-{}", process::id()));
    let rings = folder.join("rings");
    let settings = Settings { calls_bytes: ring, ..Settings::default() };
    let registry = Registry::in_folder(&rings, settings)?;
    let (done, took) = (AtomicBool::new(false), AtomicU64::new(0));
    let names: Vec<u32> = (0..200).map(|name| registry.text(&format!("function {name}"))).collect();
    let mut drain = Drain::open(&rings, &folder, Limits { trace_bytes: u64::MAX, ..Limits::default() })?;
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            let begun = Instant::now();
            let mut due = monotonic_ns();
            for number in 0..events {
                // A call and its end, in turn.
                let name = usize::try_from(number / 2).unwrap_or(0) % names.len();
                let kind = if number.is_multiple_of(2) { kinds::ENTER } else { kinds::EXIT };
                let record = Record { kind: kind.0, id: names[name], depth: 1, ..Record::default() };
                drop(registry.record(Home::Calls, record));
                if pace_ns > 0 {
                    due += pace_ns;
                    while monotonic_ns() < due {
                        std::hint::spin_loop();
                    }
                }
            }
            took.store(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Release);
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            drain.pass(monotonic_ns(), false)?;
        }
        Ok::<(), Problem>(())
    });
    outcome?;
    registry.close();
    drain.finish()?;
    drop(registry);
    let report = verify(&folder)?;
    drop(fs::remove_dir_all(&folder));
    assert!(report.sound(), "{:?}", report.faults);
    let sent = report.records() + report.lost();
    assert!(sent == events, "{sent} told of {events}");
    Ok((report.lost(), report.bytes, figure(took.load(Ordering::Acquire)) / figure(events)))
}

/// Nanoseconds of this thread's processor time.
fn busy_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec of ours; a failure leaves it 0.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// What writing and draining cost of a processor, one after the other: whatever else runs, the faster one is known.
fn drain_alone() -> Result<()> {
    let folder = env::temp_dir().join(format!("tracekit-bench-{}", process::id()));
    let rings = folder.join("rings");
    let settings = Settings { calls_bytes: 32 << 20, ..Settings::default() };
    let registry = Registry::in_folder(&rings, settings)?;
    let names: Vec<u32> = (0..200).map(|name| registry.text(&format!("function {name}"))).collect();
    let mut drain = Drain::open(&rings, &folder, Limits { trace_bytes: u64::MAX, ..Limits::default() })?;
    let (mut written, mut drained) = (Vec::new(), Vec::new());
    for _ in 0..=PAIRS {
        let begun = busy_ns();
        for number in 0..ALONE {
            let name = usize::try_from(number / 2).unwrap_or(0) % names.len();
            let kind = if number.is_multiple_of(2) { kinds::ENTER } else { kinds::EXIT };
            let record = Record { kind: kind.0, id: names[name], depth: 1, ..Record::default() };
            drop(registry.record(Home::Calls, record));
        }
        let between = busy_ns();
        let passed = drain.pass(monotonic_ns(), true)?;
        let ended = busy_ns();
        assert!((passed.taken, passed.lost) == (ALONE, 0), "{passed:?}");
        written.push(figure(between - begun) / figure(ALONE));
        drained.push(figure(ended - between) / figure(ALONE));
    }
    drop(registry);
    drop(fs::remove_dir_all(&folder));
    println!("drain-alone value={:.2} unit=ns reference={:.2}", median(drained), median(written));
    Ok(())
}

fn drain(events: u64) -> Result<()> {
    drain_alone()?;
    for (name, ring, pace) in [("drain-32mib", 32 << 20, 0), ("drain-1mib", 1 << 20, 0), ("drain-paced", 32 << 20, 60)]
    {
        let (lost, bytes, each) = flood(events, ring, pace)?;
        let per_event = figure(bytes) / figure((events - lost).max(1));
        println!("{name} value={lost} unit=events reference={events} ns_each={each:.1} bytes_each={per_event:.1}");
    }
    Ok(())
}

/// So many minutes of 500 events a second over 64 lanes, on a clock of its own, flushed as the drain would.
fn trickle(minutes: u64) -> Result<()> {
    use tracer_backend::segment::Recording;
    let folder = env::temp_dir().join(format!("tracekit-bench-{}", process::id()));
    for (name, flush_ms) in [("trickle", 1000), ("trickle-watched", 50)] {
        let mut recording = Recording::open(&folder)?;
        let (events, mut due) = (minutes * 60 * 500, 0);
        let mut random = 20_240_u64;
        for number in 0..events {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let time = (1 << 50) + number * 2_000_000 + (random >> 44);
            let lane = number % 64;
            let small = |shift: u32, most: u64| u32::try_from((random >> shift) % most).unwrap_or(0);
            let ends = small(33, 2) == 1;
            recording.push(Row {
                time,
                duration: if ends { random >> 42 } else { 0 },
                kind: if ends { kinds::EXIT.0 } else { kinds::ENTER.0 },
                depth: u16::try_from(small(20, 40)).unwrap_or(0),
                lane: u32::try_from(lane).unwrap_or(0) + 70_000,
                scenario: 1000 + small(10, 300),
                id: 2000 + small(13, 3000),
                arg: small(17, 800),
                sequence: number / 64,
                ..Row::default()
            })?;
            if time >= due {
                recording.flush()?;
                due = time + flush_ms * 1_000_000;
            }
        }
        recording.flush()?;
        let paths = segments(&folder)?;
        let bytes: u64 = paths.iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|facts| facts.len()).sum();
        println!("{name} value={:.2} unit=bytes reference=32", figure(bytes) / figure(events));
        drop(fs::remove_dir_all(&folder));
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let size = |otherwise: u64| arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    match arguments.first().map(String::as_str) {
        Some("drain") => drain(size(36_000_000)),
        Some("drain-alone") => drain_alone(),
        Some("trickle") => trickle(size(10)),
        Some("record") => record(),
        _ => {
            record()?;
            drain(size(4_000_000))?;
            trickle(1)
        }
    }
}
