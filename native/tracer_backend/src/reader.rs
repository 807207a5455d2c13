//! Rings from outside: found by name, checked before they are believed, and read with pread, since a mapping of a file
//! that somebody cuts short would kill the reader.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

use crate::header::{
    BASE, CAPACITY, DRAINED, FORMAT, GENERATION, HEAD, HEADER_BYTES, Header, LATER, MAGIC, OVER, PROCESS_MAGIC,
    RING_MAGIC, STATE, VERSION, Writer,
};
use crate::kind::Home;
use crate::place::{is_ring, page_of, strings_of};
use crate::problem::{Problem, Result};
use crate::ring::{Copied, Looked, SLOT_BYTES, Source, look};
use crate::system::ProcessId;

/// The largest ring that is believed.
const MAX_SLOTS: u64 = 1 << 26;

/// A ring file.
#[derive(Debug)]
pub struct RingFile {
    path: PathBuf,
    /// Nothing where it is opened anew for each look.
    file: Option<File>,
    writable: bool,
    header: Header,
    inode: u64,
}

/// What was read of a ring in one go.
#[derive(Debug)]
pub struct Batch {
    /// Who wrote it.
    pub writer: Writer,
    /// Where it lies in the lane, and what is missing.
    pub looked: Looked,
    /// Whether the writer said that nothing follows.
    pub closed: bool,
    /// Whether another thread said so for it: a record that the writer had begun may still follow while it lives.
    pub shut: bool,
}

impl RingFile {
    /// Opens a ring file that is what its name says.
    ///
    /// # Errors
    /// It cannot be read, is cut short, or was written by another version.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, writable) = open(path).map_err(Problem::io("open", path))?;
        let facts = file.metadata().map_err(Problem::io("look at", path))?;
        let header = read_header(&file, path, RING_MAGIC, "not a ring")?;
        let slots = header.word(CAPACITY);
        let fits = slots.is_power_of_two() && (8..=MAX_SLOTS).contains(&slots);
        if !fits || facts.len() < HEADER_BYTES as u64 + slots * SLOT_BYTES as u64 {
            return Err(Problem::format("a ring that is cut short", path));
        }
        Ok(Self { path: path.to_path_buf(), file: Some(file), writable, header, inode: facts.ino() })
    }

    /// From here on it is opened anew for each look: a reader of very many rings has not so many descriptors.
    pub fn close(&mut self) {
        self.file = None;
    }

    /// Its file, open: the one that was opened first, by its inode.
    fn opened(&self) -> io::Result<Opened<'_>> {
        let file = match &self.file {
            Some(file) => Lent::Kept(file),
            None => Lent::Anew(open(&self.path)?.0),
        };
        if matches!(&file, Lent::Anew(file) if file.metadata()?.ino() != self.inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Opened { file, capacity: self.header.word(CAPACITY) })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells rings apart, whatever they are called.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Which ring it is.
    pub fn home(&self) -> Home {
        self.header.home()
    }

    /// The header as it was when the file was opened.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many slots it has.
    pub fn capacity(&self) -> u64 {
        self.header.word(CAPACITY)
    }

    /// Reads on from a sequence. `dead` says that nobody writes any more. Nothing comes back while the ring changes
    /// hands; the next time it has.
    ///
    /// # Errors
    /// The file cannot be read, or was cut short.
    pub fn read(&self, from: u64, most: usize, dead: bool, out: &mut Vec<Copied>) -> Result<Option<Batch>> {
        let wrong = || Problem::io("read", &self.path);
        let file = self.opened().map_err(wrong())?;
        let before = file.changing().map_err(wrong())?;
        let Some(writer) = before.writer() else { return Ok(None) };
        let start = out.len();
        let looked = look(&file, from.max(writer.base), most, dead, out).map_err(wrong())?;
        fence(Ordering::SeqCst);
        let after = file.changing().map_err(wrong())?;
        if after.word(GENERATION) != before.word(GENERATION) {
            out.truncate(start);
            return Ok(None);
        }
        // What came before the state that was read first is all that this writer wrote.
        let state = before.word(STATE);
        let closed = state != crate::header::OPEN && before.word(BASE) == writer.base;
        Ok(Some(Batch { writer, looked, closed, shut: closed && state == crate::header::SHUT }))
    }

    /// Tells the writer's process that everything before this sequence is safe, and leaves a later moment of both
    /// clocks for whoever reads the ring after the machine was started anew.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn drained(&self, next: u64, ticks: u64, ns: u64) -> Result<()> {
        if !self.writable {
            return Ok(());
        }
        let mut later = [0; 16];
        later[..8].copy_from_slice(&ticks.to_ne_bytes());
        later[8..].copy_from_slice(&ns.to_ne_bytes());
        let mark = |file: &File| {
            file.write_all_at(&later, (LATER * 8) as u64)?;
            file.write_all_at(&next.to_ne_bytes(), (DRAINED * 8) as u64)
        };
        self.opened().and_then(|file| mark(file.file.get())).map_err(Problem::io("mark", &self.path))
    }
}

/// The file, and whether it may be written to.
fn open(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok((file, true)),
        Err(_) => File::open(path).map(|file| (file, false)),
    }
}

/// A file that is kept open, or was opened for one look.
enum Lent<'a> {
    Kept(&'a File),
    Anew(File),
}

impl Lent<'_> {
    fn get(&self) -> &File {
        match self {
            Self::Kept(file) => file,
            Self::Anew(file) => file,
        }
    }
}

/// A ring file while it is looked at.
struct Opened<'a> {
    file: Lent<'a>,
    capacity: u64,
}

impl Opened<'_> {
    fn changing(&self) -> io::Result<Header> {
        let mut bytes = [0; HEADER_BYTES];
        self.file.get().read_exact_at(&mut bytes, 0)?;
        Header::from_bytes(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn word(&self, at: usize) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.get().read_exact_at(&mut bytes, (at * 8) as u64)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

fn read_header(file: &File, path: &Path, magic: u64, what: &'static str) -> Result<Header> {
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact_at(&mut bytes, 0).map_err(|_| Problem::format("a header that is cut short", path))?;
    let header = Header::from_bytes(&bytes).ok_or_else(|| Problem::format(what, path))?;
    if header.word(MAGIC) != magic {
        return Err(Problem::format(what, path));
    }
    let found = u32::try_from(header.word(FORMAT)).unwrap_or(u32::MAX);
    if found != VERSION {
        return Err(Problem::Version { found, known: VERSION, path: path.to_path_buf() });
    }
    Ok(header)
}

impl Source for Opened<'_> {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn head(&self) -> io::Result<u64> {
        // Two readings, the larger is believed: a copy by the kernel need not be one access to all eight bytes, and a
        // head that reads too low would let a slot pass that was being overwritten.
        let first = self.word(HEAD)?;
        fence(Ordering::SeqCst);
        Ok(first.max(self.word(HEAD)?))
    }

    fn copy(&self, first: u64, out: &mut [Copied]) -> io::Result<()> {
        let at = HEADER_BYTES as u64 + (first & (self.capacity() - 1)) * SLOT_BYTES as u64;
        // SAFETY: these are the bytes of the slots, which are words in the order of this machine, whatever they hold.
        let bytes = unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<u8>(), size_of_val(out)) };
        self.file.get().read_exact_at(bytes, at)
    }

    /// Straight into room that nobody has written to: zeroes that are written over at once cost a drain more than a CRC does.
    fn append(&self, first: u64, count: usize, out: &mut Vec<Copied>) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        out.reserve(count);
        let room = out.spare_capacity_mut();
        let (start, whole) = (room.as_mut_ptr().cast::<u8>(), count * SLOT_BYTES);
        let at = HEADER_BYTES as u64 + (first & (self.capacity() - 1)) * SLOT_BYTES as u64;
        let mut done = 0;
        while done < whole {
            let from = libc::off_t::try_from(at + done as u64).map_err(|_| io::ErrorKind::InvalidInput)?;
            // SAFETY: `done` is less than `whole`, and so many bytes are free behind the length of `out`.
            let read = unsafe { libc::pread(self.file.get().as_raw_fd(), start.add(done).cast(), whole - done, from) };
            match usize::try_from(read) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => done += more,
                Err(_) => {
                    let fault = io::Error::last_os_error();
                    if fault.kind() != io::ErrorKind::Interrupted {
                        return Err(fault);
                    }
                }
            }
        }
        // SAFETY: so many slots behind the length were filled just now; any bytes are slots.
        unsafe { out.set_len(out.len() + count) };
        Ok(())
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// The folder of a process, as it is found from outside.
#[derive(Debug)]
pub struct ProcessFolder {
    /// Where it lies.
    pub path: PathBuf,
    /// Whose it is.
    pub process: ProcessId,
}

impl ProcessFolder {
    /// Every folder of a process below a folder of rings, in the order of their names.
    ///
    /// # Errors
    /// The folder cannot be listed; one that is not there holds none.
    pub fn all(rings: &Path) -> Result<Vec<Self>> {
        let entries = match fs::read_dir(rings) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Problem::io("list", rings))?,
        };
        let mut found: Vec<Self> = entries
            .flatten()
            .filter_map(|entry| {
                let process = ProcessId::from_folder(entry.file_name().to_str()?)?;
                Some(Self { path: entry.path(), process })
            })
            .collect();
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Its page: who it is, and counts of what it could not record.
    ///
    /// # Errors
    /// It is not there, cut short, or of another version.
    pub fn page(&self) -> Result<Header> {
        let path = page_of(&self.path);
        let file = File::open(&path).map_err(Problem::io("open", &path))?;
        read_header(&file, &path, PROCESS_MAGIC, "not the page of a process")
    }

    /// Whether somebody can still write here: its process lives, and this recorder of it is not over.
    pub fn alive(&self) -> bool {
        self.process.alive() && !self.page().is_ok_and(|page| page.word(OVER) == 1)
    }

    /// Its string segment.
    pub fn strings(&self) -> PathBuf {
        strings_of(&self.path)
    }

    /// Its rings, in the order of their names.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn rings(&self) -> Result<Vec<PathBuf>> {
        Ok(self.ring_files()?.into_iter().map(|(path, _)| path).collect())
    }

    /// Its rings with their inodes, which tell them apart whatever they are called.
    pub(crate) fn ring_files(&self) -> Result<Vec<(PathBuf, u64)>> {
        let entries = fs::read_dir(&self.path).map_err(Problem::io("list", &self.path))?;
        let mut found: Vec<(PathBuf, u64)> =
            entries.flatten().map(|entry| (entry.path(), entry.ino())).filter(|(path, _)| is_ring(path)).collect();
        found.sort();
        Ok(found)
    }
}
