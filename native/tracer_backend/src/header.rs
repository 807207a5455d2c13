//! Where things stand in the first page of a ring file and in the page of a process, as numbers of 8-byte words.
//! Native byte order: rings are read on the machine that wrote them. What a finder relies on is written before the
//! file has its name; what changes later is guarded by the generation.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::clock::Clock;
use crate::kind::Home;

/// Bytes before the first slot, and of the page of a process.
pub const HEADER_BYTES: usize = 4096;
/// Raised whenever a word changes its meaning.
pub const VERSION: u32 = 1;
/// First word of a ring.
pub const RING_MAGIC: u64 = u64::from_le_bytes(*b"TKRING\0\0");
/// First word of the page of a process.
pub const PROCESS_MAGIC: u64 = u64::from_le_bytes(*b"TKPROC\0\0");

/// `RING_MAGIC` or `PROCESS_MAGIC`.
pub const MAGIC: usize = 0;
/// `VERSION`.
pub const FORMAT: usize = 1;
/// Number of slots, a power of two.
pub const CAPACITY: usize = 2;
/// 0 calls, 1 durable.
pub const HOME: usize = 3;
/// The process.
pub const PID: usize = 4;
/// When it started, in clock ticks since boot: with the pid it names one process.
pub const START: usize = 5;
/// Which ring of the process this is.
pub const SERIAL: usize = 6;
/// 1 where `time` is the time stamp counter, 0 where it is nanoseconds of the monotonic clock.
pub const TSC: usize = 7;
/// Counter, monotonic and real time of one moment: the process's beginning.
pub const ANCHOR: usize = 8;
/// Even; odd while the words up to `NAME` change.
pub const GENERATION: usize = 16;
/// The thread.
pub const TID: usize = 17;
/// The first sequence of this thread.
pub const BASE: usize = 18;
/// 0 open, 1 the thread ended, 2 the tracer was shut down.
pub const STATE: usize = 19;
/// The number that the program gave the thread, + 1; 0 for none.
pub const LABEL: usize = 20;
/// 64 bytes of text, NUL at the end: the name of the thread.
pub const NAME: usize = 24;
/// 64 bytes of text, NUL at the end: TRACEPARENT of the process.
pub const TRACEPARENT: usize = 32;
/// Written by the reader: the sequence up to which it is safe on disk.
pub const DRAINED: usize = 64;
/// Written by the reader: counter and monotonic time of a later moment.
pub const LATER: usize = 66;
/// Sequence of the next record; alone on its cache line.
pub const HEAD: usize = 128;
/// In the page of a process: counts of what could not be recorded, by reason.
pub const DROPS: usize = 128;
/// In the page of a process: 36 bytes, the boot it ran in.
pub const BOOT: usize = 40;
/// In the page of a process: the number of the string of the scenario that it is in, 0 for none.
pub const SCENARIO: usize = 48;
/// In the page of a process: 1 once this recorder of it is over, though the process may go on.
pub const OVER: usize = 49;
/// In the page of a process: how many files of rings it has made.
pub const RINGS: usize = 50;
/// Bytes of a text in a header.
pub const TEXT_BYTES: usize = 64;

/// State of a ring.
pub const OPEN: u64 = 0;
/// See `STATE`.
pub const ENDED: u64 = 1;
/// See `STATE`.
pub const SHUT: u64 = 2;

pub(crate) fn write_text(words: &[AtomicU64], text: &str) {
    let mut bytes = [0; TEXT_BYTES];
    let mut end = text.len().min(TEXT_BYTES - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
    for (word, piece) in words.iter().zip(bytes.chunks_exact(8)) {
        let mut value = [0; 8];
        value.copy_from_slice(piece);
        word.store(u64::from_ne_bytes(value), Relaxed);
    }
}

pub(crate) fn write_anchor(words: &[AtomicU64], clock: &Clock) {
    for (word, value) in words[ANCHOR..].iter().zip([clock.tsc, clock.monotonic_ns, clock.realtime_ns]) {
        word.store(value, Relaxed);
    }
}

/// What a header says about who writes the ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    /// The thread.
    pub tid: u64,
    /// The number that the program gave it.
    pub label: Option<u64>,
    /// Its name.
    pub name: String,
    /// Its first sequence.
    pub base: u64,
}

pub(crate) fn write_writer(words: &[AtomicU64], writer: &Writer) {
    let generation = words[GENERATION].load(Relaxed);
    words[GENERATION].store(generation + 1, Release);
    std::sync::atomic::fence(Release);
    words[TID].store(writer.tid, Relaxed);
    words[BASE].store(writer.base, Relaxed);
    words[STATE].store(OPEN, Relaxed);
    words[LABEL].store(writer.label.map_or(0, |label| label.wrapping_add(1)), Relaxed);
    write_text(&words[NAME..], &writer.name);
    words[GENERATION].store(generation + 2, Release);
}

/// A header as it was copied.
#[derive(Clone, Debug)]
pub struct Header(Vec<u64>);

impl Header {
    pub(crate) fn from_words(words: &[AtomicU64]) -> Self {
        Self(words[..HEADER_BYTES / 8].iter().map(|word| word.load(Acquire)).collect())
    }

    /// The header in these bytes; nothing when they are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let words: Vec<u64> = bytes
            .get(..HEADER_BYTES)?
            .chunks_exact(8)
            .map(|piece| u64::from_ne_bytes(piece.try_into().unwrap_or_default()))
            .collect();
        Some(Self(words))
    }

    /// A word by its name.
    pub fn word(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// A text by its name.
    pub fn text(&self, at: usize) -> String {
        let bytes: Vec<u8> = (at..at + TEXT_BYTES / 8).flat_map(|word| self.word(word).to_ne_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }

    /// Which ring this is.
    pub fn home(&self) -> Home {
        if self.word(HOME) == 0 { Home::Calls } else { Home::Durable }
    }

    /// Who writes it; nothing while that changes.
    pub fn writer(&self) -> Option<Writer> {
        self.word(GENERATION).is_multiple_of(2).then(|| Writer {
            tid: self.word(TID),
            label: self.word(LABEL).checked_sub(1),
            name: self.text(NAME),
            base: self.word(BASE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writer__through_a_header__then_the_same_and_the_generation_even() {
        let words: Vec<AtomicU64> = (0..HEADER_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
        let long = "\u{e9}".repeat(60);
        for label in [None, Some(0), Some(9)] {
            let writer = Writer { tid: 7, label, name: long.clone(), base: 12 };
            write_writer(&words, &writer);
            let read = Header::from_words(&words).writer().unwrap();
            assert_eq!(read, Writer { name: "\u{e9}".repeat(31), ..writer });
        }
        words[GENERATION].fetch_add(1, Relaxed);
        assert!(Header::from_words(&words).writer().is_none());
    }
}
