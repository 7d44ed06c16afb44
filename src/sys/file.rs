//! Files: real allocation, locks that die with their process, folders made durable, identity of the boot.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

/// Bytes written at once where allocation has to be done by writing.
const FILL_BYTES: usize = 1 << 20;

/// Gives the file `bytes` bytes that are really there: a later write through a map can't find the disk full. What the
/// file holds stays.
///
/// Asks the file system, and looks whether it did: one that can't allocate, or says that it did and gave no blocks (some
/// in user space do), has every byte written. Never leaves a sparse file behind a good answer, but where the file system
/// itself stores zeros as nothing (compression of Btrfs and ZFS).
///
/// # Errors
///
/// `ENOSPC`, `EDQUOT` or `EFBIG` when there is no room; the file may then have any length.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    loop {
        // SAFETY: the descriptor is open as long as `file` is borrowed; the call touches no memory of ours.
        // NB: not `posix_fallocate`, whose way out where there is no such call differs from one C library to the next.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EOPNOTSUPP | libc::ENOSYS) => return fill(file, bytes),
            _ => return Err(error),
        }
    }
    let facts = file.metadata()?;
    if facts.len() < bytes || facts.blocks() * 512 < bytes { fill(file, bytes) } else { Ok(()) }
}

/// Writes every byte up to `bytes`: what the file holds, zeros where it holds nothing.
fn fill(file: &File, bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; FILL_BYTES.min(usize::try_from(bytes).unwrap_or(FILL_BYTES))];
    let mut at = 0;
    while at < bytes {
        let chunk = &mut buffer[..usize::try_from(bytes - at).unwrap_or(FILL_BYTES).min(FILL_BYTES)];
        let mut held = 0;
        while held < chunk.len() {
            match file.read_at(&mut chunk[held..], at + held as u64) {
                Ok(0) => break,
                Ok(read) => held += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        chunk[held..].fill(0);
        file.write_all_at(chunk, at)?;
        at += chunk.len() as u64;
    }
    Ok(())
}

/// Room of a file system, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What a process without privileges may still take.
    pub available: u64,
    /// What is free at all, that which is kept for the superuser included.
    pub free: u64,
}

/// Room of the file system a path lies on; `None` when it doesn't say (some in user space).
///
/// # Errors
///
/// Those of `statvfs`.
pub fn space(path: &Path) -> io::Result<Option<Space>> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: plain numbers, for which all zeros are values.
    let mut facts: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the text ends with a zero byte, and both outlive the call, which writes nothing else.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut facts) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let unit = facts.f_frsize;
    let space = Space { available: facts.f_bavail.saturating_mul(unit), free: facts.f_bfree.saturating_mul(unit) };
    Ok((facts.f_blocks > 0).then_some(space))
}

/// Takes the exclusive lock of an open file description: `false` when another one holds it. It is given back when the
/// last descriptor of this description closes, so at the latest with the death of the process.
///
/// # Errors
///
/// Those of `fcntl(F_OFD_SETLK)`.
pub fn try_lock(file: &File) -> io::Result<bool> {
    let lock = whole_file(libc::F_WRLCK);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and `lock` outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// An open file with the lock of [`try_lock`]. Dropped, the lock is given back at once, also when a child that is about
/// to `exec` has the descriptor, too.
#[derive(Debug)]
pub struct LockedFile(File);

impl LockedFile {
    /// Takes the lock; the file itself when another description holds it.
    ///
    /// # Errors
    ///
    /// Those of [`try_lock`].
    pub fn take(file: File) -> io::Result<Result<LockedFile, File>> {
        Ok(if try_lock(&file)? { Ok(LockedFile(file)) } else { Err(file) })
    }

    /// The file.
    pub fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        let lock = whole_file(libc::F_UNLCK);
        // SAFETY: the descriptor is open as long as `self` is borrowed, and `lock` outlives the call.
        let _ = unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    }
}

/// Whether someone else holds the lock of [`try_lock`]; takes nothing and disturbs nobody.
///
/// # Errors
///
/// Those of `fcntl(F_OFD_GETLK)`.
pub fn is_locked(file: &File) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and `lock` outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole_file(kind: i32) -> libc::flock {
    // `l_pid` must be zero for locks of a description; start and length zero mean the whole file.
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Makes a file's bytes and size durable.
///
/// # Errors
///
/// Those of `fsync`.
pub fn sync_file(file: &File) -> io::Result<()> {
    super::watch::tell(|| super::watch::Sync::File { inode: inode(file), from: 0, to: u64::MAX });
    file.sync_all()
}

/// Makes created, renamed and removed names of a folder durable.
///
/// # Errors
///
/// Those of opening and syncing it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    super::watch::tell(|| super::watch::Sync::Folder { path: folder.to_owned() });
    File::open(folder)?.sync_all()
}

/// Exchanges the names of two files or folders of one file system: at no moment is either name absent.
///
/// # Errors
///
/// Those of `renameat2(RENAME_EXCHANGE)`; `EINVAL` where the file system can't.
pub fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let (a, b) = (name(a)?, name(b)?);
    let (here, flags) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
    // SAFETY: both names end in a zero and outlive the call, which keeps neither.
    let result = unsafe { libc::renameat2(here, a.as_ptr(), here, b.as_ptr(), flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Number of a file within its file system; 0 where it can't be told.
pub(super) fn inode(file: &File) -> u64 {
    file.metadata().map_or(0, |meta| meta.ino())
}

/// Offset behind the last byte of a file that was ever written, as the file system knows: what is only allocated reads
/// as zeros from there on. The file's length where it can't be told.
///
/// # Errors
///
/// Those of opening the file and asking for its length.
pub fn data_end(path: &Path) -> io::Result<usize> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut end = 0;
    while end < length {
        let Some(data) = seek(&file, end, libc::SEEK_DATA) else { break };
        match data.and_then(|data| seek(&file, data, libc::SEEK_HOLE).unwrap_or(Ok(length))) {
            Ok(hole) if hole > end => end = hole,
            _ => return Ok(usize::try_from(length).unwrap_or(usize::MAX)),
        }
    }
    Ok(usize::try_from(end.min(length)).unwrap_or(usize::MAX))
}

/// The next data or hole from an offset on; `None` when there is none behind it.
fn seek(file: &File, from: u64, whence: libc::c_int) -> Option<io::Result<u64>> {
    let from = libc::off_t::try_from(from).ok()?;
    // SAFETY: the descriptor is open as long as `file` is borrowed; nothing else is touched.
    let found = unsafe { libc::lseek(file.as_raw_fd(), from, whence) };
    match u64::try_from(found) {
        Ok(found) => Some(Ok(found)),
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENXIO) => None,
            error => Some(Err(error)),
        },
    }
}

/// Identity of this boot of the kernel; zero where it can't be told (then every boot looks the same).
pub fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut id = [0; 16];
    let digits = text.chars().filter_map(|digit| digit.to_digit(16));
    for (place, digit) in digits.take(32).enumerate() {
        id[place / 2] |= (digit as u8) << (4 * (1 - place % 2));
    }
    id
}

/// A random number from the kernel.
///
/// # Errors
///
/// Those of reading `/dev/urandom`.
pub fn random_u32() -> io::Result<u32> {
    let mut bytes = [0; 4];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Nanoseconds of the monotonic clock, the same for all processes of this boot.
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call, which writes nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_lock_excludes_a_second_description_and_dies_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).unwrap();
        let first = open();
        let second = open();
        assert!(!is_locked(&second).unwrap());
        assert!(try_lock(&first).unwrap());
        assert!(is_locked(&second).unwrap());
        assert!(!try_lock(&second).unwrap());
        drop(first);
        assert!(try_lock(&second).unwrap());
    }

    #[test]
    fn a_lock_that_is_given_back_is_free_though_a_child_has_the_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).unwrap();
        let file = open();
        let of_a_child = file.try_clone().unwrap();
        let held = LockedFile::take(file).unwrap().unwrap();
        let refused = LockedFile::take(open()).unwrap().unwrap_err();
        drop(held);
        assert!(LockedFile::take(refused).unwrap().is_ok());
        drop(of_a_child);
    }

    #[test]
    fn a_file_allocated_by_writing_has_its_blocks_and_keeps_what_it_held() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 << 20).unwrap();
        file.write_all_at(b"held", (2 << 20) + 77).unwrap();
        let sparse = file.metadata().unwrap().blocks() * 512;
        assert!(sparse < 1 << 20, "{sparse}: this file system has no sparse files to test with");
        fill(&file, (4 << 20) + 4096).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), (4 << 20) + 4096);
        assert!(meta.blocks() * 512 >= meta.len());
        let mut held = [0; 6];
        file.read_exact_at(&mut held, (2 << 20) + 76).unwrap();
        assert_eq!(&held, b"\0held\0");
    }

    #[test]
    fn exchanged_folders_have_each_others_names() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        for path in [&a, &b] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join(path.file_name().unwrap()), "").unwrap();
        }
        exchange(&a, &b).unwrap();
        assert!(a.join("b").exists() && b.join("a").exists());
        assert_eq!(exchange(&a, &folder.path().join("c")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_system_tells_its_room() {
        let space = space(Path::new("/")).unwrap().unwrap();
        assert!(space.available <= space.free && space.free > 0);
        assert!(super::space(Path::new("/nowhere at all")).is_err());
    }

    #[test]
    fn what_was_only_allocated_is_no_data() {
        let file = tempfile::NamedTempFile::new().unwrap();
        allocate(file.as_file(), 1 << 20).unwrap();
        let untouched = data_end(file.path()).unwrap();
        file.as_file().write_all_at(b"here", 300_000).unwrap();
        let end = data_end(file.path()).unwrap();
        assert!((300_004..=1 << 20).contains(&end), "{end}");
        // A file system that can't tell says that everything is data.
        assert!(untouched == 0 && end < 400_000 || untouched == 1 << 20, "{untouched} {end}");
    }

    #[test]
    fn an_allocated_file_has_its_blocks() {
        let file = tempfile::tempfile().unwrap();
        allocate(&file, 1 << 20).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), 1 << 20);
        assert!(meta.blocks() * 512 >= 1 << 20);
    }

    #[test]
    fn the_boot_has_one_identity() {
        assert_eq!(boot_id(), boot_id());
        assert_ne!(boot_id(), [0; 16]);
    }
}
