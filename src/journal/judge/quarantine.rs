//! Where an opening puts bytes it cuts: copied and synced before anything is zeroed, with the reason beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::clock::wall_ns;
use crate::journal::QUARANTINE_NAME;
use crate::journal::format::{Stream, segment_name};
use crate::journal::walk::Finding;
use crate::sys::file::{sync_file, sync_folder};

/// Why bytes are put away.
#[derive(Debug)]
pub(in crate::journal) struct Why<'a> {
    /// What was found.
    pub(in crate::journal) finding: &'a Finding,
    /// The row of the decision table.
    pub(in crate::journal) row: &'static str,
    /// Sequence that follows the last record kept.
    pub(in crate::journal) next_sequence: u64,
}

impl Why<'_> {
    fn to_json(&self, offset: u64, bytes: u64) -> String {
        let about = serde_json::json!({
            "segment": self.finding.segment,
            "offset": offset,
            "bytes": bytes,
            "verdict": self.finding.verdict.name(),
            "case": self.finding.case.name(),
            "row": self.row,
            "reason": self.finding.reason.to_string(),
            "next_sequence": self.next_sequence,
            "cut_ns": wall_ns(),
        });
        format!("{about}\n")
    }
}

/// Copies what stands in a segment from an offset on, without the zeros at its end; returns how many bytes.
pub(in crate::journal) fn keep_tail(
    dir: &Path,
    stream: Stream,
    ordinal: u64,
    offset: usize,
    why: &Why<'_>,
) -> io::Result<usize> {
    let mut bytes = read_from(&dir.join(stream.name()).join(segment_name(ordinal)), offset)?;
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    if bytes.is_empty() {
        return Ok(0);
    }
    let folder = make_folder(dir)?;
    let name = free_name(&folder, &format!("{}-{ordinal:010}-{offset}", stream.name()), "bin");
    write_synced(&folder.join(format!("{name}.json")), why.to_json(offset as u64, bytes.len() as u64).as_bytes())?;
    write_synced(&folder.join(format!("{name}.bin")), &bytes)?;
    sync_folder(&folder)?;
    Ok(bytes.len())
}

/// Moves a whole segment away, as a file; returns its bytes.
pub(in crate::journal) fn keep_segment(dir: &Path, stream: Stream, ordinal: u64, why: &Why<'_>) -> io::Result<u64> {
    let from_folder = dir.join(stream.name());
    let from = from_folder.join(segment_name(ordinal));
    let folder = make_folder(dir)?;
    let bytes = fs::metadata(&from)?.len();
    let name = free_name(&folder, &format!("{}-{ordinal:010}", stream.name()), "seg");
    write_synced(&folder.join(format!("{name}.json")), why.to_json(0, bytes).as_bytes())?;
    sync_folder(&folder)?;
    fs::rename(&from, folder.join(format!("{name}.seg")))?;
    // The new name first: were only the removal of the old one durable, the bytes would be gone.
    sync_folder(&folder)?;
    sync_folder(&from_folder)?;
    Ok(bytes)
}

/// Copies a file that will be made anew, with what is known about it beside it; returns the copy's name, relative to the
/// journal.
pub(in crate::journal) fn keep_copy(
    dir: &Path,
    path: &Path,
    name: &str,
    about: &serde_json::Value,
) -> io::Result<String> {
    let bytes = fs::read(path)?;
    let folder = make_folder(dir)?;
    let name = free_name(&folder, name, "bin");
    write_synced(&folder.join(format!("{name}.json")), format!("{about}\n").as_bytes())?;
    write_synced(&folder.join(format!("{name}.bin")), &bytes)?;
    sync_folder(&folder)?;
    Ok(format!("{QUARANTINE_NAME}/{name}.bin"))
}

fn make_folder(dir: &Path) -> io::Result<std::path::PathBuf> {
    let folder = dir.join(QUARANTINE_NAME);
    fs::create_dir_all(&folder)?;
    sync_folder(dir)?;
    Ok(folder)
}

/// A name that nothing has yet, so that nothing put away before is overwritten. The caller holds the journal's lock.
fn free_name(folder: &Path, name: &str, extension: &str) -> String {
    let taken = |name: &str| folder.join(format!("{name}.{extension}")).exists();
    let mut free = name.to_owned();
    let mut attempt = 0;
    while taken(&free) {
        attempt += 1;
        free = format!("{name}-{attempt}");
    }
    free
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    sync_file(&file)
}

fn read_from(path: &Path, offset: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset as u64))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
