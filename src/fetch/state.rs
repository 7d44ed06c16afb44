//! The state of a download: its request and what of it is done, in a file that survives any end of the program.
//!
//! `fetch.state` is lines of JSON, each followed by a blank and the CRC-32C of what stands before it, eight hex digits. The
//! first line is the request; it gets its name when it is on the disk. Each further line notes a unit as done and is on the
//! disk before the next unit of its worker begins; a later line about a unit replaces an earlier one. When the journal holds all
//! that is noted above, a line says so, and one that nothing is to come; only then the units' own files go. A line that was torn
//! by a crash is cut off: its unit is downloaded again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::simd::Crc32c;
use crate::sys::file::{sync_folder, try_lock};

const STATE: &str = "fetch.state";
const LOCK: &str = "lock";
const DATA: &str = "data";
const PARTS: &str = "parts";
const JOURNAL: &str = "journal";
const VERSION: u64 = 1;

/// A unit that is done.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Its place in the plan.
    pub unit: usize,
    /// Rows of it; of a file newer than its note, those of the one before.
    pub rows: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Second of the day up to which it reaches at least, when the day was not over: it is downloaded again.
    pub until: Option<u32>,
    /// Shares that the broker did not show.
    pub missing: u64,
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another download writes there.
    #[error("{0}: another download runs in this folder")]
    Busy(PathBuf),
    /// Something else is in the folder.
    #[error("{0} is not empty and holds no download: name another folder")]
    Foreign(PathBuf),
    /// The folder holds another request.
    #[error(
        "{folder} holds another request: {differences}. Name another folder, or begin anew with --restart, which DELETES what is there"
    )]
    OtherRequest {
        /// The folder.
        folder: PathBuf,
        /// Each field that differs.
        differences: String,
    },
    /// The first line can't be read.
    #[error("{0} is damaged in its first line: begin anew with --restart, which DELETES what was downloaded")]
    Damaged(PathBuf),
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    |source| StateError::Io { path: path.to_owned(), source }
}

/// The folder of a download, locked.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    state: File,
    done: BTreeMap<usize, Done>,
    is_resumed: bool,
    /// Lines whose checksum is not theirs.
    damaged: usize,
    /// The journal holds all that is noted.
    is_made: bool,
    /// Nothing is to come, so that the units' own files are not needed any more.
    is_complete: bool,
    _lock: File,
}

fn made() -> Value {
    json!({ "journal_made": true })
}

fn complete() -> Value {
    json!({ "complete": true })
}

fn line_of(value: &Value) -> Vec<u8> {
    let text = value.to_string();
    let crc = Crc32c::new().checksum(0, text.as_bytes());
    format!("{text} {crc:08x}\n").into_bytes()
}

fn value_of(line: &str) -> Option<Value> {
    let (text, crc) = line.rsplit_once(' ')?;
    let expected = u32::from_str_radix(crc, 16).ok().filter(|_| crc.len() == 8)?;
    (Crc32c::new().checksum(0, text.as_bytes()) == expected).then(|| serde_json::from_str(text).ok())?
}

impl Folder {
    /// Whether a download was begun in a folder.
    pub fn is_begun(root: &Path) -> bool {
        root.join(STATE).exists()
    }

    /// What a folder's download was asked for, as [`Request::describe`](super::Request::describe) says it; `None` where there is
    /// none that can be read.
    pub fn request(root: &Path) -> Option<Value> {
        let text = fs::read(root.join(STATE)).ok()?;
        let head = value_of(String::from_utf8_lossy(&text).lines().next()?)?;
        head.get("request").cloned()
    }

    /// Opens the folder of a request, or makes it; `request` is what [`Request::describe`](super::Request::describe) says and
    /// `units` how many it has. With `restart` what is there of another download is deleted first.
    ///
    /// # Errors
    ///
    /// See [`StateError`].
    pub fn open(root: &Path, request: &Value, units: usize, restart: bool) -> Result<Folder, StateError> {
        fs::create_dir_all(root).map_err(io_at(root))?;
        let path = root.join(STATE);
        let was_there = path.exists();
        let is_ours = |name: &str| [LOCK, "fetch.state.tmp"].contains(&name);
        let mut entries = fs::read_dir(root).map_err(io_at(root))?;
        if !was_there && entries.any(|entry| !entry.is_ok_and(|entry| is_ours(&entry.file_name().to_string_lossy()))) {
            return Err(StateError::Foreign(root.to_owned()));
        }
        let lock_path = root.join(LOCK);
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(io_at(&lock_path))?;
        if !try_lock(&lock).map_err(io_at(&lock_path))? {
            return Err(StateError::Busy(root.to_owned()));
        }
        if restart && was_there {
            // The state goes last: a folder without it is foreign.
            for name in [DATA, PARTS, JOURNAL, "journal.tmp", "journal.old.tmp"] {
                let path = root.join(name);
                remove_tree(&path).map_err(io_at(&path))?;
            }
            fs::remove_file(&path).and_then(|()| sync_folder(root)).map_err(io_at(&path))?;
        }
        let head = json!({ "hoga_fetch": VERSION, "request": request, "units": units });
        if !path.exists() {
            let fresh = root.join("fetch.state.tmp");
            let create = || -> io::Result<()> {
                let mut file = File::create(&fresh)?;
                file.write_all(&line_of(&head))?;
                file.sync_all()?;
                fs::rename(&fresh, &path)?;
                sync_folder(root)
            };
            create().map_err(io_at(&path))?;
        }
        let mut folder = Folder {
            root: root.to_owned(),
            state: OpenOptions::new().read(true).append(true).open(&path).map_err(io_at(&path))?,
            done: BTreeMap::new(),
            is_resumed: false,
            damaged: 0,
            is_made: false,
            is_complete: false,
            _lock: lock,
        };
        folder.load(&path, &head)?;
        Ok(folder)
    }

    fn load(&mut self, path: &Path, head: &Value) -> Result<(), StateError> {
        let bytes = fs::read(path).map_err(io_at(path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let mut lines = text.lines();
        let known = lines.next().and_then(value_of).ok_or_else(|| StateError::Damaged(path.to_owned()))?;
        if known != *head {
            let differences = differences(&known, head);
            return Err(StateError::OtherRequest { folder: self.root.clone(), differences });
        }
        for value in lines.map(value_of) {
            if value == Some(made()) {
                self.is_made = true;
                continue;
            }
            if value == Some(complete()) {
                (self.is_made, self.is_complete) = (true, true);
                continue;
            }
            match value.and_then(|value| serde_json::from_value::<Done>(value).ok()) {
                Some(done) => {
                    self.done.insert(done.unit, done);
                    (self.is_made, self.is_complete) = (false, false);
                }
                None => {
                    self.damaged += 1;
                    // Perhaps a unit's, that the journal has not.
                    self.is_made = self.is_complete;
                }
            }
        }
        if whole < bytes.len() {
            // Torn by the end of the program.
            self.state.set_len(whole as u64).and_then(|()| self.state.sync_all()).map_err(io_at(path))?;
        }
        self.is_resumed = !self.done.is_empty();
        Ok(())
    }

    /// Whether something was done before.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Lines of the state that were damaged: their units are downloaded again.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// Units that are done, by their place in the plan.
    pub fn done(&self) -> &BTreeMap<usize, Done> {
        &self.done
    }

    /// Whether a unit needs no further download.
    pub fn is_done(&self, unit: usize) -> bool {
        self.is_whole() || self.done.get(&unit).is_some_and(|done| done.until.is_none())
    }

    /// Whether the journal is there and has all units.
    fn is_whole(&self) -> bool {
        self.is_complete && self.journal().exists()
    }

    /// Whether the journal is there and has all that is noted, from the units' files that are there now.
    pub fn is_journal_made(&self) -> bool {
        self.is_made && self.journal().exists()
    }

    /// Takes units back whose file is not there as it was noted; how many. A file of a unit that grows, of another length, is
    /// newer than its note, since it gets its name when it is whole: it is noted.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn forget_lost(&mut self, path: impl Fn(usize) -> PathBuf) -> Result<usize, StateError> {
        let known = self.done.len();
        if self.is_whole() {
            return Ok(0);
        }
        let mut newer = Vec::new();
        self.done.retain(|unit, done| match fs::metadata(path(*unit)) {
            Ok(file) if file.len() == done.bytes => true,
            Ok(file) if done.until.is_some() && file.is_file() => {
                newer.push(Done { bytes: file.len(), ..done.clone() });
                true
            }
            _ => false,
        });
        let lost = known - self.done.len();
        newer.into_iter().try_for_each(|done| self.note(done))?;
        Ok(lost)
    }

    /// Notes a file that got its name when the program ended before its note; up to when it reaches is not known (0). Whether
    /// there is one.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn note_found(&mut self, unit: usize, path: &Path) -> Result<bool, StateError> {
        match fs::metadata(path) {
            Ok(file) if file.is_file() => {
                self.note(Done { unit, rows: 0, bytes: file.len(), until: Some(0), missing: 0 })?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Notes a unit, whose file is on the disk, as done. On the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn note(&mut self, done: Done) -> Result<(), StateError> {
        let value = serde_json::to_value(&done).map_err(io::Error::other).map_err(io_at(&self.root.join(STATE)))?;
        self.write(&value)?;
        self.done.insert(done.unit, done);
        (self.is_made, self.is_complete) = (false, false);
        Ok(())
    }

    /// Notes that the journal, which is on the disk, holds all that is noted.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn note_journal(&mut self) -> Result<(), StateError> {
        self.write(&made())?;
        self.is_made = true;
        Ok(())
    }

    /// Notes that nothing is to come of what the journal holds, and removes the units' files.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn note_complete(&mut self) -> Result<(), StateError> {
        debug_assert!(self.is_made, "files go when the journal has what they hold");
        if !self.is_complete {
            self.write(&complete())?;
            self.is_complete = true;
        }
        remove_tree(&self.parts()).map_err(io_at(&self.parts()))
    }

    /// A line, on the disk when this returns.
    fn write(&mut self, value: &Value) -> Result<(), StateError> {
        let written = self.state.write_all(&line_of(value)).and_then(|()| self.state.sync_data());
        written.map_err(io_at(&self.root.join(STATE)))
    }

    /// Folder of the units' files.
    pub fn data(&self) -> PathBuf {
        self.root.join(DATA)
    }

    /// Folder of the units' records, until there is a journal of them.
    pub fn parts(&self) -> PathBuf {
        self.root.join(PARTS)
    }

    /// Folder of the journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join(JOURNAL)
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Field by field, what was asked for before and what is now.
fn differences(known: &Value, asked: &Value) -> String {
    let (known_request, asked_request) = (&known["request"], &asked["request"]);
    let empty = serde_json::Map::new();
    let fields = |value: &Value| value.as_object().unwrap_or(&empty).keys().cloned().collect::<Vec<_>>();
    let mut names = fields(known_request);
    names.extend(fields(asked_request));
    names.sort_unstable();
    names.dedup();
    let shown = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("{} of them", list.len()),
        other => other.to_string(),
    };
    let differing = names.into_iter().filter(|name| known_request[name] != asked_request[name]);
    let said: Vec<String> = differing
        .map(|name| {
            let (known, asked) = (&known_request[&name], &asked_request[&name]);
            match first_differing(known, asked) {
                Some((place, known, asked)) => {
                    format!("{name}: place {place} was {}, now {}", shown(known), shown(asked))
                }
                None => format!("{name} was {}, now {}", shown(known), shown(asked)),
            }
        })
        .collect();
    if said.is_empty() {
        return format!(
            "it has {} units, now {}: the calendar or this program is another one",
            known["units"], asked["units"]
        );
    }
    said.join("; ")
}

/// The first place, from 1, in which two lists of one length differ, and what stands there.
fn first_differing<'v>(known: &'v Value, asked: &'v Value) -> Option<(usize, &'v Value, &'v Value)> {
    let (known, asked) = (known.as_array()?, asked.as_array()?);
    if known.len() != asked.len() {
        return None;
    }
    let mut places = (1..).zip(known).zip(asked).map(|((place, known), asked)| (place, known, asked));
    places.find(|(_, known, asked)| known != asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(unit: usize) -> Done {
        Done { unit, rows: 7, bytes: 0, until: None, missing: 0 }
    }

    fn open(root: &Path, from: &str, restart: bool) -> Result<Folder, StateError> {
        Folder::open(root, &json!({ "what": "bars", "from": from, "symbols": ["005930"] }), 9, restart)
    }

    #[test]
    fn a_state_cut_at_every_byte_keeps_the_units_whose_lines_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        let mut state = open(&root, "1", false).unwrap();
        assert!(!state.is_resumed());
        for unit in [3, 1, 4] {
            state.note(done(unit)).unwrap();
        }
        drop(state);
        let path = root.join(STATE);
        let whole = fs::read(&path).unwrap();
        let head = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in head..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut state = open(&root, "1", false).unwrap();
            let lines = whole[head..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(
                state.done().keys().copied().collect::<std::collections::BTreeSet<_>>(),
                [3, 1, 4][..lines].iter().copied().collect()
            );
            state.note(done(8)).unwrap();
            drop(state);
            assert_eq!(open(&root, "1", false).unwrap().done().len(), lines + 1, "cut at {length}");
        }
        fs::write(&path, &whole[..head - 1]).unwrap();
        assert!(matches!(open(&root, "1", false), Err(StateError::Damaged(_))));
    }

    #[test]
    fn a_journal_counts_as_made_until_a_unit_is_noted_or_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        let is_made = || open(&root, "1", false).unwrap().is_journal_made();
        let mut state = open(&root, "1", false).unwrap();
        state.note(done(0)).unwrap();
        fs::create_dir(state.journal()).unwrap();
        assert!(!state.is_journal_made(), "one that is there may be older");
        state.note_journal().unwrap();
        assert!(state.is_journal_made());
        drop(state);
        assert!(is_made());
        let mut state = open(&root, "1", false).unwrap();
        state.note(done(0)).unwrap();
        assert!(!state.is_journal_made());
        drop(state);
        assert!(!is_made());
        let mut state = open(&root, "1", false).unwrap();
        state.note_journal().unwrap();
        state.note_complete().unwrap();
        fs::remove_dir(state.journal()).unwrap();
        drop(state);
        assert!(!is_made());
    }

    #[test]
    fn of_a_journal_that_is_complete_no_unit_is_asked_for_again_whatever_became_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        let mut state = open(&root, "1", false).unwrap();
        (0..3).for_each(|unit| state.note(done(unit)).unwrap());
        fs::create_dir(state.journal()).unwrap();
        state.note_journal().unwrap();
        state.note_complete().unwrap();
        drop(state);
        let path = root.join(STATE);
        let mut bytes = fs::read(&path).unwrap();
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        bytes[first + 12] ^= 1;
        fs::write(&path, bytes).unwrap();
        let state = open(&root, "1", false).unwrap();
        assert_eq!((state.damaged(), (0..3).all(|unit| state.is_done(unit))), (1, true));
    }

    #[test]
    fn a_flipped_bit_forgets_its_unit_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        let mut state = open(&root, "1", false).unwrap();
        for unit in 0..3 {
            state.note(done(unit)).unwrap();
        }
        drop(state);
        let path = root.join(STATE);
        let mut bytes = fs::read(&path).unwrap();
        let second = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
        bytes[second + 12] ^= 1;
        fs::write(&path, bytes).unwrap();
        let state = open(&root, "1", false).unwrap();
        assert_eq!((state.done().keys().copied().collect::<Vec<_>>(), state.damaged()), (vec![0, 2], 1));
    }

    #[test]
    fn a_file_that_grew_after_its_note_is_kept_and_one_of_a_unit_that_is_over_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        let mut state = open(&root, "1", false).unwrap();
        for (unit, until) in [(0, Some(39_600)), (1, Some(39_600)), (2, Some(39_600)), (3, None)] {
            state.note(Done { bytes: 4, until, ..done(unit) }).unwrap();
        }
        fs::create_dir(state.journal()).unwrap();
        state.note_journal().unwrap();
        let path = |unit: usize| root.join(unit.to_string());
        for (unit, text) in [(0, "same"), (1, "longer"), (3, "longer")] {
            fs::write(path(unit), text).unwrap();
        }
        let kept = |state: &Folder| state.done().values().map(|done| (done.unit, done.bytes)).collect::<Vec<_>>();
        assert_eq!(state.forget_lost(path).unwrap(), 2, "the file that is gone, and that of the day that is over");
        assert_eq!(kept(&state), [(0, 4), (1, 6)]);
        assert!(!state.is_journal_made(), "it is older than the file");
        assert!(!state.is_done(1), "it grows still");
        drop(state);
        let mut state = open(&root, "1", false).unwrap();
        state.note_journal().unwrap();
        state.forget_lost(path).unwrap();
        assert!(state.is_journal_made() && kept(&state) == [(0, 4), (1, 6)], "noted once");
        assert!(state.note_found(3, &path(3)).unwrap() && !state.note_found(2, &path(2)).unwrap());
        assert_eq!(kept(&state), [(0, 4), (1, 6), (3, 6)]);
    }

    #[test]
    fn of_another_list_of_one_length_the_first_difference_is_named() {
        let asked = |symbols: &[&str]| json!({ "request": { "what": "bars", "symbols": symbols }, "units": 2 });
        let said = |symbols: &[&str]| differences(&asked(&["000100", "005930"]), &asked(symbols));
        assert_eq!(said(&["000100", "000660"]), "symbols: place 2 was 005930, now 000660");
        assert_eq!(said(&["000100"]), "symbols was 2 of them, now 1 of them");
    }

    #[test]
    fn another_request_a_second_program_and_a_strangers_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        let state = open(&root, "1", false).unwrap();
        assert!(matches!(open(&root, "1", false), Err(StateError::Busy(_))));
        drop(state);
        let error = open(&root, "2", false).unwrap_err().to_string();
        assert!(error.contains("from was 1, now 2"), "{error}");
        fs::create_dir_all(root.join(DATA).join("x")).unwrap();
        let restarted = open(&root, "2", true).unwrap();
        assert!(!root.join(DATA).exists() && !restarted.is_resumed());
        let strange = folder.path().join("strange");
        fs::create_dir(&strange).unwrap();
        fs::write(strange.join("thesis.txt"), "x").unwrap();
        assert!(matches!(open(&strange, "1", true), Err(StateError::Foreign(_))));
        assert!(strange.join("thesis.txt").exists());
    }
}
