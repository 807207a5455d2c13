//! The drain: takes records out of the rings of a run's processes and writes them into the box's segments, with the
//! strings of all processes in one file, ends paired with their beginnings, and whatever is missing as rows of its own.
//! It goes on where an earlier drain stopped by reading what that one wrote. It never makes a writer wait.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::clock::{Clock, Scale};
use crate::dictionary::Reading;
use crate::header::{self, ANCHOR, DROPS, LATER, RINGS, TSC, Writer};
use crate::kind::Home;
use crate::kinds;
use crate::pairing::LaneState;
use crate::payload;
use crate::problem::{Problem, REASONS, Reason, Result};
use crate::reader::{ProcessFolder, RingFile};
use crate::ring::Copied;
use crate::row::Row;
use crate::secrets::Secrets;
use crate::segment::{Recording, Segment, segments};
use crate::strings::{Strings, Tag};
use crate::system;
use crate::taking::{PIECE, Taking, Texts};

/// Records taken from a ring in one go: few enough to stay near until they are rows.
const BATCH: usize = 1 << 13;
/// More than this lost in one piece is not what a ring can tell.
const BELIEVABLE: u64 = 1 << 42;
/// Between two flushes while nobody watches.
const FLUSH_NS: u64 = 1_000_000_000;
/// So many rings of a process are kept open; each of the others is opened for each look.
const OPEN_RINGS: usize = 128;
/// So many lanes that ended are not left to wait for that: new threads want their rings, and a process has not many.
const WAITING_LANES: usize = 8;

/// Limits of a drain.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of segments past which calls are left out, counted; everything else goes on.
    pub trace_bytes: u64,
    /// Whether folders of processes that are gone are removed once they are safe.
    pub remove: bool,
    /// What must not be written.
    pub secrets: Secrets,
}

impl Default for Limits {
    fn default() -> Self {
        Self { trace_bytes: 2 << 30, remove: true, secrets: Secrets::default() }
    }
}

/// What one look at all rings did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Records taken.
    pub taken: u64,
    /// Records found missing.
    pub lost: u64,
    /// Processes that can still write.
    pub alive: usize,
}

struct Ring {
    file: RingFile,
    lane: u32,
    writer: Writer,
    anchor: Clock,
    damaged: bool,
}

struct Process {
    rings: HashMap<u64, Ring>,
    texts: Texts,
    strings: Reading,
    strange: bool,
    same_boot: bool,
    done: bool,
    /// Strings of its own that the box had no room for.
    unkept: u64,
}

/// The drain of a run on one box.
pub struct Drain {
    rings: PathBuf,
    out: Recording,
    limits: Limits,
    lanes: HashMap<u32, LaneState>,
    /// What processes could not record, as far as it is written: by lane and number of the reason's words.
    told: HashMap<(u32, u32), u64>,
    processes: HashMap<PathBuf, Process>,
    copied: Vec<Copied>,
    last_flush: u64,
    /// Whether these are the last looks.
    finishing: bool,
    /// Lanes that ended since then.
    ended: usize,
    faults: Vec<String>,
}

impl Drain {
    /// Begins, or goes on where the folder of the box says that an earlier drain stopped.
    ///
    /// # Errors
    /// The folder of the box cannot be read or written.
    pub fn open(rings: &Path, folder: &Path, limits: Limits) -> Result<Self> {
        let mut drain = Self {
            rings: rings.to_path_buf(),
            out: Recording::open(folder)?,
            limits,
            lanes: HashMap::new(),
            told: HashMap::new(),
            processes: HashMap::new(),
            copied: Vec::new(),
            last_flush: 0,
            finishing: false,
            ended: 0,
            faults: Vec::new(),
        };
        drain.read_back()?;
        Ok(drain)
    }

    fn read_back(&mut self) -> Result<()> {
        let mut buffer = Vec::new();
        for (_, path) in segments(self.out.folder())? {
            let segment = Segment::open(&path)?;
            for number in 0..segment.blocks().len() {
                let Some(block) = segment.load(number, &mut buffer)? else { continue };
                for mut row in block.iter() {
                    self.lanes.entry(row.lane).or_default().feed(&mut row);
                    if row.kind == kinds::GAP.0 {
                        *self.told.entry((row.lane, row.id)).or_default() += u64::from(row.arg);
                    }
                }
            }
        }
        Ok(())
    }

    /// One look at every ring. `now_ns` decides about writing: at once while somebody watches or rings wait for their next
    /// threads, else once a second.
    /// After a fault of the disk nothing is lost that the rings still hold.
    ///
    /// # Errors
    /// The folder of the box cannot be written.
    pub fn pass(&mut self, now_ns: u64, watched: bool) -> Result<Passed> {
        if self.out.pending() >= crate::block::MAX_ROWS {
            self.out.flush()?;
        }
        let mut passed = Passed::default();
        for folder in ProcessFolder::all(&self.rings)? {
            // Asked before its rings are read: what a dead process wrote is all there.
            let alive = folder.alive();
            passed.alive += usize::from(alive);
            self.process(&folder, alive, &mut passed)?;
        }
        let due = now_ns.saturating_sub(self.last_flush) >= FLUSH_NS;
        if watched || due || passed.alive == 0 || self.ended >= WAITING_LANES {
            self.flush(now_ns)?;
        }
        Ok(passed)
    }

    /// Writes what waits, and tells the rings that it is safe.
    ///
    /// # Errors
    /// The folder of the box cannot be written.
    pub fn flush(&mut self, now_ns: u64) -> Result<()> {
        self.out.flush()?;
        (self.last_flush, self.ended) = (now_ns, 0);
        for ring in self.processes.values().flat_map(|process| process.rings.values()) {
            let next = self.lanes.get(&ring.lane).map_or(0, |lane| lane.next);
            // A ring whose file is gone needs no mark.
            drop(ring.file.drained(next, ring.anchor.tsc, ring.anchor.monotonic_ns));
        }
        if self.limits.remove {
            let done: Vec<PathBuf> =
                self.processes.iter().filter(|(_, process)| process.done).map(|(path, _)| path.clone()).collect();
            for path in done {
                self.processes.remove(&path);
                drop(fs::remove_dir_all(path));
            }
        }
        Ok(())
    }

    /// Everything that is in the rings, written and on the disk. Processes that still write go on.
    ///
    /// # Errors
    /// The folder of the box cannot be written.
    pub fn finish(&mut self) -> Result<Passed> {
        let mut all = Passed::default();
        self.finishing = true;
        loop {
            let passed = self.pass(u64::MAX, true)?;
            all = Passed { taken: all.taken + passed.taken, lost: all.lost + passed.lost, alive: passed.alive };
            if passed.taken == 0 || passed.alive > 0 {
                break;
            }
        }
        self.finishing = false;
        self.flush(u64::MAX)?;
        self.out.sync()?;
        Ok(all)
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.out.sync()
    }

    /// What was strange about files that were found, in words, since the last time.
    pub fn faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.out.bytes()
    }

    fn process(&mut self, folder: &ProcessFolder, alive: bool, passed: &mut Passed) -> Result<()> {
        let mut process = self.processes.remove(&folder.path).unwrap_or_else(|| Process::new(folder));
        let done = self.process_rings(folder, &mut process, alive, passed);
        process.done = matches!(done, Ok(true)) && !alive;
        self.processes.insert(folder.path.clone(), process);
        done.map(|_| ())
    }

    fn process_rings(
        &mut self,
        folder: &ProcessFolder,
        process: &mut Process,
        alive: bool,
        passed: &mut Passed,
    ) -> Result<bool> {
        // Asked before its rings are looked for: those that it makes meanwhile are not missing.
        let made = folder.page().map_or(0, |page| page.word(RINGS));
        let mut unread = 0;
        for (path, inode) in folder.ring_files().unwrap_or_default() {
            if process.rings.contains_key(&inode) {
                continue;
            }
            match RingFile::open(&path) {
                Ok(mut file) => {
                    if process.rings.len() >= OPEN_RINGS {
                        file.close();
                    }
                    process.meet(inode, file);
                }
                Err(problem) => {
                    unread += 1;
                    self.fault(process, &problem);
                }
            }
        }
        // Somebody has removed it before it was opened: it held a record at least.
        let gone = made.saturating_sub(process.rings.len() as u64 + unread);
        let inodes: Vec<u64> = process.rings.keys().copied().collect();
        for inode in inodes {
            let Some(mut ring) = process.rings.remove(&inode) else { continue };
            let read = self.ring(folder, process, &mut ring, alive, passed);
            process.rings.insert(inode, ring);
            read?;
        }
        unread += process.rings.values().filter(|ring| ring.damaged).count() as u64;
        // As long as its process lives a ring may still become readable.
        let last = !alive || self.finishing;
        if last && gone > 0 {
            self.fault(process, &Problem::format("the file of a ring is gone", &folder.path));
        }
        self.uncounted(folder, process, if last { unread + gone } else { 0 }, passed)?;
        Ok(true)
    }

    fn fault(&mut self, process: &mut Process, problem: &Problem) {
        if !process.strange {
            process.strange = true;
            self.faults.push(problem.to_string());
        }
    }

    fn ring(
        &mut self,
        folder: &ProcessFolder,
        process: &mut Process,
        ring: &mut Ring,
        alive: bool,
        passed: &mut Passed,
    ) -> Result<()> {
        // A writer that is faster than this must not keep it from the rings of others: once around, and the rest is for
        // the next look.
        let mut left = ring.file.capacity();
        while !ring.damaged && left > 0 {
            let from = self.lanes.get(&ring.lane).map_or(0, |lane| lane.next);
            let mut copied = std::mem::take(&mut self.copied);
            copied.clear();
            let batch = ring.file.read(from, BATCH, !alive, &mut copied);
            self.copied = copied;
            let batch = match batch {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(problem) => {
                    ring.damaged = true;
                    self.fault(process, &problem);
                    break;
                }
            };
            if batch.looked.next.saturating_sub(from.max(batch.writer.base)) > BELIEVABLE {
                // Nothing of it is believed: its header may name the lane of a ring that is whole.
                ring.damaged = true;
                self.fault(process, &Problem::format("a head that no ring has", ring.file.path()));
                break;
            }
            if ring.lane == 0 || ring.writer != batch.writer {
                self.end_lane(ring, "thread ended")?;
                ring.lane = self.lane(folder, ring.file.home(), Some((&ring.file, &batch.writer)))?;
                ring.writer = batch.writer.clone();
                // Where this lane begins, or where an earlier drain left it.
                let lane = self.lanes.entry(ring.lane).or_default();
                lane.next = lane.next.max(batch.writer.base);
                continue;
            }
            // After the records, so that every string that they name is there; and one moment later than all of them.
            process.read_strings(folder, &mut self.out.strings, &self.limits.secrets)?;
            let now = later(&ring.file, process.same_boot);
            let scale = Scale::new(ring.file.header().word(TSC) == 1, &ring.anchor, &now);
            self.take(ring, process, &scale, &now, batch.looked.next, passed)?;
            ring.anchor = now;
            left = left.saturating_sub(self.copied.len() as u64);
            // Damaged ones were among those that were looked at: what is behind them is still to come.
            if self.copied.len() as u64 + batch.looked.damaged < BATCH as u64 {
                // Behind the end of a lane nothing is taken any more: what was shut from outside ends with its process,
                // or with the run.
                if !alive || batch.closed && (self.finishing || !batch.shut) {
                    self.end_lane(ring, if batch.closed { "closed" } else { "process gone" })?;
                }
                break;
            }
        }
        Ok(())
    }

    /// Turns what was copied into rows.
    fn take(
        &mut self,
        ring: &Ring,
        process: &Process,
        scale: &Scale,
        now: &Clock,
        next: u64,
        passed: &mut Passed,
    ) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(&ring.lane) else { return Ok(()) };
        if lane.ended || next <= lane.next {
            return Ok(());
        }
        let first = self.copied.first().map_or(next, |slot| slot[0] - 1);
        let over = ring.file.home() == Home::Calls && self.out.bytes() >= self.limits.trace_bytes;
        if over {
            let reason = Reason::Quota;
            return gap(&mut self.out, ring.lane, lane, next, now.monotonic_ns, reason, passed);
        }
        // What is missing before the first was overwritten; what is missing between was never a record.
        let mut why = Reason::Overwritten;
        if first > lane.next {
            let time = self.copied.first().map_or(now.monotonic_ns, |slot| scale.ns(slot[1]));
            gap(&mut self.out, ring.lane, lane, first, time, why, passed)?;
        }
        why = Reason::Damaged;
        let taking = Taking { texts: &process.texts, scale: *scale, lane: ring.lane };
        for piece in self.copied.chunks(PIECE) {
            let mut left = piece;
            while Taking::in_a_row(left, lane.next) {
                let filled = self.out.fill(left.len(), |room| taking.fill(left, lane, room))?;
                left = &left[filled..];
            }
            for slot in left {
                let mut row = taking.row(slot);
                if row.sequence > lane.next {
                    gap(&mut self.out, ring.lane, lane, row.sequence, row.time, why, passed)?;
                }
                lane.feed(&mut row);
                self.out.push(row)?;
            }
        }
        passed.taken += self.copied.len() as u64;
        if next > lane.next {
            gap(&mut self.out, ring.lane, lane, next, now.monotonic_ns, why, passed)?;
        }
        Ok(())
    }

    fn end_lane(&mut self, ring: &Ring, how: &str) -> Result<()> {
        if ring.lane == 0 {
            return Ok(());
        }
        let id = self.out.strings.number(Tag::Text, how.as_bytes())?;
        let lane = self.lanes.entry(ring.lane).or_default();
        if lane.ended {
            return Ok(());
        }
        let (kind, time) = (kinds::LANE_END.0, ring.anchor.monotonic_ns);
        let mut row = Row { time, kind, lane: ring.lane, id, sequence: lane.next, ..Row::default() };
        lane.feed(&mut row);
        self.ended += 1;
        self.out.push(row)
    }

    /// The number of a lane: that of the string that describes it. Without a ring it is the process's own, for what it
    /// could not record.
    fn lane(&mut self, folder: &ProcessFolder, home: Home, ring: Option<(&RingFile, &Writer)>) -> Result<u32> {
        let mut body = Vec::new();
        payload::put_number(&mut body, "pid", folder.process.pid);
        payload::put_number(&mut body, "start", folder.process.start);
        if let Some(name) = folder.path.file_name() {
            payload::put(&mut body, "folder", name.as_encoded_bytes());
        }
        let kind: &[u8] = match (ring, home) {
            (None, _) => b"process",
            (_, Home::Calls) => b"calls",
            _ => b"durable",
        };
        payload::put(&mut body, "kind", kind);
        if let Some((file, writer)) = ring {
            payload::put_number(&mut body, "tid", writer.tid);
            payload::put_number(&mut body, "ring", file.header().word(header::SERIAL));
            payload::put_number(&mut body, "base", writer.base);
            if let Some(label) = writer.label {
                payload::put_number(&mut body, "label", label);
            }
            payload::put(&mut body, "name", writer.name.as_bytes());
            payload::put(&mut body, "traceparent", file.header().text(header::TRACEPARENT).as_bytes());
        }
        let clean = self.limits.secrets.string(Tag::Lane, &body);
        self.out.strings.number(Tag::Lane, clean.as_deref().unwrap_or(&body))
    }

    /// What the process itself could not record, as far as it is not told yet, and one record for each of its rings that
    /// nobody can read: at least so many.
    fn uncounted(
        &mut self,
        folder: &ProcessFolder,
        process: &mut Process,
        unread: u64,
        passed: &mut Passed,
    ) -> Result<()> {
        let mut counts = [0; REASONS];
        match folder.page() {
            Ok(page) => counts = std::array::from_fn(|reason| page.word(DROPS + reason)),
            // Killed before it was made: nothing was recorded yet, and nothing refused.
            Err(Problem::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => self.fault(process, &problem),
        }
        let damaged = &mut counts[Reason::Damaged as usize];
        *damaged = damaged.saturating_add(unread);
        let strings = &mut counts[Reason::StringsFull as usize];
        *strings = strings.saturating_add(process.unkept);
        if counts == [0; REASONS] {
            return Ok(());
        }
        let number = self.lane(folder, Home::Drain, None)?;
        for reason in Reason::ALL {
            let words = self.out.strings.number(Tag::Text, reason.words().as_bytes())?;
            let told = self.told.entry((number, words)).or_default();
            let new = counts[reason as usize].saturating_sub(*told);
            if new == 0 || new > BELIEVABLE {
                continue;
            }
            *told += new;
            let lane = self.lanes.entry(number).or_default();
            let next = lane.next + new;
            gap(&mut self.out, number, lane, next, Clock::read().monotonic_ns, reason, passed)?;
        }
        Ok(())
    }
}

fn moment(tsc: u64, monotonic_ns: u64) -> Clock {
    Clock { tsc, monotonic_ns, realtime_ns: 0, spread_ns: 0, flags: 0 }
}

/// A moment after everything in the ring: now, or, for a ring of an earlier boot, the last that its drain left in it.
fn later(file: &RingFile, same_boot: bool) -> Clock {
    if same_boot { Clock::read() } else { moment(file.header().word(LATER), file.header().word(LATER + 1)) }
}

/// Rows that say what is missing of a lane before `next`.
fn gap(
    out: &mut Recording,
    number: u32,
    lane: &mut LaneState,
    next: u64,
    time: u64,
    reason: Reason,
    passed: &mut Passed,
) -> Result<()> {
    let id = out.strings.number(Tag::Text, reason.words().as_bytes())?;
    let mut left = next - lane.next;
    if left > BELIEVABLE {
        lane.next = next; // no ring ever held so many: its head is not one
        return Ok(());
    }
    passed.lost += left;
    while left > 0 {
        let arg = u32::try_from(left).unwrap_or(u32::MAX);
        let (kind, sequence) = (kinds::GAP.0, lane.next);
        let mut row = Row { time, kind, lane: number, id, arg, sequence, ..Row::default() };
        lane.feed(&mut row);
        out.push(row)?;
        left -= u64::from(arg);
    }
    Ok(())
}

impl Process {
    fn new(folder: &ProcessFolder) -> Self {
        let same_boot = folder.page().map_or(true, |page| page.text(header::BOOT) == system::boot());
        let rings = HashMap::new();
        Self {
            rings,
            texts: Texts::none(),
            strings: Reading::begin(),
            strange: false,
            same_boot,
            done: false,
            unkept: 0,
        }
    }

    fn meet(&mut self, inode: u64, file: RingFile) {
        let header = file.header();
        let anchor = moment(header.word(ANCHOR), header.word(ANCHOR + 1));
        self.rings.insert(inode, Ring { file, lane: 0, writer: Writer::default(), anchor, damaged: false });
    }

    /// Numbers the process's new strings for the box.
    fn read_strings(&mut self, folder: &ProcessFolder, out: &mut Strings, secrets: &Secrets) -> Result<()> {
        let path = folder.strings();
        let Ok(file) = fs::File::open(&path) else { return Ok(()) };
        let length = file.metadata().map_err(Problem::io("look at", &path))?.len();
        let (texts, unkept) = (&mut self.texts, &mut self.unkept);
        self.strings.on(&file, &path, length, |_, entry| {
            let clean = secrets.string(entry.tag, entry.body);
            let number = match out.number(entry.tag, clean.as_deref().unwrap_or(entry.body)) {
                Err(Problem::Dropped(_)) => {
                    *unkept += 1;
                    0
                }
                other => other?,
            };
            texts.add(number);
            Ok(())
        })
    }
}
