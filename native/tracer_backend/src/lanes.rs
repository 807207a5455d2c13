//! The rings of one thread: where their memory lies, who writes them, and the pen that writes.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::clock::{Clock, monotonic_ns, tsc};
use crate::header::{
    self, BASE, CAPACITY, DRAINED, FORMAT, HEAD, HEADER_BYTES, HOME, Header, MAGIC, PID, RING_MAGIC, SERIAL, START,
    STATE, TSC, VERSION, Writer,
};
use crate::kind::Home;
use crate::mapping::{self, Mapping};
use crate::ring::{Memory, SLOT_BYTES, Slot, fill};
use crate::system::ProcessId;

/// What every ring of a process says about it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) process: ProcessId,
    pub(crate) tsc: bool,
    pub(crate) anchor: Clock,
    pub(crate) traceparent: String,
}

/// A ring in its memory.
#[derive(Debug)]
pub(crate) struct Ring {
    mapping: Mapping,
    slots: usize,
    path: Option<PathBuf>,
    /// Bytes at its end that have no blocks now.
    given_back: AtomicU64,
}

pub(crate) fn ring_bytes(slots: usize) -> usize {
    HEADER_BYTES + slots * SLOT_BYTES
}

impl Ring {
    pub(crate) fn new(
        path: Option<&Path>,
        home: Home,
        slots: usize,
        serial: u64,
        identity: &Identity,
        writer: &Writer,
    ) -> io::Result<Self> {
        let fill = |mapping: &Mapping| {
            let words = mapping.words();
            let facts = [
                (FORMAT, u64::from(VERSION)),
                (CAPACITY, slots as u64),
                (HOME, u64::from(home == Home::Durable)),
                (PID, identity.process.pid),
                (START, identity.process.start),
                (SERIAL, serial),
                (TSC, u64::from(identity.tsc)),
                (MAGIC, RING_MAGIC),
            ];
            for (at, value) in facts {
                words[at].store(value, Relaxed);
            }
            header::write_anchor(words, &identity.anchor);
            header::write_text(&words[header::TRACEPARENT..], &identity.traceparent);
            header::write_writer(words, writer);
        };
        let bytes = ring_bytes(slots);
        let mapping = if let Some(path) = path {
            Mapping::new_file(path, bytes, fill)?
        } else {
            let mapping = Mapping::anonymous(bytes)?;
            fill(&mapping);
            mapping
        };
        Ok(Self { mapping, slots, path: path.map(Path::to_path_buf), given_back: AtomicU64::new(0) })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.mapping.words()
    }

    pub(crate) fn header(&self) -> Header {
        Header::from_words(self.words())
    }

    /// What it takes of the disk.
    pub(crate) fn bytes(&self) -> u64 {
        (ring_bytes(self.slots) as u64).saturating_sub(self.given_back())
    }

    /// What it would take besides, if somebody wrote it again.
    pub(crate) fn given_back(&self) -> u64 {
        self.given_back.load(Relaxed)
    }

    /// Gives back what was never written to; of a ring that nobody writes any more.
    fn shrink(&self) {
        let Some(path) = self.path.as_deref().filter(|_| self.given_back() == 0) else { return };
        let Some(written) = usize::try_from(self.head()).ok().filter(|head| *head < self.slots) else { return };
        // A reader looks at one slot more than it takes.
        let (from, end) = (ring_bytes(written + 1).next_multiple_of(HEADER_BYTES), ring_bytes(self.slots));
        if from < end && mapping::give_back(path, from, end - from).is_ok() {
            self.given_back.store((end - from) as u64, Relaxed);
        }
    }

    /// Makes it one that can be written again.
    fn restore(&self) -> io::Result<()> {
        if let Some(path) = self.path.as_deref().filter(|_| self.given_back() > 0) {
            mapping::take_back(path, ring_bytes(self.slots))?;
            self.given_back.store(0, Relaxed);
        }
        Ok(())
    }

    fn slots(&self) -> &[Slot] {
        let start = self.words()[HEADER_BYTES / 8..].as_ptr();
        // SAFETY: behind the header lie `slots` slots of four words each; the layout of a slot is that of its words.
        unsafe { std::slice::from_raw_parts(start.cast(), self.slots) }
    }

    pub(crate) fn source(&self) -> Memory<'_, AtomicU64> {
        Memory { head: &self.words()[HEAD], slots: self.slots() }
    }

    pub(crate) fn head(&self) -> u64 {
        self.words()[HEAD].load(Acquire)
    }

    /// Whether somebody has put everything that is in here on a disk.
    fn drained(&self) -> bool {
        self.words()[DRAINED].load(Acquire) >= self.head()
    }

    fn hand_over(&self, writer: &Writer) {
        header::write_writer(self.words(), &Writer { base: self.head(), ..writer.clone() });
    }

    pub(crate) fn base(&self) -> u64 {
        self.words()[BASE].load(Relaxed)
    }

    fn close(&self, state: u64) {
        self.words()[STATE].store(state, Release);
    }
}

/// The rings of one thread; the ring of calls is made when the first call comes.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) label: Option<u64>,
    /// Whether a thread writes here now; no second one may.
    pub(crate) bound: AtomicBool,
    pub(crate) ended: AtomicBool,
    pub(crate) calls: OnceLock<Ring>,
    pub(crate) durable: OnceLock<Ring>,
}

impl Lanes {
    pub(crate) fn cell(&self, home: Home) -> &OnceLock<Ring> {
        if home == Home::Calls { &self.calls } else { &self.durable }
    }

    pub(crate) fn rings(&self) -> impl Iterator<Item = &Ring> {
        [&self.durable, &self.calls].into_iter().filter_map(OnceLock::get)
    }

    pub(crate) fn by_home(&self) -> impl Iterator<Item = (Home, &Ring)> {
        [Home::Durable, Home::Calls].into_iter().filter_map(|home| self.cell(home).get().map(|ring| (home, ring)))
    }

    pub(crate) fn close(&self, state: u64) {
        self.rings().for_each(|ring| ring.close(state));
    }

    /// Whether another thread may write here without anything being lost.
    pub(crate) fn free(&self) -> bool {
        self.abandoned() && self.rings().all(Ring::drained)
    }

    /// Whether the thread is gone that wrote here.
    pub(crate) fn abandoned(&self) -> bool {
        self.ended.load(Acquire) && !self.bound.load(Acquire)
    }

    /// Gives back what the thread that is gone had no need of.
    pub(crate) fn shrink(&self) {
        self.rings().for_each(Ring::shrink);
    }

    /// Makes these the rings of another thread, unless the disk has no room for it.
    pub(crate) fn hand_over(&self, writer: &Writer) -> io::Result<()> {
        self.rings().try_for_each(Ring::restore)?;
        self.rings().for_each(|ring| ring.hand_over(writer));
        self.ended.store(false, Release);
        Ok(())
    }
}

/// Writes one ring, from one thread. What a record needs of it lies on one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Pen {
    /// The header, and the slots behind it.
    ring: *const AtomicU64,
    mask: u64,
    next: Cell<u64>,
    tsc: bool,
}

impl Pen {
    /// The caller keeps the ring alive as long as the pen, and sees to it that there is one pen for a ring.
    pub(crate) fn new(ring: &Ring) -> Self {
        let words = ring.words();
        debug_assert!(ring.slots.is_power_of_two(), "as the settings give them");
        let (mask, tsc) = (ring.slots as u64 - 1, words[TSC].load(Relaxed) == 1);
        Self { ring: words.as_ptr(), mask, next: Cell::new(ring.head()), tsc }
    }

    #[inline]
    pub(crate) fn write(&self, what: u64, ids: u64) {
        if self.tsc {
            self.write_at(tsc(), what, ids);
        } else {
            self.write_by_the_clock(what, ids);
        }
    }

    /// Apart, so that asking the system for the time costs nothing where nobody asks.
    #[cold]
    #[inline(never)]
    fn write_by_the_clock(&self, what: u64, ids: u64) {
        self.write_at(monotonic_ns(), what, ids);
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below the number of slots
    fn write_at(&self, time: u64, what: u64, ids: u64) {
        let sequence = self.next.get();
        let at = (sequence & self.mask) as usize;
        // SAFETY: the ring lives as long as the pen, by the promise of whoever made it. Its slots lie behind its header,
        // and the place is below their number. The layout of a slot is that of its four words.
        let (head, slot) =
            unsafe { (&*self.ring.add(HEAD), &*self.ring.add(HEADER_BYTES / size_of::<u64>()).cast::<Slot>().add(at)) };
        fill(head, slot, sequence, [time, what, ids]);
        self.next.set(sequence + 1);
    }
}
