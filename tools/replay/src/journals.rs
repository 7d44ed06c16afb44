//! Which journals a command line names: folders of journals, or folders of days of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hoga::journal::{Start, Stream, TailError, Tailer};
use jiff::civil::Date;

/// A journal's folder and, where its name is one, its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalDir {
    /// The folder that holds `ticks/`.
    pub path: PathBuf,
    /// The day in the folder's name; `None` for a journal that was named itself.
    pub day: Option<Date>,
}

/// Why a folder names no journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalsError {
    /// Neither a journal nor a folder of journals.
    #[error(
        "{0} holds no journal: expected `ticks/` as `hoga run` makes it, or folders named by day (2026-11-23 or 20261123) that hold one each"
    )]
    None(PathBuf),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The journals that `dirs` name, in the order given; those of a folder of days by day.
///
/// A folder with `ticks/` in it is a journal. Any other is looked through for folders named by day, `2026-11-23` or
/// `20261123`, that are journals; those in which nothing was ever written are passed over.
///
/// # Errors
///
/// See [`JournalsError`]; a folder that names no journal is one.
pub fn find_journals(dirs: &[PathBuf]) -> Result<Vec<JournalDir>, JournalsError> {
    let mut journals = Vec::new();
    for dir in dirs {
        if is_journal(dir) {
            journals.push(JournalDir { path: dir.clone(), day: None });
            continue;
        }
        let fail = |source| JournalsError::Io { path: dir.clone(), source };
        let mut days = Vec::new();
        for entry in fs::read_dir(dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let day = entry.file_name().to_str().and_then(day_of_name);
            if let Some(day) = day
                && is_journal(&entry.path())
                && !is_empty(&entry.path())
            {
                days.push(JournalDir { path: entry.path(), day: Some(day) });
            }
        }
        if days.is_empty() {
            return Err(JournalsError::None(dir.clone()));
        }
        days.sort_by(|a, b| (a.day, &a.path).cmp(&(b.day, &b.path)));
        journals.append(&mut days);
    }
    Ok(journals)
}

fn is_journal(dir: &Path) -> bool {
    dir.join(Stream::Ticks.name()).is_dir()
}

/// Whether nothing was ever written. What can't be read is not empty: reading it says why.
fn is_empty(dir: &Path) -> bool {
    matches!(Tailer::open(dir, Stream::Ticks, Start::Beginning), Err(TailError::NoJournal(_)))
}

/// The day a folder is named by.
fn day_of_name(name: &str) -> Option<Date> {
    let digits: String = match name.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => name.replace('-', ""),
        _ => name.to_owned(),
    };
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?);
    Date::new(year, month, day).ok()
}

#[cfg(test)]
mod tests {
    use hoga::journal::build::{JournalBuilder, JournalSpec};

    use super::*;

    #[test]
    fn days_are_folders_named_by_date_in_either_form() {
        let day = jiff::civil::date(2026, 11, 23);
        assert_eq!(day_of_name("2026-11-23"), Some(day));
        assert_eq!(day_of_name("20261123"), Some(day));
        for name in ["2026-13-23", "2026-11-2", "journal", "2026_11_23", "20261123x", "호가호가"] {
            assert_eq!(day_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_folder_of_days_is_its_journals_in_order_without_empty_ones_and_a_journal_is_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notes", "2026-11-25", "2026-11-26/ticks"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["2026-11-24", "20261123"] {
            let spec = JournalSpec { segment_bytes: 1 << 20, ..JournalSpec::default() };
            JournalBuilder::create(&folder.path().join(name), spec).unwrap().finish().unwrap();
        }
        let found = find_journals(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = found.iter().map(|journal| journal.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["20261123", "2026-11-24"]);
        let itself = folder.path().join("20261123");
        assert_eq!(find_journals(std::slice::from_ref(&itself)).unwrap(), [JournalDir { path: itself, day: None }]);
        let none = find_journals(&[folder.path().join("notes")]).unwrap_err();
        assert!(none.to_string().contains("holds no journal"), "{none}");
    }
}
