//! What can go wrong, as data: what, where, and why. Recording never fails a test, so most of these become counted
//! reasons; a caller that set something up is told.

use std::path::{Path, PathBuf};
use std::{error, fmt, io};

/// Why something could not be recorded. The numbers stand in the process page, so they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Reason {
    /// The rings of this process have all the memory that they may have.
    ProcessBudget = 0,
    /// The rings of this run have.
    RunBudget = 1,
    /// The disk is full.
    DiskFull = 2,
    /// The folder of the rings cannot be written.
    Unwritable = 3,
    /// The thread was ending, and its ring was closed.
    ThreadEnded = 4,
    /// The registry was closed.
    Closed = 5,
    /// A string could not be kept, and is shown as unknown.
    StringsFull = 6,
    /// The ring was overwritten before it was read.
    Overwritten = 7,
    /// A slot of a ring held what no writer writes.
    Damaged = 8,
    /// The trace of the run has all the disk that it may have.
    Quota = 9,
    /// The stack was too deep for one more frame of the tracer: counted once for each descent that it stood aside of.
    Deep = 10,
}

/// How many reasons there are.
pub const REASONS: usize = 11;

impl Reason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; REASONS] = [
        Self::ProcessBudget,
        Self::RunBudget,
        Self::DiskFull,
        Self::Unwritable,
        Self::ThreadEnded,
        Self::Closed,
        Self::StringsFull,
        Self::Overwritten,
        Self::Damaged,
        Self::Quota,
        Self::Deep,
    ];

    /// The reason in the words of a `gap`.
    pub fn words(self) -> &'static str {
        match self {
            Self::ProcessBudget => "no room for another ring in this process",
            Self::RunBudget => "no room for another ring in this run",
            Self::DiskFull => "disk full",
            Self::Unwritable => "folder of the rings not writable",
            Self::ThreadEnded => "thread was ending",
            Self::Closed => "tracer was shut down",
            Self::StringsFull => "no room for another string",
            Self::Overwritten => "ring overwritten before it was read",
            Self::Damaged => "ring damaged",
            Self::Quota => "trace of the run reached its limit",
            Self::Deep => "descents too deep in the stack",
        }
    }
}

/// A fault with its place.
#[derive(Debug)]
pub enum Problem {
    /// The system refused something.
    Io {
        /// What was tried, as the end of "failed to …".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// Bytes that are not what their name says.
    Format {
        /// What is wrong with them.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// The writer was of another version.
    Version {
        /// What it wrote.
        found: u32,
        /// What this reader reads.
        known: u32,
        /// Where.
        path: PathBuf,
    },
    /// Something could not be recorded, and was counted.
    Dropped(Reason),
}

impl Problem {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| Self::Io { what, path, cause }
    }

    pub(crate) fn format(what: &'static str, path: &Path) -> Self {
        Self::Format { what, path: path.to_path_buf() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, path, cause } => write!(out, "failed to {what} {}: {cause}", path.display()),
            Self::Format { what, path } => write!(out, "{}: {what}", path.display()),
            Self::Version { found, known, path } => {
                write!(out, "{}: version {found}, this program reads {known}", path.display())
            }
            Self::Dropped(reason) => write!(out, "not recorded: {}", reason.words()),
        }
    }
}

impl error::Error for Problem {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

/// What fails with a `Problem`.
pub type Result<T> = std::result::Result<T, Problem>;
