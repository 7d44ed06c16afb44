//! What the kernel says of its own clock.

use std::io;

/// State of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelClock {
    /// Whether something disciplines it.
    pub is_synchronised: bool,
    /// Most it is wrong by, as far as what disciplines it told the kernel, ns.
    pub error_ns: u64,
}

/// Asks the kernel; nothing is changed.
///
/// # Errors
///
/// Those of `adjtimex`, as where a sandbox forbids the call.
pub fn kernel_clock() -> io::Result<KernelClock> {
    // SAFETY: plain numbers, for which all zeros are values.
    let mut facts: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `facts` outlives the call, which writes nothing else; without a mode it changes nothing.
    let state = unsafe { libc::adjtimex(&raw mut facts) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_synchronised = state != libc::TIME_ERROR && facts.status & libc::STA_UNSYNC == 0;
    Ok(KernelClock { is_synchronised, error_ns: facts.maxerror.unsigned_abs() * 1000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_or_says_why_not() {
        match kernel_clock() {
            // The kernel lets the bound grow to 16 s and then says that nobody disciplines its clock.
            Ok(clock) if clock.is_synchronised => assert!(clock.error_ns <= 16_000_000_000, "{clock:?}"),
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }
}
