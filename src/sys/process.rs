//! The process's own memory.

use std::io;

/// Keeps the memory of this process to itself: no core file is written of it, and no other program of the same user may
/// read it (root may).
///
/// # Errors
///
/// Those of `prctl` and `setrlimit`.
pub fn keep_memory_private() -> io::Result<()> {
    let nothing = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `nothing` outlives the call, which only reads it.
    let limited = unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const nothing) };
    // A program that takes cores over a pipe is given them whatever the limit, but none of a process that is not dumpable.
    // SAFETY: the call touches no memory of ours.
    let private = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0_u64, 0_u64, 0_u64, 0_u64) };
    if limited != 0 || private != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_core_file_nor_a_program_of_the_same_user_sees_the_memory() {
        keep_memory_private().unwrap();
        // SAFETY: the call touches no memory of ours.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0_u64, 0_u64, 0_u64, 0_u64) }, 0);
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    }
}
