//! Files: real allocation, locks that die with their process, folders made durable, identity of the boot.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Gives the file `bytes` bytes that are really there: a later write through a map can't find the disk full.
///
/// # Errors
///
/// `ENOSPC`, `EDQUOT` or `EFBIG` when there is no room; the file may then have any length.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    loop {
        // SAFETY: the descriptor is open as long as `file` is borrowed; the call touches no memory of ours.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
            0 => return Ok(()),
            libc::EINTR => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
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
    fn what_was_only_allocated_is_no_data() {
        use std::os::unix::fs::FileExt as _;
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
