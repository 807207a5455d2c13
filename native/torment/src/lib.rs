//! For tests: gives decoders mutated inputs and counts what must not happen, panics and too much memory. A program that
//! uses it installs `Counting` as its allocator. It never judges what a decoder says; that is the decoder's test's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, thread};

/// How many inputs a decoder gets where nobody says.
const DEFAULT_INPUTS: u64 = 20_000;
/// What a decoder may hold besides four times its input.
const FIXED: usize = 1 << 20;

/// The system's allocator, counting what each thread holds, and the most it held.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(layout.size()));
        MOST.set(MOST.get().max(HELD.get()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most that this thread held at once while it worked, beside what it held before.
pub fn most_held(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    work();
    MOST.get().saturating_sub(before)
}

/// Small, fast and always the same: xorshift64*.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below this one; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() >> 33).unwrap_or(0) % bound.max(1)
    }
}

/// A number of the environment, or this one.
pub fn figure(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Puts a mutated input into `out`: a piece of the corpus, or two, with bytes turned, cut, doubled and put in.
pub fn mutate(random: &mut Random, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&corpus[random.below(corpus.len())]);
    if random.below(4) == 0 {
        let other = &corpus[random.below(corpus.len())];
        out.extend_from_slice(&other[random.below(other.len() + 1)..]);
    }
    for _ in 0..random.below(8) {
        let at = random.below(out.len() + 1);
        let byte = random.draw().to_le_bytes()[7];
        match random.below(8) {
            0 if at < out.len() => out[at] = byte,
            1 if at < out.len() => out[at] ^= 1 << random.below(8),
            2 => out.insert(at, byte),
            3 if at < out.len() => drop(out.remove(at)),
            4 => out.truncate(at),
            5 if at + 4 <= out.len() => {
                let extreme = [0, 1, u32::MAX, i32::MAX.cast_unsigned(), 1 << 31][random.below(5)];
                out[at..at + 4].copy_from_slice(&extreme.to_le_bytes());
            }
            6 => {
                let end = (at + random.below(16)).min(out.len());
                let piece = out[at..end].to_vec();
                for _ in 0..random.below(20) {
                    out.extend_from_slice(&piece);
                }
            }
            _ => {
                let word = [0_u64, u64::MAX, 1 << 63, 4096][random.below(4)];
                let end = (at + 8).min(out.len());
                out[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
            }
        }
    }
}

/// Gives a decoder as many inputs as `TRACEKIT_TORTURE_INPUTS` says; `repair` may put checksums right, so that what is
/// behind them is reached. Prints a line with the figures, and says whether nothing happened that must not.
pub fn torment(
    name: &str,
    corpus: &[Vec<u8>],
    repair: impl Fn(&mut Vec<u8>, &mut Random) + Sync,
    decode: impl Fn(&[u8]) + Sync,
) -> bool {
    let inputs = figure("TRACEKIT_TORTURE_INPUTS", DEFAULT_INPUTS);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let (panics, over) = (AtomicU64::new(0), AtomicU64::new(0));
    let one = |input: &[u8]| {
        let held = most_held(|| decode(input));
        if held > 4 * input.len() + FIXED {
            over.fetch_add(1, Ordering::Relaxed);
            let shown = input[..input.len().min(2000)].escape_ascii();
            eprintln!("{name}: held {held} bytes for {} bytes of input={shown}", input.len());
        }
    };
    let work = |seed: u64, share: u64| {
        let mut random = Random::new(seed);
        let mut input = Vec::new();
        for _ in 0..share {
            mutate(&mut random, corpus, &mut input);
            if random.below(4) != 0 {
                repair(&mut input, &mut random);
            }
            if catch_unwind(AssertUnwindSafe(|| one(&input))).is_err() {
                panics.fetch_add(1, Ordering::Relaxed);
                eprintln!("{name}: input={}", input[..input.len().min(2000)].escape_ascii());
            }
        }
    };
    thread::scope(|scope| {
        for number in 0..threads {
            let (work, share) = (&work, inputs / threads + u64::from(number < inputs % threads));
            scope.spawn(move || work(number + 1, share));
        }
    });
    let (panics, over) = (panics.into_inner(), over.into_inner());
    let ok = panics == 0 && over == 0;
    println!("P4 decoder={name} inputs={inputs} panics={panics} over={over} {}", if ok { "ok" } else { "FAILED" });
    ok
}
