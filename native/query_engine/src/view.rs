//! A window into a trace that may still grow: which rows pass a filter is known as counts of blocks; only the rows that
//! are asked for are ever decoded.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tracekit_filter::{Bound, Context, Fault};
use tracer_backend::block::Block;
use tracer_backend::dictionary::Dictionary;
use tracer_backend::segment::{Segment, segments, strings_path};
use tracer_backend::{Kind, Problem, Result, Row, Tag, payload};

use crate::folding::{Folded, Folding};
use crate::told::Told;
use crate::within::Within;

/// A block by its place, and how many of its rows pass, those of all before it included.
#[derive(Clone, Copy, Debug)]
struct Passing {
    segment: usize,
    block: usize,
    until: u64,
}

/// A lane, as its description says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneTold {
    /// Its number.
    pub number: u32,
    /// The process.
    pub pid: u64,
    /// The thread.
    pub tid: u64,
    /// The name of the thread.
    pub name: Vec<u8>,
    /// calls, durable or process.
    pub kind: Vec<u8>,
}

/// A window into a trace.
#[derive(Debug)]
pub struct View {
    folder: PathBuf,
    strings: Dictionary,
    segments: Vec<Segment>,
    /// The number of the last file that was looked at.
    newest: Option<u64>,
    /// Bytes of files that are no segments, and of a last one that may become one.
    strange: (u64, u64),
    /// Where the next look for blocks begins.
    seen: (usize, usize),
    filter: Option<Bound>,
    context: Context,
    passing: Vec<Passing>,
    total: u64,
    behind: bool,
    /// Blocks that turned out to be damaged when they were read, and their bytes.
    broken: HashSet<(usize, usize)>,
    broken_bytes: u64,
    times: Option<(u64, u64)>,
    buffer: Vec<u8>,
}

impl View {
    /// Opens the trace in a box's folder; one that is not there yet is empty, and grows.
    ///
    /// # Errors
    /// Files are there and cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut view = Self {
            folder: folder.to_path_buf(),
            strings: Dictionary::new(&strings_path(folder)),
            segments: Vec::new(),
            newest: None,
            strange: (0, 0),
            seen: (0, 0),
            filter: None,
            context: Context::default(),
            passing: Vec::new(),
            total: 0,
            behind: false,
            broken: HashSet::new(),
            broken_bytes: 0,
            times: None,
            buffer: Vec::new(),
        };
        view.poll(usize::MAX)?;
        Ok(view)
    }

    /// What a filter may ask that no row knows. Relative times count from the first row where it says 0.
    pub fn set_context(&mut self, context: Context) {
        self.context = context;
    }

    /// Looks through another filter, of what passes `within` already; an empty one lets everything through. At most so
    /// many blocks are read for it: `poll` reads on.
    ///
    /// # Errors
    /// The outer one: files cannot be read. The inner one: the filter cannot be understood, and nothing changed.
    pub fn set_filter(&mut self, text: &str, within: &Within, most: usize) -> Result<std::result::Result<(), Fault>> {
        let mut filter = match within.bound(text, &self.context, self.times) {
            Ok(filter) => filter,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Some(bound) = &mut filter {
            self.strings.each(bound.asks_payloads(), |number, tag, body| bound.learn(number, tag, body))?;
        }
        self.filter = filter;
        self.passing.clear();
        self.seen = (0, 0);
        self.total = 0;
        self.count(most)?;
        Ok(Ok(()))
    }

    /// Looks for what came since, and reads at most so many blocks for it; how many rows that pass are new.
    ///
    /// # Errors
    /// Files cannot be read.
    pub fn poll(&mut self, most: usize) -> Result<u64> {
        let before = self.count_passing();
        self.meet_segments()?;
        // Only the last grows, and the one before it may have grown since the last look.
        let from = self.segments.len().saturating_sub(2);
        for segment in &mut self.segments[from..] {
            segment.poll()?;
        }
        self.read_strings()?;
        self.count(most)?;
        Ok(self.count_passing() - before)
    }

    fn meet_segments(&mut self) -> Result<()> {
        let found = segments(&self.folder)?;
        let last = found.last().map(|(number, _)| *number);
        self.strange.1 = 0;
        for (number, path) in found {
            if self.newest.is_some_and(|newest| number <= newest) {
                continue;
            }
            match Segment::open(&path) {
                Ok(segment) => self.segments.push(segment),
                Err(Problem::Format { .. }) => {
                    let bytes = fs::metadata(&path).map_or(0, |facts| facts.len());
                    if Some(number) == last {
                        self.strange.1 = bytes; // just made: its header is on the way
                        break;
                    }
                    self.strange.0 += bytes;
                }
                Err(problem) => return Err(problem),
            }
            self.newest = Some(number);
        }
        Ok(())
    }

    fn read_strings(&mut self) -> Result<()> {
        let filter = &mut self.filter;
        self.strings.poll(|number, tag, body| {
            if let Some(bound) = filter {
                bound.learn(number, tag, body);
            }
        })
    }

    /// Counts the rows of blocks that were not looked at yet; a filter reads at most so many of them.
    fn count(&mut self, most: usize) -> Result<()> {
        self.behind = false;
        let mut left = most;
        let (mut at, mut block) = self.seen;
        let mut until = self.count_passing();
        while let Some(segment) = self.segments.get(at) {
            while let Some((_, zone)) = segment.block(block) {
                if zone.strings > self.strings.committed() {
                    self.seen = (at, block);
                    return Ok(()); // its strings are on the way
                }
                let reads = self.filter.as_ref().is_some_and(|bound| bound.may_match_head(zone));
                if left == 0 && reads {
                    self.seen = (at, block);
                    self.behind = true;
                    return Ok(());
                }
                self.total += zone.rows as u64;
                let count = match &self.filter {
                    _ if self.broken.contains(&(at, block)) => 0,
                    None => zone.rows,
                    Some(_) if !reads => 0,
                    Some(bound) => {
                        left -= 1;
                        let loaded = segment.load(block, &mut self.buffer)?;
                        if loaded.is_none() && self.broken.insert((at, block)) {
                            self.broken_bytes += zone.bytes as u64;
                        }
                        loaded.map_or(0, |loaded| bound.select(&loaded).count())
                    }
                };
                let (first, last) = self.times.unwrap_or(zone.times);
                self.times = Some((first.min(zone.times.0), last.max(zone.times.1)));
                if count > 0 {
                    until += count as u64;
                    self.passing.push(Passing { segment: at, block, until });
                }
                block += 1;
            }
            if at + 1 == self.segments.len() {
                break;
            }
            (at, block) = (at + 1, 0);
        }
        self.seen = (at, block);
        Ok(())
    }

    /// How many rows pass.
    pub fn count_passing(&self) -> u64 {
        self.passing.last().map_or(0, |passing| passing.until)
    }

    /// How many rows were looked at.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether there are blocks that nobody looked at for want of `most`.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// The first and the last moment, where there are rows.
    pub fn times(&self) -> Option<(u64, u64)> {
        self.times
    }

    /// Blocks that could not be read, so far.
    pub fn damaged(&self) -> u64 {
        self.broken.len() as u64
    }

    /// Bytes of segments that gave no rows: damaged, not whole or without their strings; of a trace that grows, those
    /// that are on their way as well, and those that nobody looked at yet.
    pub fn unread(&self) -> u64 {
        let (at, block) = self.seen;
        let taken = |number: usize, segment: &Segment| match segment.block(block) {
            _ if number > at => 0,
            Some((begin, _)) if number == at => begin,
            _ => segment.committed(),
        };
        let left =
            self.segments.iter().enumerate().map(|(n, segment)| segment.length().saturating_sub(taken(n, segment)));
        left.sum::<u64>() + self.broken_bytes + self.strange.0 + self.strange.1
    }

    /// Rows that pass, from one on, as many as there are and are wanted.
    ///
    /// # Errors
    /// Files cannot be read.
    pub fn rows(&mut self, from: u64, most: usize) -> Result<Vec<Told>> {
        let mut out = Vec::new();
        self.each(from, most, |row, strings| {
            out.push(Told::new(row, strings)?);
            Ok(())
        })?;
        Ok(out)
    }

    fn each(
        &mut self,
        from: u64,
        most: usize,
        mut take: impl FnMut(&Row, &mut Dictionary) -> Result<()>,
    ) -> Result<()> {
        let mut left = most;
        let mut at = self.passing.partition_point(|passing| passing.until <= from);
        let mut position = self.until(at);
        let mut broken = Vec::new();
        while let (Some(passing), 1..) = (self.passing.get(at), left) {
            let segment = &self.segments[passing.segment];
            let skip = usize::try_from(from.saturating_sub(position)).unwrap_or(usize::MAX);
            if let Some(block) = segment.load(passing.block, &mut self.buffer)? {
                for row in chosen(self.filter.as_ref(), &block).skip(skip).take(left) {
                    take(&block.row(row), &mut self.strings)?;
                    left -= 1;
                }
            } else {
                broken.push(at);
            }
            position = passing.until;
            at += 1;
        }
        if !broken.is_empty() {
            self.leave_out(&broken);
        }
        Ok(())
    }

    fn until(&self, passing: usize) -> u64 {
        passing.checked_sub(1).map_or(0, |before| self.passing[before].until)
    }

    /// Blocks that were counted by their heads, and cannot be read: their rows are none, and those behind them move up.
    fn leave_out(&mut self, broken: &[usize]) {
        let (mut until, mut before, mut broken) = (0, 0, broken.iter().copied().peekable());
        for (at, passing) in std::mem::take(&mut self.passing).into_iter().enumerate() {
            let rows = passing.until - std::mem::replace(&mut before, passing.until);
            if broken.next_if_eq(&at).is_none() {
                until += rows;
                self.passing.push(Passing { until, ..passing });
            } else if self.broken.insert((passing.segment, passing.block)) {
                let zone = self.segments[passing.segment].block(passing.block);
                self.broken_bytes += zone.map_or(0, |(_, zone)| zone.bytes as u64);
            }
        }
    }

    /// How many rows of each kind pass.
    ///
    /// # Errors
    /// Files cannot be read.
    pub fn kinds(&mut self) -> Result<Vec<(String, u64)>> {
        let mut counts = [0_u64; 256];
        self.each(0, usize::MAX, |row, _| {
            counts[usize::from(row.kind)] += 1;
            Ok(())
        })?;
        let named = (0..=u8::MAX).zip(counts).filter(|(_, count)| *count > 0);
        Ok(named.map(|(kind, count)| (Kind(kind).name().into_owned(), count)).collect())
    }

    /// The calls and moments that pass, between two moments, folded to so many columns; no deeper than that.
    ///
    /// # Errors
    /// Files cannot be read.
    pub fn folded(&mut self, time: Range<u64>, columns: u64, deepest: u16) -> Result<Folded> {
        let mut folding = Folding::new(time, columns, deepest);
        self.each(0, usize::MAX, |row, _| {
            folding.take(row);
            Ok(())
        })?;
        Ok(folding.done())
    }

    /// A row in words.
    ///
    /// # Errors
    /// Files cannot be read.
    pub fn told(&mut self, row: &Row) -> Result<Told> {
        Told::new(row, &mut self.strings)
    }

    /// How many strings it holds in memory: payloads are none of them.
    pub fn bodies(&self) -> usize {
        self.strings.bodies()
    }

    /// Every lane.
    ///
    /// # Errors
    /// Files cannot be read.
    pub fn lanes(&self) -> Result<Vec<LaneTold>> {
        let bytes = |body: &[u8], name: &str| payload::field(body, name).unwrap_or_default().to_vec();
        let mut lanes = Vec::new();
        self.strings.each(false, |number, tag, body| {
            if tag == Tag::Lane {
                lanes.push(LaneTold {
                    number,
                    pid: payload::number(body, "pid").unwrap_or(0),
                    tid: payload::number(body, "tid").unwrap_or(0),
                    name: bytes(body, "name"),
                    kind: bytes(body, "kind"),
                });
            }
        })?;
        Ok(lanes)
    }
}

/// The rows of a block that pass.
fn chosen<'a>(bound: Option<&Bound>, block: &Block<'a>) -> Box<dyn Iterator<Item = usize> + 'a> {
    match bound {
        None => Box::new(0..block.rows()),
        Some(bound) => {
            let rows: Vec<usize> = bound.select(block).rows().collect();
            Box::new(rows.into_iter())
        }
    }
}
