//! Why a subcommand failed, and the exit status that goes with it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use hoga::journal::TailError;
use hoga::journal::build::BuildError;
use kis_sim::SimError;

use crate::bars::OutputError;
use crate::export::ExportError;
use crate::journals::JournalsError;
use crate::merge::ReadError;
use crate::play::PlayError;
use crate::reparse::ReparseError;
use crate::serve::ServeError;

/// Any subcommand's failure.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Wrong(String),
    #[error("{} is there already: name another file, or replace it with --force", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Journals(#[from] JournalsError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Play(#[from] PlayError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Reparse(Box<ReparseError>),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("standard output: {0}")]
    Printed(io::Error),
    #[error("ended before it was complete")]
    Ended,
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure::Wrong(text)
    }
}

impl From<ReparseError> for Failure {
    fn from(error: ReparseError) -> Failure {
        Failure::Reparse(Box::new(error))
    }
}

/// Statuses as of `hoga`: 2 wrong use (no journal there, something in the way, a port in use), 1 found bad or not able to go
/// on. Output that nobody reads on is no failure.
pub(super) fn status_of(failure: &Failure) -> u8 {
    let is_wrong_use = match failure {
        Failure::Printed(error) | Failure::Play(PlayError::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return 0;
        }
        Failure::Output(error) if error.is_closed() => return 0,
        Failure::Wrong(_) | Failure::Exists(_) => true,
        Failure::Journals(JournalsError::None(_)) => true,
        Failure::Journals(JournalsError::Io { source, .. }) => is_not_there(source),
        Failure::Read(error) | Failure::Play(PlayError::Read(error)) | Failure::Export(ExportError::Read(error)) => {
            is_no_journal(&error.source)
        }
        Failure::Export(error) => matches!(
            error,
            ExportError::Exists(_)
                | ExportError::Several(_)
                | ExportError::Source { .. }
                | ExportError::Live(_)
                | ExportError::Foreign { .. }
                | ExportError::Build(BuildError::Exists(_))
        ),
        Failure::Reparse(error) => match &**error {
            ReparseError::Read { source, .. } => is_no_journal(source),
            error => matches!(error, ReparseError::NotEmpty(_) | ReparseError::NoFrames(_)),
        },
        Failure::Serve(ServeError::Journal { source, .. }) => is_no_journal(source),
        Failure::Serve(ServeError::Venue(error)) => matches!(error, SimError::Listen { .. } | SimError::Config(_)),
        Failure::Serve(error) => matches!(error, ServeError::Nothing(_) | ServeError::Step),
        _ => false,
    };
    if is_wrong_use { 2 } else { 1 }
}

fn is_no_journal(error: &TailError) -> bool {
    match error {
        TailError::NoJournal(_) => true,
        TailError::Io { source, .. } => is_not_there(source),
        _ => false,
    }
}

fn is_not_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Says why, where there is something to say, and gives the status.
pub(super) fn ended(command: &str, outcome: Result<ExitCode, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            let status = status_of(&failure);
            if status != 0 {
                eprintln!("hoga-replay {command}: {failure}");
            }
            ExitCode::from(status)
        }
    }
}

/// Prints a line; whoever reads may have gone.
pub(super) fn print_line(line: impl std::fmt::Display) -> Result<(), Failure> {
    use io::Write as _;
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Printed(error)),
        _ => Ok(()),
    }
}
