//! Standard output that may close at any time (`hoga dump | head`): that ends the program quietly.

use std::io::{self, Write as _};
use std::process::ExitCode;

/// Writes and flushes.
///
/// # Errors
///
/// The exit status to end with: 0 when the reader went away, 1 (said on stderr) when writing failed.
pub(super) fn write(bytes: &[u8]) -> Result<(), ExitCode> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("hoga: standard output: {error}");
            Err(ExitCode::FAILURE)
        }
    }
}
