//! Priority of threads.

/// Gives this thread the lowest priority there is: it runs when nobody else wants the processor. It stays as it is where
/// the system refuses.
pub fn lowest_of_thread() {
    // SAFETY: the call touches no memory of ours; 0 is the calling thread (on Linux the priority is a thread's).
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}
