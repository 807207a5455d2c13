//! A file that stays ours: programs that are recorded close descriptors that they never opened, and what they open next
//! gets our number. So it lies up high, and is held against what it was before anything is written through it.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Out of the way of programs that close the first few dozen.
const HIGH: libc::c_int = 700;

/// An open file that knows which one it is.
#[derive(Debug)]
pub(crate) struct OwnFile {
    file: ManuallyDrop<File>,
    path: PathBuf,
    is: (u64, u64),
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let facts = file.metadata()?;
    Ok((facts.dev(), facts.ino()))
}

fn high(file: File) -> File {
    // SAFETY: the descriptor is open; the new one is owned by what is made of it.
    let moved = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, HIGH) };
    if moved < 0 {
        return file; // not allowed here: it stays where it is
    }
    // SAFETY: just made, and nobody else's.
    unsafe { File::from_raw_fd(moved) }
}

/// Writes all of it at the end of a file, or nothing.
pub(crate) fn append(file: &File, bytes: &[u8], end: u64) -> io::Result<()> {
    file.write_all_at(bytes, end).inspect_err(|_| {
        // A disk that refuses this too leaves a part that is overwritten by the next one.
        drop(file.set_len(end));
    })
}

impl OwnFile {
    pub(crate) fn new(file: File, path: &Path) -> io::Result<Self> {
        let is = identity(&file)?;
        Ok(Self { file: ManuallyDrop::new(high(file)), path: path.to_path_buf(), is })
    }

    fn ours(&self) -> bool {
        identity(&self.file).is_ok_and(|found| found == self.is)
    }

    /// Appends at what is its end, through the descriptor, or through the path again where somebody took that. A part
    /// that a full disk let through is taken back: what is there is whole, even if nothing comes behind it.
    pub(crate) fn append(&mut self, bytes: &[u8], end: u64) -> io::Result<()> {
        if !self.ours() {
            let again = OpenOptions::new().read(true).write(true).open(&self.path)?;
            if identity(&again)? != self.is {
                return Err(io::ErrorKind::NotFound.into());
            }
            // The old number is somebody else's now: it is not closed.
            self.file = ManuallyDrop::new(high(again));
        }
        append(&self.file, bytes, end)
    }

    /// Reads through the descriptor, or through the path where somebody took that.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if self.ours() {
            return read(&self.file);
        }
        let again = File::open(&self.path)?;
        if identity(&again)? == self.is { read(&again) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if self.ours() {
            // SAFETY: dropped here, once, and never used again.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Folder;

    #[test]
    fn file__whose_descriptor_was_taken__then_written_by_its_path_and_nobody_elses_is_touched() {
        let scratch = Folder::new();
        let (path, other) = (scratch.path().join("own"), scratch.path().join("other"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        let mut own = OwnFile::new(file, &path).unwrap();
        own.append(b"one", 0).unwrap();
        std::fs::write(&other, b"theirs").unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(&other).unwrap();
        // SAFETY: what a program does that closes everything and opens a file.
        unsafe { libc::dup2(theirs.as_raw_fd(), own.file.as_raw_fd()) };
        own.append(b"two", 3).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
        // SAFETY: as above, the new one.
        unsafe { libc::dup2(theirs.as_raw_fd(), own.file.as_raw_fd()) };
        let mut found = [0; 6];
        own.read(|file| file.read_exact_at(&mut found, 0)).unwrap();
        assert_eq!(&found, b"onetwo");
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
    }
}
