//! Memory that outlives its process because it is a file, or that is nobody else's. The one place with mmap.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::{io, ptr, slice};

/// Mapped, zeroed, writable memory; unmapped at the end.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: ptr::NonNull<AtomicU64>,
    bytes: usize,
}

// SAFETY: all that can be had of the memory are atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Memory without a file.
    pub(crate) fn anonymous(bytes: usize) -> io::Result<Self> {
        Self::map(bytes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    /// A new file of that length, every block of it allocated: a mapping over a hole would kill the writer with SIGBUS
    /// once the disk is full. `fill` writes what a finder may rely on; only then the file gets its name.
    pub(crate) fn new_file(path: &Path, bytes: usize, fill: impl FnOnce(&Self)) -> io::Result<Self> {
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(".new");
        let made = Self::allocated(Path::new(&hidden), bytes).and_then(|mapping| {
            fill(&mapping);
            rename_new(Path::new(&hidden), path)?;
            Ok(mapping)
        });
        if made.is_err() {
            drop(fs::remove_file(&hidden));
        }
        made
    }

    fn allocated(path: &Path, bytes: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        allocate(&file, bytes)?;
        if cfg!(target_os = "linux") {
            fill(&file, bytes)?;
        }
        Self::map(bytes, libc::MAP_SHARED | POPULATE, file.as_raw_fd())
    }

    fn map(bytes: usize, flags: libc::c_int, file: libc::c_int) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the system's choice; nothing that exists is touched.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, file, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = ptr::NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, bytes })
    }

    /// The memory as words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is that long, aligned to a page, zeroed at first, and lives as long as `self`. Other
        // processes write only whole aligned words to it, which is what atomics are for.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes / size_of::<AtomicU64>()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this length, and nobody has a reference into it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// So much of a file is filled at a time.
const LARGE: usize = 1 << 17;

#[cfg(target_os = "linux")]
const POPULATE: libc::c_int = libc::MAP_POPULATE;
#[cfg(not(target_os = "linux"))]
const POPULATE: libc::c_int = 0;

#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: usize) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open for writing as long as `file` lives.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(()),
        libc::EOPNOTSUPP | libc::EINVAL => fill(file, bytes),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, bytes: usize) -> io::Result<()> {
    fill(file, bytes)
}

/// Gives the blocks of a file from this byte on back; the file stays as long as it is, and reads as zeroes there.
#[cfg(target_os = "linux")]
pub(crate) fn give_back(path: &Path, from: usize, bytes: usize) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let narrow = |number: usize| libc::off_t::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
    let how = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the descriptor is open for writing as long as `file` lives.
    match unsafe { libc::fallocate(file.as_raw_fd(), how, narrow(from)?, narrow(bytes)?) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Not here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_back(_path: &Path, _from: usize, _bytes: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Allocates the blocks anew that were given back: only then somebody may write there.
pub(crate) fn take_back(path: &Path, bytes: usize) -> io::Result<()> {
    allocate(&OpenOptions::new().write(true).open(path)?, bytes)
}

/// Zeroes, in large pieces: a file system that can holds each in one piece of memory, which is faster to read than as
/// many single pages. For file systems that cannot allocate they take the blocks, too. The heap of the program that is
/// recorded has no part in it.
fn fill(file: &File, bytes: usize) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let memory = Mapping::anonymous(LARGE)?;
    // SAFETY: the mapping is that long, zeroed, lives to the end of this, and nobody else has it.
    let zeroes = unsafe { slice::from_raw_parts(memory.start.as_ptr().cast::<u8>(), memory.bytes) };
    let mut done = 0;
    while done < bytes {
        let piece = zeroes.len().min(bytes - done);
        file.write_all_at(&zeroes[..piece], done as u64)?;
        done += piece;
    }
    Ok(())
}

/// Gives a file its name unless the name is taken, in one step.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let (from_c, to_c) = (c_path(from)?, c_path(to)?);
    // SAFETY: both are strings that end with NUL.
    if unsafe { libc::link(from_c.as_ptr(), to_c.as_ptr()) } == 0 {
        return fs::remove_file(from);
    }
    let refused = io::Error::last_os_error();
    if refused.kind() == io::ErrorKind::AlreadyExists {
        return Err(refused);
    }
    fs::rename(from, to) // a file system without links
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn new_file__made__then_filled_before_it_has_its_name_and_never_sparse() {
        use std::os::unix::fs::MetadataExt;
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("ring");
        let mapping = Mapping::new_file(&path, 1 << 16, |mapping| {
            assert!(!path.exists());
            mapping.words()[3].store(7, Relaxed);
        })
        .unwrap();
        let facts = fs::metadata(&path).unwrap();
        assert_eq!((facts.len(), facts.mode() & 0o777), (1 << 16, 0o600));
        assert!(facts.blocks() * 512 >= 1 << 16);
        mapping.words()[4].store(8, Relaxed);
        let bytes = fs::read(&path).unwrap();
        assert_eq!((bytes[24], bytes[32]), (7, 8));
    }

    #[test]
    fn new_file__of_more_than_a_piece__then_as_long_as_asked_for_and_zeroes_to_the_end() {
        let folder = crate::scratch::Folder::new();
        for (number, bytes) in [4096, LARGE, 2 * LARGE + 4096].into_iter().enumerate() {
            let path = folder.path().join(number.to_string());
            let mapping = Mapping::new_file(&path, bytes, |_| ()).unwrap();
            assert!(mapping.words().iter().all(|word| word.load(Relaxed) == 0));
            assert_eq!(fs::read(&path).unwrap(), vec![0; bytes]);
        }
    }

    #[test]
    fn new_file__name_taken__then_refused_and_nothing_left() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("ring");
        fs::write(&path, b"mine").unwrap();
        assert!(Mapping::new_file(&path, 4096, |_| ()).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    #[test]
    fn give_back__the_end_of_a_file__then_as_long_as_before_and_whole_again_when_taken_back() {
        use std::os::unix::fs::MetadataExt;
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("ring");
        let mapping = Mapping::new_file(&path, 1 << 16, |mapping| mapping.words()[3].store(7, Relaxed)).unwrap();
        let Ok(()) = give_back(&path, 8192, (1 << 16) - 8192) else { return }; // a file system without holes
        let facts = fs::metadata(&path).unwrap();
        assert_eq!(facts.len(), 1 << 16);
        assert!(facts.blocks() * 512 < 1 << 16);
        take_back(&path, 1 << 16).unwrap();
        assert!(fs::metadata(&path).unwrap().blocks() * 512 >= 1 << 16);
        mapping.words()[8000].store(9, Relaxed);
        let bytes = fs::read(&path).unwrap();
        assert_eq!((bytes[24], bytes[64_000]), (7, 9));
    }
}
