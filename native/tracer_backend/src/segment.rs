//! Segments: files of blocks, 64 MiB at most, `trace/seg-NNNNNN.tks`, beside `strings.tkd` with what the numbers in
//! them mean. One writer; readers see whole blocks only, while it writes or after it died.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::block::{self, Block, HEAD_BYTES, MAX_ROWS, Place, Zone, zone};
use crate::clock::Clock;
use crate::own_file;
use crate::problem::{Problem, Result};
use crate::row::Row;
use crate::strings::Strings;
use crate::waiting::{Room, Waiting};

/// First bytes of a segment, its version at the end.
pub const MAGIC: [u8; 8] = *b"TKSEG\0\0\x01";
/// Bytes before the first block.
pub const HEADER: usize = 64;
/// The most bytes of a segment.
pub const MAX_SEGMENT: u64 = 64 << 20;

/// The most bytes of the strings of a box.
const MAX_STRINGS: u64 = 256 << 20;

/// The strings of a box.
pub fn strings_path(folder: &Path) -> PathBuf {
    folder.join("strings.tkd")
}

/// The folder of a box's segments.
pub fn trace_path(folder: &Path) -> PathBuf {
    folder.join("trace")
}

/// A segment of a box.
pub fn segment_path(folder: &Path, number: u64) -> PathBuf {
    trace_path(folder).join(format!("seg-{number:06}.tks"))
}

/// The segments of a box, in their order.
///
/// # Errors
/// The folder cannot be listed; one that is not there holds none.
pub fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let folder = trace_path(folder);
    let entries = match fs::read_dir(&folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Problem::io("list", &folder))?,
    };
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let digits = name.to_str()?.strip_prefix("seg-")?.strip_suffix(".tks")?;
            Some((digits.parse().ok()?, entry.path()))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// A segment that is read.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    id: u64,
    end: u64,
    length: u64,
    blocks: Vec<(u64, Zone)>,
}

impl Segment {
    /// Opens a segment and looks at the heads of its blocks.
    ///
    /// # Errors
    /// It cannot be read, or is something else.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Problem::io("open", path))?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).map_err(|_| Problem::format("a segment without its header", path))?;
        if header[..7] != MAGIC[..7] {
            return Err(Problem::format("not a segment of a trace", path));
        }
        if header[7] != MAGIC[7] {
            let (found, known) = (u32::from(header[7]), u32::from(MAGIC[7]));
            return Err(Problem::Version { found, known, path: path.to_path_buf() });
        }
        if crc32fast::hash(&header[..60]).to_le_bytes() != header[60..] {
            return Err(Problem::format("the header of the segment is damaged", path));
        }
        let id = u64::from_le_bytes(header[8..16].try_into().unwrap_or_default());
        let mut segment =
            Self { path: path.to_path_buf(), file, id, end: HEADER as u64, length: 0, blocks: Vec::new() };
        segment.poll()?;
        Ok(segment)
    }

    /// Looks for blocks that came since. The last one counts only when it is whole.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn poll(&mut self) -> Result<usize> {
        let length = self.file.metadata().map_err(Problem::io("look at", &self.path))?.len();
        self.length = length;
        let before = self.blocks.len();
        let mut head = [0; HEAD_BYTES];
        while self.end + HEAD_BYTES as u64 <= length {
            self.file.read_exact_at(&mut head, self.end).map_err(Problem::io("read", &self.path))?;
            let Some(zone) = zone(&head).filter(|zone| zone.segment == self.id) else { break };
            let next = self.end + zone.bytes as u64;
            if next > length {
                break;
            }
            // The file may be as long as the block before all of it is there.
            if next == length && !self.whole(self.end, zone.bytes)? {
                break;
            }
            self.blocks.push((self.end, zone));
            self.end = next;
        }
        Ok(self.blocks.len() - before)
    }

    fn whole(&self, at: u64, bytes: usize) -> Result<bool> {
        let mut buffer = vec![0; bytes];
        self.file.read_exact_at(&mut buffer, at).map_err(Problem::io("read", &self.path))?;
        Ok(block::decode(&buffer).is_some())
    }

    /// The heads of its blocks.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = &Zone> {
        self.blocks.iter().map(|(_, zone)| zone)
    }

    /// Where a block begins, and its head.
    pub fn block(&self, number: usize) -> Option<(u64, &Zone)> {
        self.blocks.get(number).map(|(at, zone)| (*at, zone))
    }

    /// How far the file is whole.
    pub fn committed(&self) -> u64 {
        self.end
    }

    /// How long the file was at the last look, whole or not.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads a block into `buffer`; nothing when it is damaged.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such block.
    pub fn load<'a>(&self, number: usize, buffer: &'a mut Vec<u8>) -> Result<Option<Block<'a>>> {
        let Some((at, zone)) = self.blocks.get(number) else {
            return Err(Problem::format("no such block", &self.path));
        };
        buffer.resize(zone.bytes, 0);
        self.file.read_exact_at(buffer, *at).map_err(Problem::io("read", &self.path))?;
        Ok(block::decode(buffer))
    }
}

/// The writer of a box's segments and strings.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    /// What the numbers mean.
    pub strings: Strings,
    file: Option<File>,
    path: PathBuf,
    segment: u64,
    number: u64,
    next_block: u64,
    length: u64,
    total: u64,
    most: u64,
    /// What comes now; and blocks' worths of it that a disk refused.
    waiting: Waiting,
    refused: VecDeque<Waiting>,
    buffer: Vec<u8>,
}

impl Recording {
    /// Begins or goes on. What is not whole at the end of the last segment is cut off.
    ///
    /// # Errors
    /// The folder cannot be written, or holds something else under these names.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::with_segments_of(folder, MAX_SEGMENT)
    }

    pub(crate) fn with_segments_of(folder: &Path, most: u64) -> Result<Self> {
        let trace = trace_path(folder);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&trace).map_err(Problem::io("make", &trace))?;
        let mut strings = Strings::resume(&strings_path(folder))?;
        strings.set_most(MAX_STRINGS);
        let mut recording = Self {
            folder: folder.to_path_buf(),
            strings,
            file: None,
            path: trace,
            segment: 0,
            number: 0,
            next_block: 0,
            length: 0,
            total: 0,
            most,
            waiting: Waiting::default(),
            refused: VecDeque::new(),
            buffer: Vec::new(),
        };
        recording.resume()?;
        Ok(recording)
    }

    fn resume(&mut self) -> Result<()> {
        let found = segments(&self.folder)?;
        for (at, (number, path)) in found.iter().enumerate() {
            self.number = number + 1;
            let last = at + 1 == found.len();
            let segment = match Segment::open(path) {
                Ok(segment) => segment,
                // Made and never begun, because its writer died: nothing was in it.
                Err(_) if last && fs::metadata(path).is_ok_and(|facts| facts.len() <= HEADER as u64) => {
                    fs::remove_file(path).map_err(Problem::io("remove", path))?;
                    self.number = *number;
                    continue;
                }
                Err(problem) => return Err(problem),
            };
            self.total += segment.committed();
            if let Some(zone) = segment.blocks().last() {
                self.next_block = zone.number + 1;
            }
            if last {
                let file = OpenOptions::new().read(true).write(true).open(path).map_err(Problem::io("open", path))?;
                file.set_len(segment.committed()).map_err(Problem::io("cut", path))?;
                (self.file, self.path) = (Some(file), path.clone());
                (self.segment, self.length) = (segment.id, segment.committed());
            }
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<()> {
        let path = segment_path(&self.folder, self.number);
        let now = Clock::read();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(Problem::io("create", &path))?;
        // A block names its segment, so that what an earlier file left on the disk is never taken for one of this.
        let id = now.realtime_ns ^ u64::from(std::process::id()) << 48;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        for word in [id, self.number, now.monotonic_ns, now.realtime_ns] {
            header.extend_from_slice(&word.to_le_bytes());
        }
        header.resize(60, 0);
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        if let Err(fault) = file.write_all_at(&header, 0) {
            // One without its header is no segment, and its name must be free for the next try.
            drop(fs::remove_file(&path));
            return Err(Problem::io("write", &path)(fault));
        }
        (self.file, self.path, self.segment) = (Some(file), path, id);
        self.number += 1;
        self.length = HEADER as u64;
        self.total += HEADER as u64;
        Ok(())
    }

    /// Takes an event; writes a block when there are enough.
    ///
    /// # Errors
    /// The block cannot be written; the events stay, and are tried again.
    #[inline]
    pub fn push(&mut self, row: Row) -> Result<()> {
        if self.waiting.is_full() {
            self.set_aside();
        }
        self.waiting.put(&row);
        // Once for each block's worth: a disk that is full is not asked at every event.
        if self.waiting.is_full() { self.flush() } else { Ok(()) }
    }

    /// As `push`, for as many as there is room for in the block, of so many; how many that were.
    ///
    /// # Errors
    /// As for `push`.
    pub(crate) fn fill(&mut self, most: usize, put: impl FnOnce(&mut Room<'_>)) -> Result<usize> {
        if self.waiting.is_full() {
            self.set_aside();
        }
        let mut room = self.waiting.room(most);
        let count = room.time.len();
        put(&mut room);
        if self.waiting.is_full() {
            self.flush()?;
        }
        Ok(count)
    }

    /// Makes room for more than a block's worth, since the disk refused that.
    #[cold]
    #[inline(never)]
    fn set_aside(&mut self) {
        self.refused.push_back(std::mem::take(&mut self.waiting));
    }

    /// How many events wait for their block.
    pub fn pending(&self) -> usize {
        self.refused.len() * MAX_ROWS + self.waiting.len()
    }

    /// Writes what waits, in the order of time.
    ///
    /// # Errors
    /// As for `push`.
    #[inline(never)]
    pub fn flush(&mut self) -> Result<()> {
        while self.pending() > 0 {
            if self.file.is_none() || self.length >= self.most {
                self.file = None;
                self.begin_segment()?;
            }
            let waiting = self.refused.front_mut().unwrap_or(&mut self.waiting);
            waiting.sort();
            let (segment, number) = (self.segment, self.next_block);
            let place = Place { segment, number, strings: self.strings.committed() };
            let length = block::encode_columns(waiting.columns(), place, &mut self.buffer);
            let bytes = length as u64;
            if self.length > HEADER as u64 && self.length + bytes > self.most {
                self.file = None;
                continue;
            }
            let Some(file) = &self.file else { continue };
            own_file::append(file, &self.buffer[..length], self.length)
                .map_err(Problem::io("write a block to", &self.path))?;
            self.length += bytes;
            self.total += bytes;
            self.next_block += 1;
            if self.refused.pop_front().is_none() {
                self.waiting.clear();
            }
        }
        Ok(())
    }

    /// Gives up what waits, because it cannot be written; how many events that were.
    pub fn give_up(&mut self) -> Vec<Row> {
        let last = std::mem::take(&mut self.waiting);
        self.refused.drain(..).chain([last]).flat_map(|waiting| waiting.rows().collect::<Vec<_>>()).collect()
    }

    /// Waits until all that was written is on the disk: strings first, since blocks need them.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.strings.sync()?;
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data().map_err(Problem::io("write out", &self.path)))
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.total
    }

    /// The folder of the box.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Folder;
    use crate::strings::Tag;

    fn row(n: u64) -> Row {
        Row { time: n * 10, kind: 4, sequence: n, arg: u32::try_from(n).unwrap(), ..Row::default() }
    }

    fn all(folder: &Path) -> Vec<u64> {
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        for (_, path) in segments(folder).unwrap() {
            let segment = Segment::open(&path).unwrap();
            for number in 0..segment.blocks().len() {
                found.extend(segment.load(number, &mut buffer).unwrap().unwrap().iter().map(|row| row.sequence));
            }
        }
        found
    }

    #[test]
    fn recording__more_than_a_segment__then_several_files_and_every_event_once() {
        let folder = Folder::new();
        let mut recording = Recording::with_segments_of(folder.path(), 40_000).unwrap();
        for n in 0..50_000 {
            recording.push(row(n)).unwrap();
            if n % 1000 == 0 {
                recording.flush().unwrap();
            }
        }
        recording.flush().unwrap();
        let found = segments(folder.path()).unwrap();
        assert!(found.len() > 3);
        assert!(found.iter().all(|(_, path)| fs::metadata(path).unwrap().len() <= 40_000));
        assert_eq!(all(folder.path()), (0..50_000).collect::<Vec<_>>());
    }

    #[test]
    fn recording__cut_at_any_byte_of_its_last_block__then_goes_on_after_the_whole_ones() {
        let folder = Folder::new();
        let mut recording = Recording::open(folder.path()).unwrap();
        recording.push(row(0)).unwrap();
        recording.flush().unwrap();
        let path = segment_path(folder.path(), 0);
        let first = fs::metadata(&path).unwrap().len();
        recording.push(row(1)).unwrap();
        recording.flush().unwrap();
        drop(recording);
        let whole = fs::read(&path).unwrap();
        let first = usize::try_from(first).unwrap();
        for end in (0..whole.len()).rev().step_by(7) {
            fs::write(&path, &whole[..end]).unwrap();
            let mut recording = Recording::open(folder.path()).unwrap();
            recording.push(row(9)).unwrap();
            recording.flush().unwrap();
            let wanted: &[u64] = if end < first { &[9] } else { &[0, 9] };
            assert_eq!(all(folder.path()), wanted, "cut at {end}");
        }
    }

    #[test]
    fn segment__that_grows__then_polled_for_what_came() {
        let folder = Folder::new();
        let mut recording = Recording::open(folder.path()).unwrap();
        recording.strings.number(Tag::Text, b"a").unwrap();
        recording.push(row(0)).unwrap();
        recording.flush().unwrap();
        let mut segment = Segment::open(&segment_path(folder.path(), 0)).unwrap();
        assert_eq!((segment.poll().unwrap(), segment.blocks().len()), (0, 1));
        recording.push(row(1)).unwrap();
        recording.flush().unwrap();
        recording.push(row(2)).unwrap();
        recording.flush().unwrap();
        assert_eq!((segment.poll().unwrap(), segment.blocks().len()), (2, 3));
        assert!(segment.blocks().all(|zone| zone.strings == recording.strings.committed()));
    }

    #[test]
    fn segment__block_of_another_file_behind_its_end__then_not_taken() {
        let folder = Folder::new();
        let mut recording = Recording::open(folder.path()).unwrap();
        recording.push(row(0)).unwrap();
        recording.flush().unwrap();
        let path = segment_path(folder.path(), 0);
        let mut bytes = fs::read(&path).unwrap();
        block::encode(&[row(7)], Place { segment: 1, number: 1, strings: 0 }, &mut bytes);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(all(folder.path()), [0]);
    }

    #[test]
    fn segment__of_another_version_or_damaged__then_refused_with_its_name() {
        let folder = Folder::new();
        let mut recording = Recording::open(folder.path()).unwrap();
        recording.push(row(0)).unwrap();
        recording.flush().unwrap();
        let path = segment_path(folder.path(), 0);
        let whole = fs::read(&path).unwrap();
        for (at, words) in [(0, "not a segment"), (7, "version"), (20, "damaged")] {
            let mut bytes = whole.clone();
            bytes[at] ^= 2;
            fs::write(&path, &bytes).unwrap();
            let problem = Segment::open(&path).unwrap_err().to_string();
            assert!(problem.contains(words) && problem.contains("seg-000000.tks"), "{problem}");
        }
    }
}
