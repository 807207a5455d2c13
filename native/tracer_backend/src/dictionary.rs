//! The strings of a segment for whoever reads it, while it grows or after its writer died. Texts and lanes are held; the
//! words of a payload are read back from the file where they are asked for, so that no number of log lines fills the
//! memory of a reader.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::numbers::{Numbers, Place};
use crate::problem::{Problem, Result};
use crate::strings::{Entry, MAX_STRING, RECORD_HEAD, Tag, entries, entries_from};

/// Bytes that are read at once, however long the file is: many times the longest string.
const PIECE: u64 = 1 << 20;
/// Bytes that are read back with a payload: its neighbours are asked for next.
pub(crate) const NEAR: usize = 1 << 14;

/// How far a segment was read, string by string.
#[derive(Debug)]
pub(crate) struct Reading {
    at: u64,
    next: u32,
}

impl Reading {
    pub(crate) fn begin() -> Self {
        Self { at: 0, next: 1 }
    }

    /// How many bytes are whole so far.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Reads on up to `until`, or to what is not whole or no string. `take` gets each string with its place in the file;
    /// one that it refuses is the first of the next reading.
    pub(crate) fn on(
        &mut self,
        file: &File,
        path: &Path,
        until: u64,
        mut take: impl FnMut(u64, &Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        while self.at < until {
            let begin = self.at;
            bytes.resize(usize::try_from((until - begin).min(PIECE)).unwrap_or(0), 0);
            file.read_exact_at(&mut bytes, begin).map_err(Problem::io("read", path))?;
            let mut found = if begin == 0 { entries(&bytes) } else { entries_from(&bytes, self.next) };
            loop {
                self.at = begin + found.committed() as u64;
                let Some(entry) = found.next() else { break };
                take(self.at, &entry)?;
                self.next = entry.number.saturating_add(1);
            }
            if self.at == begin {
                break;
            }
        }
        Ok(())
    }
}

/// The string that begins there in a file.
pub(crate) fn read_back(file: &File, at: u64, number: u32, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    buffer.truncate(filled);
    if length < LONGEST && entries_from(buffer, number).next().is_none() {
        return read_back(file, at, number, LONGEST, buffer);
    }
    Ok(())
}

/// Bytes of the longest string with its head.
const LONGEST: usize = MAX_STRING + RECORD_HEAD;

/// The strings of a segment; the first has number 1.
#[derive(Debug)]
pub struct Dictionary {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    reading: Reading,
    numbers: Numbers,
    /// What was read back last, and where it begins in the file.
    near: (u64, Vec<u8>),
}

impl Dictionary {
    /// The strings of a file that may not be there yet; `poll` reads them.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            file: None,
            length: 0,
            reading: Reading::begin(),
            numbers: Numbers::default(),
            near: (0, Vec::new()),
        }
    }

    /// Reads what came since; `take` gets each new string with its number.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn poll(&mut self, mut take: impl FnMut(u32, Tag, &[u8])) -> Result<()> {
        let file = match File::open(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(Problem::io("open", &self.path))?,
        };
        self.length = file.metadata().map_err(Problem::io("look at", &self.path))?.len();
        let numbers = &mut self.numbers;
        let read = self.reading.on(&file, &self.path, self.length, |at, entry| {
            match entry.tag {
                Tag::Payload => numbers.leave(at),
                tag => numbers.hold(tag, Arc::from(entry.body)),
            }
            take(entry.number, entry.tag, entry.body);
            Ok(())
        });
        self.file = Some(file);
        read
    }

    /// Goes through all that were read so far, in their order; `payloads` only where they are wanted, because the file is
    /// read once more for them.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it was.
    pub fn each(&self, payloads: bool, mut take: impl FnMut(u32, Tag, &[u8])) -> Result<()> {
        if !payloads {
            for (number, place) in (1..).zip(self.numbers.all()) {
                if let Place::Held(tag, body) = place {
                    take(number, tag, body);
                }
            }
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let mut again = Reading::begin();
        again.on(file, &self.path, self.reading.at, |_, entry| {
            take(entry.number, entry.tag, entry.body);
            Ok(())
        })?;
        if again.next == self.reading.next { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Problem {
        Problem::format("the strings are not what they were", &self.path)
    }

    /// The string of a number; nothing for 0 and for one that is not there.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it was.
    pub fn get(&mut self, number: u32) -> Result<Option<(Tag, &[u8])>> {
        let at = match self.numbers.place(number) {
            None => return Ok(None),
            Some(Place::At(at)) => at,
            // Looked up again: what is held is not lent across the reading below.
            Some(Place::Held(..)) => return Ok(self.held(number)),
        };
        let (tag, body) = self.find(at, number)?;
        Ok(Some((tag, &self.near.1[body])))
    }

    fn held(&self, number: u32) -> Option<(Tag, &[u8])> {
        match self.numbers.place(number)? {
            Place::Held(tag, body) => Some((tag, body)),
            Place::At(_) => None,
        }
    }

    /// A payload among what was read back last, or read back now.
    fn find(&mut self, at: u64, number: u32) -> Result<(Tag, Range<usize>)> {
        let within = |(begin, bytes): &(u64, Vec<u8>)| {
            let from = usize::try_from(at.checked_sub(*begin)?).ok()?;
            let entry = entries_from(bytes.get(from..)?, number).next()?;
            let body = from + RECORD_HEAD;
            Some((entry.tag, body..body + entry.body.len()))
        };
        if let Some(found) = within(&self.near) {
            return Ok(found);
        }
        let Some(file) = &self.file else { return Err(self.changed()) };
        self.near.0 = at;
        read_back(file, at, number, NEAR, &mut self.near.1).map_err(Problem::io("read", &self.path))?;
        within(&self.near).ok_or_else(|| self.changed())
    }

    /// How many bytes of the file are whole.
    pub fn committed(&self) -> u64 {
        self.reading.at
    }

    /// How long the file was at the last look, whole or not.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.reading.next - 1
    }

    /// How many of them have their bodies in memory.
    pub fn bodies(&self) -> usize {
        self.numbers.bodies()
    }
}
