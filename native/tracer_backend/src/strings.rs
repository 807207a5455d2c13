//! String segments: append-only files of numbered, checksummed strings. A process writes one beside its rings, and a
//! string is in the file before the first record that names it; the drain writes `strings.tkd` in the same format.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dictionary::{NEAR, Reading, read_back};
use crate::numbers::{Numbers, Place, Recognised};
use crate::own_file::OwnFile;
use crate::problem::{Problem, Result};

/// First bytes of a string segment, its version among them.
pub const MAGIC: [u8; 8] = *b"TKDSTR\0\x01";
/// Length, number, tag, checksum in front of each string.
pub const RECORD_HEAD: usize = 16;
/// The longest string; longer ones are cut, at a character.
pub const MAX_STRING: usize = 1 << 16;
/// The most that a process may write.
pub const MAX_SEGMENT: u64 = 64 << 20;

/// Of that, this part is for names alone: a flood of lines must not take the scenarios of the tests behind it.
const NAMES_PART: u64 = 8;

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tag {
    /// Text, each kept once.
    Text = 0,
    /// Fields with values, see `payload`.
    Payload = 1,
    /// A lane: what wrote it, see `payload`.
    Lane = 2,
}

impl Tag {
    /// The tag of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Text, Self::Payload, Self::Lane].into_iter().find(|tag| *tag as u8 == number)
    }
}

/// One string of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number; the first is 1.
    pub number: u32,
    /// What it is.
    pub tag: Tag,
    /// Its bytes.
    pub body: &'a [u8],
}

/// The strings of a segment, up to the first that is not whole.
#[derive(Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    next: u32,
}

/// Reads the strings of a segment from its beginning; nothing when it is none.
pub fn entries(bytes: &[u8]) -> Entries<'_> {
    let good = bytes.starts_with(&MAGIC);
    Entries { bytes: if good { bytes } else { &[] }, at: if good { MAGIC.len() } else { 0 }, next: 1 }
}

/// Reads on, from a length and a number that an earlier reading came to.
pub fn entries_from(bytes: &[u8], next: u32) -> Entries<'_> {
    Entries { bytes, at: 0, next }
}

impl Entries<'_> {
    /// How many bytes are whole so far.
    pub fn committed(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let (head, rest) = rest.split_at_checked(RECORD_HEAD)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = usize::try_from(word(0)).ok().filter(|length| *length <= MAX_STRING)?;
        let body = rest.get(..length)?;
        if word(4) != self.next || word(12) != checksum(&head[..12], body) {
            return None;
        }
        let tag = Tag::from_number(head[8])?;
        let number = self.next;
        self.next = self.next.checked_add(1)?;
        self.at += RECORD_HEAD + length;
        Some(Entry { number, tag, body })
    }
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(body);
    crc.finalize()
}

/// One string as it stands in a segment.
pub fn encode(number: u32, tag: Tag, body: &[u8], out: &mut Vec<u8>) {
    let body = cut(body);
    let start = out.len();
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[tag as u8, 0, 0, 0]);
    let crc = checksum(&out[start..], body);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(body);
}

fn cut(body: &[u8]) -> &[u8] {
    if body.len() <= MAX_STRING {
        return body;
    }
    let mut end = MAX_STRING;
    while end > MAX_STRING - 4 && body[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &body[..end]
}

/// The writer of a segment, and what it has written by its content. Of payloads only fingerprints of the last ones are
/// kept: one that comes again long after gets another number.
#[derive(Debug)]
pub struct Strings {
    path: PathBuf,
    file: Option<OwnFile>,
    length: u64,
    most: u64,
    known: HashMap<(Tag, Arc<[u8]>), u32>,
    recognised: Recognised,
    numbers: Numbers,
    buffer: Vec<u8>,
}

impl Strings {
    /// Strings of a process without a folder; they hold their payloads, since there is nothing to read them back from.
    pub fn in_memory() -> Self {
        Self {
            path: PathBuf::new(),
            file: None,
            length: MAGIC.len() as u64,
            most: MAX_SEGMENT,
            known: HashMap::new(),
            recognised: Recognised::default(),
            numbers: Numbers::default(),
            buffer: Vec::new(),
        }
    }

    /// A new segment.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let what = "create the string segment";
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(Problem::io(what, path))?;
        file.write_all_at(&MAGIC, 0).map_err(Problem::io(what, path))?;
        let file = OwnFile::new(file, path).map_err(Problem::io(what, path))?;
        Ok(Self { path: path.to_path_buf(), file: Some(file), ..Self::in_memory() })
    }

    /// Goes on in a segment that stands there, or begins it. What is not whole at its end is cut off.
    ///
    /// # Errors
    /// The file cannot be read or cut, or is something else.
    pub fn resume(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Self::create(path);
        }
        let file =
            OpenOptions::new().read(true).write(true).open(path).map_err(Problem::io("open the strings", path))?;
        let mut magic = MAGIC;
        let read = file.read_exact_at(&mut magic, 0);
        if read.is_err() || magic != MAGIC {
            return Err(Problem::format("not a string segment of this version", path));
        }
        let mut strings = Self { path: path.to_path_buf(), file: None, ..Self::in_memory() };
        let until = file.metadata().map_err(Problem::io("read the strings", path))?.len();
        let mut reading = Reading::begin();
        reading.on(&file, path, until, |at, entry| {
            let print = strings.print(entry.tag, entry.body);
            strings.keep(entry.tag, entry.body, print, Some(at));
            Ok(())
        })?;
        strings.length = reading.at().max(MAGIC.len() as u64);
        file.set_len(strings.length).map_err(Problem::io("cut", path))?;
        strings.file = Some(OwnFile::new(file, path).map_err(Problem::io("open the strings", path))?);
        Ok(strings)
    }

    /// Sets the most bytes of the file.
    pub fn set_most(&mut self, bytes: u64) {
        self.most = bytes;
    }

    fn print(&self, tag: Tag, body: &[u8]) -> Option<(u64, u64)> {
        (tag == Tag::Payload).then(|| self.recognised.fingerprint(body))
    }

    /// The number of a string from here on; `at` is its place in the file.
    fn keep(&mut self, tag: Tag, body: &[u8], print: Option<(u64, u64)>, at: Option<u64>) -> u32 {
        let number = self.numbers.next();
        if let (Some(_), Some(at)) = (print, at) {
            self.numbers.leave(at);
        } else {
            let body: Arc<[u8]> = Arc::from(body);
            self.numbers.hold(tag, Arc::clone(&body));
            if print.is_none() {
                self.known.entry((tag, body)).or_insert(number);
            }
        }
        if let Some(print) = print {
            self.recognised.add(print, number);
        }
        number
    }

    /// The number of a string; one that was not seen, or long ago, is in the file when this returns.
    ///
    /// # Errors
    /// It cannot be kept: the disk or the budget is full.
    pub fn number(&mut self, tag: Tag, body: &[u8]) -> Result<u32> {
        let body = cut(body);
        if body.is_empty() && tag == Tag::Text {
            return Ok(0);
        }
        let print = self.print(tag, body);
        let known = match print {
            Some(print) => self.recognised.number(print),
            None => self.known.get(&(tag, Arc::from(body))).copied(),
        };
        if let Some(number) = known {
            return Ok(number);
        }
        let number = self.numbers.next();
        self.buffer.clear();
        encode(number, tag, body, &mut self.buffer);
        let most = if tag == Tag::Payload { self.most - self.most / NAMES_PART } else { self.most };
        if number == u32::MAX || self.length + self.buffer.len() as u64 > most {
            return Err(Problem::Dropped(crate::problem::Reason::StringsFull));
        }
        let mut at = None;
        if let Some(file) = &mut self.file {
            file.append(&self.buffer, self.length).map_err(Problem::io("write a string to", &self.path))?;
            at = Some(self.length);
        }
        self.length += self.buffer.len() as u64;
        Ok(self.keep(tag, body, print, at))
    }

    /// Begins with what another process had numbered, so that its numbers keep their meaning after a fork. Texts are
    /// what programs keep numbers of; of the others only the number is taken over.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn inherit(&mut self, parent: &Self) -> Result<()> {
        let mut bytes = Vec::new();
        for place in parent.numbers.all() {
            let (tag, body) = match place {
                Place::Held(Tag::Text, body) => (Tag::Text, &**body),
                Place::Held(tag, _) => (tag, &[][..]),
                Place::At(_) => (Tag::Payload, &[][..]),
            };
            let at = self.file.as_ref().map(|_| self.length + bytes.len() as u64);
            encode(self.numbers.next(), tag, body, &mut bytes);
            let print = self.print(tag, body);
            self.keep(tag, body, print, at);
        }
        if let Some(file) = &mut self.file {
            file.append(&bytes, self.length).map_err(Problem::io("write strings to", &self.path))?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The string of a number; nothing where it cannot be read back.
    pub fn get(&self, number: u32) -> Option<(Tag, Arc<[u8]>)> {
        let at = match self.numbers.place(number)? {
            Place::Held(tag, body) => return Some((tag, Arc::clone(body))),
            Place::At(at) => at,
        };
        let mut bytes = Vec::new();
        self.file.as_ref()?.read(|file| read_back(file, at, number, NEAR, &mut bytes)).ok()?;
        entries_from(&bytes, number).next().map(|entry| (entry.tag, Arc::from(entry.body)))
    }

    /// How many bytes of the file are whole.
    pub fn committed(&self) -> u64 {
        self.length
    }

    /// How many strings there are.
    pub fn count(&self) -> u32 {
        self.numbers.next() - 1
    }

    /// How many of them have their bodies in memory.
    pub fn bodies(&self) -> usize {
        self.numbers.bodies()
    }

    /// Waits until the file is on the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data().map_err(Problem::io("write out", &self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::RECOGNISED;
    use crate::scratch::Folder;

    #[test]
    fn number__the_same_string_again__then_the_same_number_and_one_record() {
        let folder = Folder::new();
        let path = folder.path().join("strings");
        let mut strings = Strings::create(&path).unwrap();
        assert_eq!(strings.number(Tag::Text, b"a").unwrap(), 1);
        assert_eq!(strings.number(Tag::Payload, b"a").unwrap(), 2);
        assert_eq!(strings.number(Tag::Text, b"a").unwrap(), 1);
        assert_eq!(strings.number(Tag::Text, b"").unwrap(), 0);
        let bytes = std::fs::read(&path).unwrap();
        let found: Vec<_> = entries(&bytes).map(|entry| (entry.number, entry.tag, entry.body.to_vec())).collect();
        assert_eq!(found, [(1, Tag::Text, b"a".to_vec()), (2, Tag::Payload, b"a".to_vec())]);
        assert_eq!(strings.committed(), bytes.len() as u64);
    }

    #[test]
    fn entries__cut_at_every_byte__then_only_whole_strings() {
        let mut bytes = MAGIC.to_vec();
        let mut ends = vec![MAGIC.len()];
        for (number, body) in (1..).zip([&b"first"[..], b"", "zw\u{f6}lf".as_bytes()]) {
            encode(number, Tag::Payload, body, &mut bytes);
            ends.push(bytes.len());
        }
        for end in 0..=bytes.len() {
            let mut found = entries(&bytes[..end]);
            let count = found.by_ref().count();
            let whole = ends.iter().filter(|whole| **whole <= end).count();
            assert_eq!(count, whole.saturating_sub(1), "at {end}");
            assert_eq!(found.committed(), if whole == 0 { 0 } else { ends[count] });
        }
    }

    #[test]
    fn entries__any_bit_turned__then_that_string_and_what_follows_are_not_read() {
        let mut bytes = MAGIC.to_vec();
        encode(1, Tag::Text, b"first", &mut bytes);
        let second = bytes.len();
        encode(2, Tag::Text, b"second", &mut bytes);
        for bit in second * 8..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(entries(&damaged).count(), 1, "bit {bit}");
        }
    }

    #[test]
    fn resume__torn_end__then_cut_and_numbers_go_on() {
        let folder = Folder::new();
        let path = folder.path().join("strings");
        Strings::create(&path).unwrap().number(Tag::Text, b"kept").unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn.extend_from_slice(&whole[MAGIC.len()..whole.len() - 1]);
        std::fs::write(&path, &torn).unwrap();
        let mut strings = Strings::resume(&path).unwrap();
        assert_eq!(strings.committed(), whole.len() as u64);
        assert_eq!(strings.number(Tag::Text, b"kept").unwrap(), 1);
        assert_eq!(strings.number(Tag::Text, b"next").unwrap(), 2);
        assert_eq!(entries(&std::fs::read(&path).unwrap()).count(), 2);
    }

    #[test]
    fn number__longer_than_the_limit__then_cut_at_a_character() {
        let mut strings = Strings::in_memory();
        let long = "\u{20ac}".repeat(MAX_STRING);
        let number = strings.number(Tag::Text, long.as_bytes()).unwrap();
        let (_, body) = strings.get(number).unwrap();
        assert!(body.len() <= MAX_STRING && body.len() > MAX_STRING - 3);
        assert!(std::str::from_utf8(&body).is_ok());
        assert_eq!(strings.number(Tag::Text, long.as_bytes()).unwrap(), number);
    }

    #[test]
    fn resume__another_file__then_refused_and_left_alone() {
        let folder = Folder::new();
        let path = folder.path().join("strings");
        std::fs::write(&path, b"something else").unwrap();
        assert!(Strings::resume(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"something else");
    }

    fn line(number: u32) -> Vec<u8> {
        let mut body = Vec::new();
        crate::payload::put(&mut body, "text", format!("line {number}").as_bytes());
        body
    }

    #[test]
    fn number__a_flood_of_payloads__then_no_body_is_held_and_each_is_read_back() {
        const LINES: u32 = 100_000;
        let folder = Folder::new();
        let path = folder.path().join("strings");
        let mut strings = Strings::create(&path).unwrap();
        assert_eq!(strings.number(Tag::Text, b"the logger").unwrap(), 1);
        for number in 0..LINES {
            assert_eq!(strings.number(Tag::Payload, &line(number)).unwrap(), number + 2);
        }
        let check = |strings: &Strings| {
            assert_eq!((strings.count(), strings.bodies()), (LINES + 1, 1));
            assert!(strings.recognised.count() <= 2 * RECOGNISED);
            assert_eq!(strings.get(1).unwrap().1[..], b"the logger"[..]);
            for number in 0..LINES {
                let (tag, body) = strings.get(number + 2).unwrap();
                assert_eq!((tag, &body[..]), (Tag::Payload, &line(number)[..]));
            }
            assert!(strings.get(0).is_none() && strings.get(LINES + 2).is_none());
        };
        check(&strings);
        drop(strings);
        let mut strings = Strings::resume(&path).unwrap();
        check(&strings);
        assert_eq!(strings.number(Tag::Payload, &line(LINES - 1)).unwrap(), LINES + 1, "of the last ones");
        assert_eq!(strings.number(Tag::Payload, &line(0)).unwrap(), LINES + 2, "long ago");
        assert_eq!(strings.number(Tag::Text, b"the logger").unwrap(), 1, "texts for ever");
    }

    #[test]
    fn number__behind_a_flood_that_took_all_its_room__then_names_still_have_theirs_and_that_has_an_end_too() {
        let folder = Folder::new();
        for mut strings in [Strings::create(&folder.path().join("strings")).unwrap(), Strings::in_memory()] {
            strings.set_most(1 << 16);
            let flooded = (0..9_999).find(|number| strings.number(Tag::Payload, &line(*number)).is_err()).unwrap();
            assert!(matches!(strings.number(Tag::Payload, &line(flooded)), Err(Problem::Dropped(_))));
            let name = |number: u32| format!("tests::{number}").into_bytes();
            let named = (0..9_999).find(|number| strings.number(Tag::Text, &name(*number)).is_err()).unwrap();
            assert!(named > 200, "{named} of {flooded}");
            assert!(strings.committed() <= 1 << 16);
        }
    }

    #[test]
    fn number__a_payload_that_comes_again_and_again_within_a_flood__then_one_number() {
        let folder = Folder::new();
        let mut strings = Strings::create(&folder.path().join("strings")).unwrap();
        let often = strings.number(Tag::Payload, b"often").unwrap();
        for number in 0..100_000 {
            strings.number(Tag::Payload, &line(number)).unwrap();
            if number % 5000 == 0 {
                assert_eq!(strings.number(Tag::Payload, b"often").unwrap(), often);
            }
        }
    }

    #[test]
    fn get__payloads_of_every_length__then_whole() {
        let folder = Folder::new();
        let mut strings = Strings::create(&folder.path().join("strings")).unwrap();
        for length in [0, 1, NEAR - RECORD_HEAD, NEAR - RECORD_HEAD + 1, NEAR, MAX_STRING - 1, MAX_STRING] {
            let number = strings.number(Tag::Payload, &vec![b'x'; length]).unwrap();
            assert_eq!(strings.get(number).unwrap().1.len(), length);
        }
        assert_eq!(strings.bodies(), 0);
    }

    #[test]
    fn get__of_a_process_without_a_folder__then_its_payloads_too() {
        let mut strings = Strings::in_memory();
        for number in 0..40_000 {
            assert_eq!(strings.number(Tag::Payload, &line(number)).unwrap(), number + 1);
        }
        assert!((0..40_000).all(|number| strings.get(number + 1).unwrap().1[..] == line(number)[..]));
    }

    #[test]
    fn inherit__after_a_flood__then_texts_and_every_number_and_no_payload() {
        let folder = Folder::new();
        let mut parent = Strings::create(&folder.path().join("parent")).unwrap();
        for number in 0..1000 {
            parent.number(Tag::Payload, &line(number)).unwrap();
        }
        let text = parent.number(Tag::Text, b"a text").unwrap();
        let path = folder.path().join("child");
        let mut child = Strings::create(&path).unwrap();
        child.inherit(&parent).unwrap();
        assert_eq!((child.count(), child.bodies()), (1001, 1));
        assert_eq!(child.number(Tag::Text, b"a text").unwrap(), text);
        assert_eq!(child.get(7).unwrap(), (Tag::Payload, Arc::from(&[][..])));
        assert_eq!(child.number(Tag::Payload, &line(3)).unwrap(), 1002);
        assert_eq!(child.get(1002).unwrap().1[..], line(3)[..]);
        assert_eq!(entries(&std::fs::read(&path).unwrap()).count(), 1002);
    }
}
