//! Shared maps of files: atomic words by offset, and what the kernel can be told about ranges of pages.
//!
//! A map is a window on memory that other processes see and change. So nothing here lends `&[u8]`: words are read and
//! written atomically, and the one place that borrows bytes (`journal::segment`) says why it may.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};

/// Bytes of a page, as assumed for rounding; a larger true page only makes ranges coarser.
pub const PAGE_BYTES: usize = 4096;

/// A map to read from. `Send` and `Sync`: all access is atomic.
#[derive(Debug)]
pub struct ReadMap {
    raw: MmapRaw,
    /// Memory of this process alone, which [`fill`](Self::fill) may write.
    is_own: bool,
}

impl ReadMap {
    /// Maps the first `bytes` of a file, or all of a shorter one.
    ///
    /// # Errors
    ///
    /// Those of `fstat` and `mmap`.
    pub fn new(file: &File, bytes: usize) -> io::Result<ReadMap> {
        let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let raw = MmapOptions::new().len(bytes.min(there)).map_raw_read_only(file)?;
        Ok(ReadMap { raw, is_own: false })
    }

    /// Zeros of this process alone, in place of a file; [`fill`](Self::fill) gives them contents.
    ///
    /// # Errors
    ///
    /// Those of `mmap`.
    pub fn anonymous(bytes: usize) -> io::Result<ReadMap> {
        Ok(ReadMap { raw: MmapOptions::new().len(bytes).map_anon()?.into(), is_own: true })
    }

    /// Stores whole words in a map made by [`anonymous`](Self::anonymous): the first of them last and with Release, so
    /// that a thread that loads it with Acquire finds the rest.
    ///
    /// # Panics
    ///
    /// When the map is a file's, the range is not inside it, or offset or length is no multiple of eight.
    pub fn fill(&self, offset: usize, bytes: &[u8]) {
        assert!(self.is_own, "a file's map is read only");
        let (words, rest) = bytes.as_chunks::<8>();
        assert!(rest.is_empty(), "whole words");
        let Some((first, others)) = words.split_first() else { return };
        for (index, word) in others.iter().enumerate() {
            self.atomic_u64(offset + 8 * (index + 1)).store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        self.atomic_u64(offset).store(u64::from_le_bytes(*first), Ordering::Release);
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// First byte of the map; valid for [`len`](Self::len) bytes as long as the map lives.
    pub fn as_ptr(&self) -> *const u8 {
        self.raw.as_ptr()
    }

    /// Loads a word.
    ///
    /// # Panics
    ///
    /// When the word is not inside the map or not aligned.
    #[inline]
    pub fn load_u32(&self, offset: usize, order: Ordering) -> u32 {
        self.atomic_u32(offset).load(order)
    }

    /// Loads a word of eight bytes.
    ///
    /// # Panics
    ///
    /// When the word is not inside the map or not aligned.
    #[inline]
    pub fn load_u64(&self, offset: usize, order: Ordering) -> u64 {
        self.atomic_u64(offset).load(order)
    }

    /// Copies bytes out, eight at a time.
    ///
    /// # Panics
    ///
    /// When the range is not inside the map, or offset or length is no multiple of eight.
    pub fn copy_to(&self, offset: usize, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut::<8>();
        assert!(rest.is_empty(), "whole words");
        for (index, word) in words.iter_mut().enumerate() {
            *word = self.load_u64(offset + 8 * index, Ordering::Relaxed).to_le_bytes();
        }
    }

    /// Maps the pages of a range in for reading, ahead of use.
    ///
    /// # Errors
    ///
    /// Those of `madvise`; it is only advice.
    pub fn populate_read(&self, offset: usize, bytes: usize) -> io::Result<()> {
        self.advise(Advice::PopulateRead, offset, bytes)
    }

    /// Tells the kernel that the map will be read from front to back.
    pub fn advise_sequential(&self) {
        // Advice: without it reading is only slower.
        let _ = self.raw.advise(Advice::Sequential);
    }

    fn advise(&self, advice: Advice, offset: usize, bytes: usize) -> io::Result<()> {
        let end = offset.saturating_add(bytes).min(self.len());
        let start = offset.min(end) / PAGE_BYTES * PAGE_BYTES;
        if start == end {
            return Ok(());
        }
        self.raw.advise_range(advice, start, end - start)
    }

    #[inline]
    fn atomic_u32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset.checked_add(4).is_some_and(|end| end <= self.len()));
        // SAFETY: the assertion keeps the word inside the map.
        let word = unsafe { self.raw.as_mut_ptr().add(offset) };
        // SAFETY: the map is page-aligned, so the word is aligned; it stays mapped as long as `self` is borrowed, and
        // every access to it, here and in other processes, is atomic or ordered by the commit word.
        unsafe { AtomicU32::from_ptr(word.cast()) }
    }

    #[inline]
    fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset.checked_add(8).is_some_and(|end| end <= self.len()));
        // SAFETY: the assertion keeps the word inside the map.
        let word = unsafe { self.raw.as_mut_ptr().add(offset) };
        // SAFETY: as in `atomic_u32`.
        unsafe { AtomicU64::from_ptr(word.cast()) }
    }
}

/// A map to write through, visible to every process that maps the file.
#[derive(Debug)]
pub struct WriteMap {
    map: ReadMap,
    /// Number of the file in its file system.
    inode: u64,
}

impl WriteMap {
    /// Maps the whole of a file that was opened for reading and writing.
    ///
    /// # Errors
    ///
    /// Those of `fstat` and `mmap`.
    pub fn new(file: &File) -> io::Result<WriteMap> {
        let inode = super::file::inode(file);
        Ok(WriteMap { map: ReadMap { raw: MmapOptions::new().map_raw(file)?, is_own: false }, inode })
    }

    /// First byte of the map; valid for writes as long as the map lives.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.map.raw.as_mut_ptr()
    }

    /// Stores a word.
    ///
    /// # Panics
    ///
    /// When the word is not inside the map or not aligned.
    #[inline]
    pub fn store_u32(&self, offset: usize, value: u32, order: Ordering) {
        self.map.atomic_u32(offset).store(value, order);
    }

    /// Stores a word of eight bytes.
    ///
    /// # Panics
    ///
    /// When the word is not inside the map or not aligned.
    #[inline]
    pub fn store_u64(&self, offset: usize, value: u64, order: Ordering) {
        self.map.atomic_u64(offset).store(value, order);
    }

    /// Copies bytes in, eight at a time; readers may see any mixture until a word stored after it with Release.
    ///
    /// # Panics
    ///
    /// When the range is not inside the map, or offset or length is no multiple of eight.
    pub fn copy_from(&self, offset: usize, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        assert!(rest.is_empty(), "whole words");
        for (index, word) in words.iter().enumerate() {
            self.store_u64(offset + 8 * index, u64::from_le_bytes(*word), Ordering::Relaxed);
        }
    }

    /// Makes the pages of a range present and writable without changing them, so that the next store does not fault.
    /// Kernels before 5.14 don't know how; there each page gets an atomic addition of zero.
    ///
    /// # Errors
    ///
    /// `EFAULT` and `EHWPOISON`: pages that can't be had; a store to one of them would end the process by SIGBUS.
    pub fn populate_write(&self, offset: usize, bytes: usize) -> io::Result<()> {
        match self.map.advise(Advice::PopulateWrite, offset, bytes) {
            Ok(()) => return Ok(()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EFAULT | libc::EHWPOISON)) => return Err(error),
            Err(_) => {}
        }
        self.store_nothing(offset, bytes);
        Ok(())
    }

    /// Asks for a page cache of single pages where nothing of the file is in it yet, rather than of larger pieces.
    pub fn advise_single_pages(&self) {
        // Advice: without it the kernel chooses.
        let _ = self.map.raw.advise(Advice::Random);
    }

    /// Writes a range back to the disk and waits for it.
    ///
    /// # Errors
    ///
    /// Those of `msync(MS_SYNC)`.
    pub fn sync(&self, offset: usize, bytes: usize) -> io::Result<()> {
        super::watch::tell(|| {
            let whole = offset / PAGE_BYTES * PAGE_BYTES..(offset + bytes).next_multiple_of(PAGE_BYTES);
            super::watch::Sync::File { inode: self.inode, from: whole.start as u64, to: whole.end as u64 }
        });
        self.map.raw.flush_range(offset, bytes)
    }

    /// Makes the pages of a range dirty again without changing a byte, after a sync of them failed: the kernel has
    /// marked them clean though they did not reach the disk. Only for pages whose first word nobody stores to
    /// non-atomically any more.
    pub fn make_dirty(&self, offset: usize, bytes: usize) {
        self.store_nothing(offset, bytes);
    }

    /// Adds zero to the first word of each page.
    fn store_nothing(&self, offset: usize, bytes: usize) {
        let end = offset.saturating_add(bytes).min(self.len());
        for page in (offset / PAGE_BYTES * PAGE_BYTES..end).step_by(PAGE_BYTES) {
            // NB: of a zero it can see the compiler makes no store at all.
            self.map.atomic_u32(page).fetch_add(black_box(0), Ordering::Relaxed);
        }
    }
}

impl Deref for WriteMap {
    type Target = ReadMap;

    fn deref(&self) -> &ReadMap {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_written_through_one_map_are_read_through_another() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let write = WriteMap::new(&file).unwrap();
        let read = ReadMap::new(&file, usize::MAX).unwrap();
        write.populate_write(100, 5000).unwrap();
        write.store_u64(16, 0x0102_0304_0506_0708, Ordering::Release);
        write.copy_from(4096, &[7; 16]);
        assert_eq!(read.load_u32(16, Ordering::Acquire), 0x0506_0708);
        let mut bytes = [0; 16];
        read.copy_to(4096, &mut bytes);
        assert_eq!(bytes, [7; 16]);
        read.populate_read(0, 100_000).unwrap();
        write.sync(0, 8192).unwrap();
    }

    /// KiB of this process's mapping of a file that differ from the disk, as the kernel counts them.
    fn dirty_kib(map: &WriteMap) -> u64 {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", map.as_mut_ptr() as usize);
        let own = smaps.split_once(&start).unwrap().1;
        let dirty = |line: &str| {
            let kib = line.strip_prefix("Private_Dirty:").or_else(|| line.strip_prefix("Shared_Dirty:"))?;
            kib.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        own.lines().skip(1).take_while(|line| !line.contains('-')).filter_map(dirty).sum()
    }

    #[test]
    fn pages_made_dirty_are_written_back_by_the_next_sync() {
        let file = tempfile::tempfile().unwrap();
        super::super::file::allocate(&file, 8 * PAGE_BYTES as u64).unwrap();
        let map = WriteMap::new(&file).unwrap();
        map.store_u64(0, 1, Ordering::Release);
        map.sync(0, 8 * PAGE_BYTES).unwrap();
        if dirty_kib(&map) != 0 {
            // Nothing is ever clean on tmpfs.
            eprintln!("skipped: the scratch folder has no disk");
            return;
        }
        map.make_dirty(0, 8 * PAGE_BYTES);
        assert_eq!(dirty_kib(&map), 8 * PAGE_BYTES as u64 / 1024);
        assert_eq!(map.load_u64(0, Ordering::Acquire), 1);
    }

    #[test]
    #[should_panic(expected = "assertion")]
    fn a_word_past_the_end_is_refused() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        ReadMap::new(&file, usize::MAX).unwrap().load_u64(4096, Ordering::Relaxed);
    }
}
