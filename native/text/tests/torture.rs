//! P4 for text: mutated inputs must not make the sanitiser panic, break the grammar of its output, or hold more
//! memory than four times the input and one MiB. `TRACEKIT_TORTURE_INPUTS` says how many inputs.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use common::{check, mutate};
use tracekit_text::{line, lines};
use tracekit_torment::{Counting, Random, figure, most_held};

const DEFAULT_INPUTS: u64 = 20_000;
const FIXED: usize = 1 << 20;
/// One input of so many is repeated, so that lines get long enough for the bound on memory to mean something.
const GROWN: usize = 4096;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static PANICS: AtomicU64 = AtomicU64::new(0);
static OVER: AtomicU64 = AtomicU64::new(0);

fn one(input: &[u8], columns: usize) {
    let held = most_held(|| drop(line(input, columns)));
    let held = held.max(most_held(|| lines(input, columns).for_each(drop)));
    if held > 4 * input.len() + FIXED {
        OVER.fetch_add(1, Ordering::Relaxed);
        eprintln!("held {held} bytes for {} bytes of input", input.len());
    }
    check(&line(input, columns), columns);
    lines(input, columns).for_each(|safe| check(&safe, columns));
}

fn work(seed: u64, inputs: u64) {
    let mut random = Random::new(seed);
    let mut input = Vec::new();
    for _ in 0..inputs {
        mutate(&mut random, &mut input);
        if random.below(GROWN) == 0 {
            input = input.repeat(1 + random.below(2000));
        }
        let columns = [1, 2, 80, 4096, usize::MAX][random.below(5)];
        if catch_unwind(AssertUnwindSafe(|| one(&input, columns))).is_err() {
            PANICS.fetch_add(1, Ordering::Relaxed);
            eprintln!("columns={columns} input={:?}", input.escape_ascii().to_string());
        }
    }
}

fn main() -> ExitCode {
    let inputs = figure("TRACEKIT_TORTURE_INPUTS", DEFAULT_INPUTS);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    thread::scope(|scope| {
        for number in 0..threads {
            let share = inputs / threads + u64::from(number < inputs % threads);
            scope.spawn(move || work(number + 1, share));
        }
    });
    let (panics, over) = (PANICS.load(Ordering::Relaxed), OVER.load(Ordering::Relaxed));
    let ok = panics == 0 && over == 0;
    if over > 0 {
        println!("P4 decoder=text over_allocated={over}");
    }
    println!("P4 decoder=text inputs={inputs} panics={panics} {}", if ok { "ok" } else { "FAILED" });
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
