//! Memory shared between threads and processes as 64-bit atomic words: the metrics file and its live twin.
//!
//! Everything is a word, so that no reader can see half a value. Words are in host order (this runs on little-endian
//! machines; a reader elsewhere finds the magic reversed and refuses).
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::allocate;

use memmap2::{MmapMut, MmapOptions, MmapRaw};

const WORD_BYTES: usize = size_of::<u64>();

/// A writable mapping, zeroed when made, that lives as long as this value.
///
/// It cannot be resized. As with any mapped file, another process that truncates the file kills this one by SIGBUS.
#[derive(Debug)]
pub struct SharedWords {
    map: MmapRaw,
}

impl SharedWords {
    /// Makes a new file of `words` words, really allocated (a full disk is an error here, not a SIGBUS later), and maps
    /// it. Cold: makes several system calls.
    ///
    /// # Errors
    /// The system's: `AlreadyExists`, no space, no permission.
    pub fn create(path: &Path, words: usize) -> io::Result<SharedWords> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path)?;
        allocate(&file, (words * WORD_BYTES) as u64)?;
        let map = MmapOptions::new().len(words * WORD_BYTES).map_raw(&file)?;
        Ok(SharedWords { map })
    }

    /// Maps `words` words that belong to no file: threads of this process share them, and storing into them never
    /// meets the write-back of a file system.
    ///
    /// # Errors
    /// The system's, when memory is short.
    pub fn anonymous(words: usize) -> io::Result<SharedWords> {
        let map: MmapMut = MmapOptions::new().len(words * WORD_BYTES).populate().map_anon()?;
        Ok(SharedWords { map: MmapRaw::from(map) })
    }

    /// Maps an existing file for reading; a last partial word is left out.
    ///
    /// # Errors
    /// The system's, and `InvalidData` for a file without one whole word or that is no plain file.
    pub fn open_readonly(path: &Path) -> io::Result<ReadOnlyWords> {
        let file = File::open(path)?;
        let facts = file.metadata()?;
        let words = usize::try_from(facts.len()).unwrap_or(usize::MAX) / WORD_BYTES;
        if words == 0 || !facts.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a file of at least 8 bytes"));
        }
        let map = MmapOptions::new().len(words * WORD_BYTES).map_raw_read_only(&file)?;
        Ok(ReadOnlyWords { map, identity: FileIdentity { device: facts.dev(), inode: facts.ino() } })
    }

    /// All words.
    pub fn words(&self) -> &[AtomicU64] {
        words_of(&self.map)
    }

    /// `N` words from index `first`, kept mapped by the block; `None` when they are not all inside.
    pub fn block<const N: usize>(self: &Arc<Self>, first: usize) -> Option<SharedBlock<N>> {
        let cells: &[AtomicU64; N] = self.words().get(first..first.checked_add(N)?)?.try_into().ok()?;
        Some(SharedBlock { cells: NonNull::from(cells), _map: Arc::clone(self) })
    }
}

/// A fixed number of words of a [`SharedWords`]: an index below `N` known to the compiler costs no check.
#[derive(Clone, Debug)]
pub struct SharedBlock<const N: usize> {
    cells: NonNull<[AtomicU64; N]>,
    _map: Arc<SharedWords>,
}

// SAFETY: the pointer leads into a mapping that `_map` keeps alive and never moves; what it points to is `Sync`.
unsafe impl<const N: usize> Send for SharedBlock<N> {}
// SAFETY: as above; a shared block only hands out `&[AtomicU64; N]`.
unsafe impl<const N: usize> Sync for SharedBlock<N> {}

impl<const N: usize> Deref for SharedBlock<N> {
    type Target = [AtomicU64; N];

    #[inline]
    fn deref(&self) -> &[AtomicU64; N] {
        // SAFETY: made from a valid reference into the mapping, which `_map` keeps alive as long as `self`.
        unsafe { self.cells.as_ref() }
    }
}

/// Which file it is, whatever its name: differs when a file was replaced by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file now at `path`.
    ///
    /// # Errors
    /// The system's, e.g. when there is none.
    pub fn of(path: &Path) -> io::Result<FileIdentity> {
        let facts = std::fs::metadata(path)?;
        Ok(FileIdentity { device: facts.dev(), inode: facts.ino() })
    }
}

/// A file mapped for reading: only loads are offered, since a store would be a fault.
#[derive(Debug)]
pub struct ReadOnlyWords {
    map: MmapRaw,
    identity: FileIdentity,
}

impl ReadOnlyWords {
    /// Number of whole words.
    pub fn len(&self) -> usize {
        words_of(&self.map).len()
    }

    /// Never true: a file without one word is not opened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word at `index`, if there is one.
    pub fn load(&self, index: usize, order: Ordering) -> Option<u64> {
        words_of(&self.map).get(index).map(|word| word.load(order))
    }

    /// The file mapped.
    pub fn identity(&self) -> FileIdentity {
        self.identity
    }
}

fn words_of(map: &MmapRaw) -> &[AtomicU64] {
    let first = map.as_ptr().cast::<AtomicU64>();
    // SAFETY: a mapping begins at a page, so words are aligned; it spans `len` bytes for as long as `map` lives; any bit
    // pattern is an `AtomicU64`. A read-only mapping is only loaded from: `ReadOnlyWords` gives out values alone.
    unsafe { slice::from_raw_parts(first, map.len() / WORD_BYTES) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_the_writer_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        let writer = SharedWords::create(&path, 1000).unwrap();
        writer.words()[999].store(42, Ordering::Relaxed);
        let reader = SharedWords::open_readonly(&path).unwrap();
        assert_eq!(reader.len(), 1000);
        assert_eq!(reader.load(999, Ordering::Relaxed), Some(42));
        assert_eq!(reader.load(1000, Ordering::Relaxed), None);
        assert_eq!(reader.identity(), FileIdentity::of(&path).unwrap());
    }

    #[test]
    fn a_file_is_never_overwritten_and_an_empty_one_never_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        std::fs::write(&path, b"1234567").unwrap();
        assert_eq!(SharedWords::create(&path, 8).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(SharedWords::open_readonly(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(SharedWords::open_readonly(folder.path()).is_err());
    }

    #[test]
    fn a_block_outlives_the_value_it_was_cut_from() {
        let words = Arc::new(SharedWords::anonymous(64).unwrap());
        assert!(words.block::<32>(33).is_none());
        assert!(words.block::<32>(usize::MAX).is_none());
        let block = words.block::<32>(32).unwrap();
        drop(words);
        block[31].store(7, Ordering::Relaxed);
        assert_eq!(block[31].load(Ordering::Relaxed), 7);
    }
}
