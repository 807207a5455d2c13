//! Where a process keeps its rings: a folder named by pid and start, with a page of counts, the string segment, and a
//! file for each ring. Everything in it is found by name, by whoever comes after the process.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::thread;
use std::time::Duration;

use crate::header::{
    BOOT, DROPS, FORMAT, HEADER_BYTES, MAGIC, OVER, PID, PROCESS_MAGIC, RINGS, SCENARIO, START, TRACEPARENT, TSC,
    VERSION, write_anchor, write_text,
};
use crate::kind::Home;
use crate::lanes::Identity;
use crate::mapping::Mapping;
use crate::problem::{Problem, REASONS, Reason, Result};
use crate::system;

/// What the system counts a file's room in.
const BLOCK: u64 = 512;
/// Where the process begins in the word that counts its folders.
const PID_SHIFT: u32 = 32;
/// Folders that are there already, of somebody who had this number before, are passed over so many times.
const MOST_TRIES: usize = 1 << 16;
const LOCK: &str = "lock";
/// Who holds the lock makes one ring, which takes less than the first few of these.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(1);
const PAGE: &str = "process";
const STRINGS: &str = "strings";

/// The folder of a process.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// A new folder; a process that records into one place through several registries has one for each. No name comes
    /// twice: a drain that knows the one before would take its lanes for those.
    pub(crate) fn make(root: &Path, identity: &Identity) -> Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        if !root.is_dir() {
            builder.recursive(true).create(root).map_err(Problem::io("make", root))?;
            builder.recursive(false);
        }
        let name = identity.process.folder();
        for number in numbers(identity.process.pid).take(MOST_TRIES) {
            let folder = root.join(if number == 0 { name.clone() } else { format!("{name}-{number}") });
            match builder.create(&folder) {
                Ok(()) => return Ok(Self { root: root.to_path_buf(), folder }),
                Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(Problem::io("make", &folder)(cause)),
            }
        }
        Err(Problem::format("too many registries in one process", root))
    }

    pub(crate) fn strings(&self) -> PathBuf {
        self.folder.join(STRINGS)
    }

    /// Named by the thread; by the ring as well where a ring of that thread's number is still there.
    pub(crate) fn ring(&self, tid: u64, home: Home, serial: u64) -> PathBuf {
        let kind = if home == Home::Calls { "calls" } else { "durable" };
        let path = self.folder.join(format!("{tid}.{kind}"));
        if path.exists() { self.folder.join(format!("{tid}-{serial}.{kind}")) } else { path }
    }

    /// Held while the room of the run is looked at and taken; without it the limit is only less exact, so that a process
    /// that was stopped while it held it is not waited for.
    pub(crate) fn lock(&self) -> Option<File> {
        let path = self.root.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).ok()?;
        for _ in 0..LOCK_TRIES {
            // SAFETY: the descriptor is open; the lock goes with it.
            if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return Some(file);
            }
            thread::sleep(LOCK_PAUSE);
        }
        None
    }
}

/// Numbers for the folders of this process, from 0 on, each once; a child of a fork begins anew. No lock, which a fork
/// might find held.
fn numbers(pid: u64) -> impl Iterator<Item = u64> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let own = pid << PID_SHIFT;
    std::iter::repeat_with(move || {
        let step = |last: u64| Some(if last >> PID_SHIFT == pid { last + 1 } else { own });
        NEXT.fetch_update(Relaxed, Relaxed, step).map_or(0, |last| step(last).unwrap_or(own)) - own
    })
}

/// Bytes of all rings below a folder, those of one process left out, who knows its own.
pub(crate) fn used(root: &Path, except: &Path) -> u64 {
    let folders = fs::read_dir(root).into_iter().flatten().flatten().map(|folder| folder.path());
    let others = folders.filter(|folder| folder != except);
    let files = others.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let facts = files.filter(|file| is_ring(&file.path())).filter_map(|file| file.metadata().ok());
    // What a ring has given back is no longer its own.
    facts.map(|facts| facts.len().min(facts.blocks() * BLOCK)).sum()
}

/// Whether a file is a ring, by its name.
pub(crate) fn is_ring(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "calls" || extension == "durable")
}

/// The page of a process: who it is, and what it could not record.
#[derive(Debug)]
pub(crate) struct Page(Mapping);

impl Page {
    pub(crate) fn new(place: Option<&Place>, identity: &Identity) -> Result<Self> {
        let fill = |mapping: &Mapping| {
            let words = mapping.words();
            let facts = [
                (FORMAT, u64::from(VERSION)),
                (PID, identity.process.pid),
                (START, identity.process.start),
                (TSC, u64::from(identity.tsc)),
            ];
            for (at, value) in facts {
                words[at].store(value, Relaxed);
            }
            write_anchor(words, &identity.anchor);
            write_text(&words[TRACEPARENT..], &identity.traceparent);
            write_text(&words[BOOT..], &system::boot());
            words[MAGIC].store(PROCESS_MAGIC, Release);
        };
        let Some(place) = place else {
            let mapping = Mapping::anonymous(HEADER_BYTES).map_err(Problem::io("map", Path::new("memory")))?;
            fill(&mapping);
            return Ok(Self(mapping));
        };
        let path = page_of(&place.folder);
        Mapping::new_file(&path, HEADER_BYTES, fill).map(Self).map_err(Problem::io("make", &path))
    }

    pub(crate) fn count(&self, reason: Reason) {
        self.count_many(reason, 1);
    }

    pub(crate) fn count_many(&self, reason: Reason, many: u64) {
        self.0.words()[DROPS + reason as usize].fetch_add(many, Relaxed);
    }

    pub(crate) fn set_scenario(&self, scenario: u32) {
        self.0.words()[SCENARIO].store(scenario.into(), Relaxed);
    }

    /// So many files of rings more have their names.
    pub(crate) fn made_rings(&self, many: u64) {
        self.0.words()[RINGS].fetch_add(many, Release);
    }

    /// This recorder is over: nothing of it is written any more, though its process may go on.
    pub(crate) fn over(&self) {
        self.0.words()[OVER].store(1, Release);
    }

    pub(crate) fn counts(&self) -> [u64; REASONS] {
        std::array::from_fn(|reason| self.0.words()[DROPS + reason].load(Relaxed))
    }
}

/// The page in the folder of a process.
pub(crate) fn page_of(folder: &Path) -> PathBuf {
    folder.join(PAGE)
}

/// The string segment in the folder of a process.
pub(crate) fn strings_of(folder: &Path) -> PathBuf {
    folder.join(STRINGS)
}
