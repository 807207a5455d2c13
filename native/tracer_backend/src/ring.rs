//! The protocol of a ring, apart from where its memory lies: one writer that overwrites the oldest and reads nothing of
//! the reader, any number of readers that check afterwards what they copied. `CRASH.md` has a row for each store.
//!
//! A push stores time, meaning and ids, then the stamp (its sequence + 1), then the head. A reader believes a slot when
//! its stamp is the expected one and the head, read again after copying, shows that the writer had not come back to it.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// An atomic word; tests put another in its place that stops, records or explores.
pub trait Word {
    /// Reads the word.
    fn load(&self, order: Ordering) -> u64;
    /// Writes the word.
    fn store(&self, value: u64, order: Ordering);
    /// A fence between words.
    fn fence(order: Ordering);
}

impl Word for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }

    #[inline]
    fn fence(order: Ordering) {
        fence(order);
    }
}

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 32;

/// One place for a record.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Slot<W = AtomicU64> {
    /// Sequence + 1 of the record that is whole in here.
    pub stamp: W,
    /// Counter or clock.
    pub time: W,
    /// kind, flags, depth, scenario.
    pub what: W,
    /// id, arg.
    pub ids: W,
}

/// A slot as it was copied: stamp, time, what, ids.
pub type Copied = [u64; 4];

/// Puts a record into its slot. `sequence` counts from 0 without gaps; the number of slots is a power of two.
#[inline]
pub fn push<W: Word>(head: &W, slots: &[Slot<W>], sequence: u64, record: [u64; 3]) {
    fill(head, &slots[index(sequence, slots.len())], sequence, record);
}

/// The stores of a push, into the slot that is the sequence's own.
#[inline]
pub(crate) fn fill<W: Word>(head: &W, slot: &Slot<W>, sequence: u64, record: [u64; 3]) {
    // What follows must not be seen before the head of the push before this one: a reader tells by the head whether
    // the slot that it copied was being overwritten.
    W::fence(Release);
    slot.time.store(record[0], Relaxed);
    slot.what.store(record[1], Relaxed);
    slot.ids.store(record[2], Relaxed);
    slot.stamp.store(sequence + 1, Release);
    head.store(sequence + 1, Release);
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // masked by the length before it is narrowed
fn index(sequence: u64, slots: usize) -> usize {
    (sequence & (slots as u64 - 1)) as usize
}

/// Where a reader copies from: the same memory, or the file under it.
pub trait Source {
    /// How many slots there are, a power of two.
    fn capacity(&self) -> u64;
    /// The sequence of the next push, as far as it is known.
    ///
    /// # Errors
    /// The file cannot be read.
    fn head(&self) -> io::Result<u64>;
    /// Copies the slots of these sequences, `first` and what follows; they do not pass the end of the ring.
    ///
    /// # Errors
    /// The file cannot be read, or has become too short.
    fn copy(&self, first: u64, out: &mut [Copied]) -> io::Result<()>;
    /// Appends copies of so many slots, as `copy` does.
    ///
    /// # Errors
    /// As for `copy`; what `out` held before is still there.
    fn append(&self, first: u64, count: usize, out: &mut Vec<Copied>) -> io::Result<()> {
        let start = out.len();
        out.resize(start + count, [0; 4]);
        self.copy(first, &mut out[start..])
    }
    /// Nothing that is read after this is older than what was read before.
    fn fence(&self);
}

/// The memory itself as a source.
#[derive(Debug)]
pub struct Memory<'a, W> {
    /// The head.
    pub head: &'a W,
    /// The slots.
    pub slots: &'a [Slot<W>],
}

impl<W: Word> Source for Memory<'_, W> {
    fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    fn head(&self) -> io::Result<u64> {
        Ok(self.head.load(Acquire))
    }

    fn copy(&self, first: u64, out: &mut [Copied]) -> io::Result<()> {
        let start = index(first, self.slots.len());
        for (slot, out) in self.slots[start..].iter().zip(out) {
            *out = [slot.stamp.load(Acquire), slot.time.load(Relaxed), slot.what.load(Relaxed), slot.ids.load(Relaxed)];
        }
        Ok(())
    }

    fn fence(&self) {
        W::fence(Acquire);
    }
}

/// What one look at a ring gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Sequence of the first record in the output.
    pub first: u64,
    /// Records lost before it, because the writer was faster.
    pub overwritten: u64,
    /// Slots inside that held no record of their sequence; each is left out of the output.
    pub damaged: u64,
    /// Where the next look begins.
    pub next: u64,
}

/// Appends to `out` what the ring holds from sequence `from` on, `most` records at most. `dead` says that nobody writes
/// any more: then a record whose head was never stored counts too.
///
/// # Errors
/// The source cannot be read.
pub fn look<S: Source>(source: &S, from: u64, most: usize, dead: bool, out: &mut Vec<Copied>) -> io::Result<Looked> {
    let capacity = source.capacity();
    let mut head = source.head()?;
    if dead {
        head = head.saturating_add(u64::from(committed(source, head)?));
    }
    // A record before this one may be under the writer's pen.
    let oldest = |head: u64| head.saturating_add(1).saturating_sub(capacity);
    let mut first = from.max(oldest(head));
    if first >= head {
        let next = from.max(first.min(head));
        return Ok(Looked { first: next, overwritten: next - from, damaged: 0, next });
    }
    let wanted = usize::try_from(head - first).unwrap_or(most).min(most);
    let start = out.len();
    out.reserve(wanted);
    let next = first + wanted as u64;
    let mut at = first;
    while at < next {
        let piece = (next - at).min(capacity - (at & (capacity - 1)));
        source.append(at, usize::try_from(piece).unwrap_or(0), out)?;
        at += piece;
    }
    source.fence();
    let valid = oldest(source.head()?).clamp(first, next);
    out.drain(start..start + usize::try_from(valid - first).unwrap_or(0));
    first = valid;
    let before = out.len();
    // Hardly ever is one damaged: first it is only asked, of all of them.
    let wrong = out[start..].iter().zip(first + 1..).fold(0, |wrong, (copied, stamp)| wrong | (copied[0] ^ stamp));
    if wrong != 0 {
        let mut sequence = first;
        retain_from(out, start, |copied| {
            sequence += 1;
            copied[0] == sequence
        });
    }
    Ok(Looked { first, overwritten: first - from, damaged: (before - out.len()) as u64, next })
}

fn committed<S: Source>(source: &S, sequence: u64) -> io::Result<bool> {
    let mut slot = [[0; 4]];
    source.copy(sequence, &mut slot)?;
    Ok(slot[0][0] == sequence.wrapping_add(1))
}

fn retain_from(out: &mut Vec<Copied>, start: usize, mut keep: impl FnMut(&Copied) -> bool) {
    let mut kept = start;
    for at in start..out.len() {
        if keep(&out[at]) {
            out.swap(kept, at);
            kept += 1;
        }
    }
    out.truncate(kept);
}

/// Where the scenario begins in the word that says what a record is.
pub(crate) const SCENARIO_SHIFT: u32 = 32;

/// A record as it stands in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Counter or clock, as the header of the ring says.
    pub time: u64,
    /// Number of its kind.
    pub kind: u8,
    /// Level and marks.
    pub flags: u8,
    /// How deep the stack of calls was.
    pub depth: u16,
    /// Number of the string that names the scenario, 0 for none.
    pub scenario: u32,
    /// As its kind says.
    pub id: u32,
    /// As its kind says.
    pub arg: u32,
}

impl Record {
    /// The words of a slot behind its stamp.
    #[inline]
    pub fn words(self) -> [u64; 3] {
        let what = u64::from(self.kind)
            | u64::from(self.flags) << 8
            | u64::from(self.depth) << 16
            | u64::from(self.scenario) << SCENARIO_SHIFT;
        [self.time, what, u64::from(self.id) | u64::from(self.arg) << 32]
    }

    /// The record in a copied slot.
    #[allow(clippy::cast_possible_truncation)] // each part is shifted to its place and cut to its width
    pub fn from_copied(copied: &Copied) -> Self {
        let [_, time, what, ids] = *copied;
        Self {
            time,
            kind: what as u8,
            flags: (what >> 8) as u8,
            depth: (what >> 16) as u16,
            scenario: (what >> 32) as u32,
            id: ids as u32,
            arg: (ids >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(slots: usize) -> (AtomicU64, Vec<Slot>) {
        (AtomicU64::new(0), (0..slots).map(|_| Slot::default()).collect())
    }

    fn write(ring: &(AtomicU64, Vec<Slot>), sequences: std::ops::Range<u64>) {
        for sequence in sequences {
            push(&ring.0, &ring.1, sequence, [sequence, sequence, sequence]);
        }
    }

    fn read(ring: &(AtomicU64, Vec<Slot>), from: u64, most: usize, dead: bool) -> (Looked, Vec<Copied>) {
        let mut out = Vec::new();
        let looked = look(&Memory { head: &ring.0, slots: &ring.1 }, from, most, dead, &mut out).unwrap();
        (looked, out)
    }

    #[test]
    fn look__ring_not_full__then_all_in_order() {
        let ring = ring(8);
        write(&ring, 0..5);
        let (looked, out) = read(&ring, 0, 100, false);
        assert_eq!(looked, Looked { first: 0, overwritten: 0, damaged: 0, next: 5 });
        assert_eq!(out, (0..5).map(|n| [n + 1, n, n, n]).collect::<Vec<_>>());
        assert_eq!(read(&ring, 5, 100, false).0.next, 5);
    }

    #[test]
    fn look__ring_went_round__then_the_newest_and_the_count_of_the_others() {
        let ring = ring(8);
        write(&ring, 0..21);
        let (looked, out) = read(&ring, 0, 100, false);
        assert_eq!((looked.first, looked.overwritten, looked.next), (14, 14, 21));
        assert_eq!(out.iter().map(|slot| slot[1]).collect::<Vec<_>>(), (14..21).collect::<Vec<_>>());
    }

    #[test]
    fn look__in_small_steps__then_the_same() {
        let ring = ring(8);
        write(&ring, 0..12);
        let (mut at, mut all) = (0, Vec::new());
        loop {
            let (looked, out) = read(&ring, at, 2, false);
            if looked.next == at {
                break;
            }
            at = looked.next;
            all.extend(out);
        }
        assert_eq!(all, read(&ring, 0, 100, false).1);
    }

    #[test]
    fn look__head_not_stored_by_a_dead_writer__then_its_last_record_counts() {
        let ring = ring(8);
        write(&ring, 0..9);
        ring.0.store(8, Relaxed);
        assert_eq!(read(&ring, 0, 100, false).0.next, 8);
        let (looked, out) = read(&ring, 0, 100, true);
        assert_eq!((looked.first, looked.next, out.len()), (2, 9, 7));
    }

    #[test]
    fn look__slot_with_a_strange_stamp__then_left_out_and_counted() {
        let ring = ring(8);
        write(&ring, 0..5);
        ring.1[2].stamp.store(77, Relaxed);
        let (looked, out) = read(&ring, 0, 100, false);
        assert_eq!((looked.damaged, looked.next), (1, 5));
        assert_eq!(out.iter().map(|slot| slot[1]).collect::<Vec<_>>(), [0, 1, 3, 4]);
    }

    #[test]
    fn look__head_before_where_the_reader_is__then_nothing() {
        let ring = ring(8);
        write(&ring, 0..3);
        assert_eq!(read(&ring, 7, 100, false).0, Looked { first: 7, overwritten: 0, damaged: 0, next: 7 });
    }

    #[test]
    fn record__through_a_slot__then_the_same() {
        let record = Record { time: u64::MAX, kind: 1, flags: 2, depth: 3, scenario: 4, id: u32::MAX, arg: 6 };
        let [time, what, ids] = record.words();
        assert_eq!(Record::from_copied(&[9, time, what, ids]), record);
    }
}
