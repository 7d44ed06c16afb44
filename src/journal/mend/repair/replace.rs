//! How a file is replaced without losing one: it gets a second name in `quarantine/`, with a `.json` beside it that says
//! why, and which bytes take its place, before they do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Action, ActionKind, Repair, RepairError, io_at, ordinal_of};
use crate::clock::wall_ns;
use crate::journal::QUARANTINE_NAME;
use crate::journal::format::{Stream, packed_name, segment_name};
use crate::journal::manifest::{sha256, store_whole};
use crate::journal::packed::pack;
use crate::journal::segment::SegmentReader;
use crate::journal::source::Source;
use crate::journal::walk::Finding;
use crate::sys::file::{sync_file, sync_folder};

/// What was put by.
pub(super) struct Kept {
    /// The file, relative to the journal; `None` = there was none.
    pub(super) file: Option<String>,
    /// What is said of it.
    beside: PathBuf,
    about: serde_json::Value,
}

impl Kept {
    /// Says which bytes will stand in the place of the file, before they do: `verify` holds a sealed segment against it.
    /// `fresh` holds them, up to `end`.
    pub(super) fn note_replaced(&self, fresh: &Path, end: u64) -> io::Result<()> {
        let reader = SegmentReader::open(fresh)?;
        let bytes = usize::try_from(end).ok().and_then(|end| reader.settled(0, end));
        let bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut about = self.about.clone();
        about["replaced_by"] = json!({ "bytes": end, "sha256": sha256(bytes) });
        store_whole(&self.beside, format!("{about}\n").as_bytes())
    }
}

impl Repair<'_> {
    /// A second name in `quarantine/` for every form of a segment that is about to be replaced under its own; a copy
    /// where the file system knows no second names.
    pub(super) fn put_by(
        &self,
        folder: &Path,
        stream: Stream,
        source: &Source,
        findings: &[&Finding],
    ) -> Result<Kept, RepairError> {
        let mut forms = source.forms(folder).into_iter();
        let first = forms.next();
        let kept = self.put_form_by(folder, stream, source.ordinal, first.as_deref(), findings)?;
        for form in forms {
            self.put_form_by(folder, stream, source.ordinal, Some(&form), findings)?;
        }
        Ok(kept)
    }

    /// `form`: the file's name; `None` = there is none, and only what takes its place is noted.
    fn put_form_by(
        &self,
        folder: &Path,
        stream: Stream,
        ordinal: u64,
        form: Option<&str>,
        findings: &[&Finding],
    ) -> Result<Kept, RepairError> {
        let name = form.map_or_else(|| segment_name(ordinal), str::to_owned);
        let from = folder.join(&name);
        let quarantine = self.dir.join(QUARANTINE_NAME);
        fs::create_dir_all(&quarantine).map_err(io_at(&quarantine))?;
        let beside = |kept: &str| quarantine.join(format!("{kept}.json"));
        let mut attempt = 0;
        let kept = loop {
            let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
            let kept = format!("{}-{name}{suffix}", stream.name());
            let to = quarantine.join(&kept);
            attempt += 1;
            if !to.exists() && beside(&kept).exists() || form.is_none() && to.exists() {
                // Something said of another file.
                continue;
            }
            if form.is_none() {
                break kept;
            }
            match fs::hard_link(&from, &to) {
                Ok(()) => break kept,
                // A repair before this one was interrupted behind this step.
                Err(_) if same_file(&from, &to) => break kept,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) if !to.exists() => {
                    fs::copy(&from, &to).map_err(io_at(&to))?;
                    fs::File::open(&to).and_then(|file| sync_file(&file)).map_err(io_at(&to))?;
                    break kept;
                }
                Err(error) => return Err(io_at(&to)(error)),
            }
        };
        let why: Vec<serde_json::Value> = findings
            .iter()
            .filter(|finding| ordinal_of(finding) == Some(ordinal))
            .map(|finding| json!({ "offset": finding.offset, "reason": finding.reason.to_string() }))
            .collect();
        let about = json!({ "file": format!("{}/{name}", stream.name()), "findings": why, "repaired_ns": wall_ns() });
        let beside = beside(&kept);
        store_whole(&beside, format!("{about}\n").as_bytes()).map_err(io_at(&beside))?;
        sync_folder(&quarantine).and_then(|()| sync_folder(self.dir)).map_err(io_at(&quarantine))?;
        let file = form.map(|_| format!("{QUARANTINE_NAME}/{kept}"));
        Ok(Kept { file, beside, about })
    }

    /// Of a segment in both forms, of which only the compressed one is whole, puts the other away.
    pub(super) fn keep_packed(
        &mut self,
        folder: &Path,
        stream: Stream,
        source: &Source,
        findings: &[&Finding],
    ) -> Result<(), RepairError> {
        let name = segment_name(source.ordinal);
        let kept = self.put_form_by(folder, stream, source.ordinal, Some(&name), findings)?;
        remove_form(folder, &name)?;
        let reason = "the compressed form beside it is whole".to_owned();
        let action: &mut Action = self.act(format!("{}/{name}", stream.name()), ActionKind::KeepPacked, reason);
        action.quarantine = kept.file;
        Ok(())
    }
}

impl Repair<'_> {
    /// Compresses a segment anew whose frames are good and whose seek table is not. One that does not unpack to the same
    /// bytes afterwards, or not at all, stays as it is: damaged frames are another finding.
    pub(super) fn pack_anew(&mut self, stream: Stream, finding: &Finding) -> Result<(), RepairError> {
        let Some(ordinal) = ordinal_of(finding) else { return Ok(()) };
        let folder = self.dir.join(stream.name());
        let (name, plain) = (packed_name(ordinal), folder.join(segment_name(ordinal)));
        let (path, part) = (folder.join(&name), folder.join(format!("{name}.part")));
        if plain.exists() {
            // What is read is the other form; sealing compresses it anew.
            return Ok(());
        }
        let digest = |path: &Path| -> io::Result<Option<(SegmentReader, usize, String)>> {
            let reader = SegmentReader::open_packed(path)?;
            let bytes = reader.content_bytes().unwrap_or(0);
            let digest = reader.settled(0, bytes).map(sha256);
            Ok(digest.filter(|_| reader.damage().is_none()).map(|digest| (reader, bytes, digest)))
        };
        let Some((reader, bytes, before)) = digest(&path).map_err(io_at(&path))? else { return Ok(()) };
        let packed = fs::File::create(&part).and_then(|file| {
            pack(&reader, bytes, io::BufWriter::with_capacity(1 << 16, &file))?;
            sync_file(&file)?;
            Ok(digest(&part)?.is_some_and(|(reader, _, after)| after == before && !reader.has_damaged_table()))
        });
        if !packed.map_err(io_at(&part))? {
            return fs::remove_file(&part).map_err(io_at(&part));
        }
        let kept = self.put_form_by(&folder, stream, ordinal, Some(&name), std::slice::from_ref(&finding))?;
        fs::rename(&part, &path).and_then(|()| sync_folder(&folder)).map_err(io_at(&path))?;
        let action = self.act(finding.segment.clone(), ActionKind::SeekTable, finding.reason.to_string());
        action.quarantine = kept.file;
        Ok(())
    }
}

/// Takes a form of a segment away that has a second name in `quarantine/`, if it is there.
pub(super) fn remove_form(folder: &Path, name: &str) -> Result<(), RepairError> {
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Ok(()) => sync_folder(folder).map_err(io_at(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_at(&path)(error)),
    }
}

/// Where a repair put what stood in the place of a segment, if the bytes there now are those it wrote.
pub(in crate::journal) fn replaced(
    folder: &Path,
    stream: Stream,
    ordinal: u64,
    reader: &SegmentReader,
) -> Option<String> {
    let dir = folder.parent()?;
    let begins = [format!("{}-{}", stream.name(), segment_name(ordinal)), ".json".to_owned()];
    let entries = fs::read_dir(dir.join(QUARANTINE_NAME)).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with(&begins[0]) && name.ends_with(&begins[1])) {
        let path = dir.join(QUARANTINE_NAME).join(&name);
        let about = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
        let Some(by) = about.map(|about| about["replaced_by"].clone()) else { continue };
        let end = by["bytes"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = end.and_then(|end| reader.settled(0, end));
        if bytes.is_some_and(|bytes| by["sha256"] == sha256(bytes)) {
            // Of a segment that was missing there is only what is said of it.
            let kept = name.trim_end_matches(".json");
            let is_there = dir.join(QUARANTINE_NAME).join(kept).exists();
            return Some(format!("{QUARANTINE_NAME}/{}", if is_there { kept } else { &name }));
        }
    }
    None
}

fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
