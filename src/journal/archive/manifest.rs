//! What a seal says: the entry of a segment, the chain over them, the manifest of a day. Byte facts stand in
//! [`format`](crate::journal::format).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::journal::format::{SegmentHeader, Stream, segment_ordinal};
use crate::journal::index::Summary;
use crate::sys::file::{sync_file, sync_folder};
use crate::tick::{Publisher, RType};

/// Folder of the manifests.
pub(crate) const SEALS_NAME: &str = "seals";
/// What a chain begins with, and stands for a digest while it is computed.
pub(in crate::journal) const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const FORMAT: &str = "hoga-seals";
const VERSION: u32 = 1;

/// What is wrong with a seal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealFault {
    /// A manifest that can't be read, or was changed.
    #[error("the manifest is damaged: {0}")]
    Manifest(String),
    /// The segment's bytes are not those that were sealed.
    #[error("the segment has digest {found}, but was sealed with {expected}")]
    Digest {
        /// Of the bytes there.
        found: String,
        /// In the manifest.
        expected: String,
    },
    /// A repair wrote the segment anew after it was sealed.
    #[error("the segment was repaired after it was sealed: {quarantine} is what was there")]
    Repaired {
        /// The file, relative to the journal.
        quarantine: String,
    },
    /// A seal does not follow from its entry and the seal before it.
    #[error("the seal of {segment} does not follow from its entry and the seal before it: {which}")]
    Chain {
        /// The segment.
        segment: String,
        /// Which of the two.
        which: &'static str,
    },
    /// The entry tells other figures than the segment.
    #[error("the manifest says {expected}, the segment holds {found}")]
    Summary {
        /// In the segment.
        found: String,
        /// In the manifest.
        expected: String,
    },
}

/// A sealed segment, as its day's manifest tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSegment {
    /// Name of its stream.
    pub stream: String,
    /// Its ordinal.
    pub ordinal: u64,
    /// Opening that wrote it.
    pub epoch: u64,
    /// Trading date as in its header, decimal YYYYMMDD; 0 = not told.
    pub trading_date: u32,
    /// Sequence of its first record, or the one that would follow.
    pub first_sequence: u64,
    /// Sequence of its last record.
    pub last_sequence: u64,
    /// Numbered records.
    pub records: u64,
    /// Committed bytes: those the digest is of.
    pub bytes: u64,
    /// Bytes of the whole segment.
    pub segment_bytes: u64,
    /// Earliest `ts_recv`, ns since the UNIX epoch; none without records.
    pub ts_recv_first: Option<u64>,
    /// Latest `ts_recv`.
    pub ts_recv_last: Option<u64>,
    /// Records by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Records by venue.
    pub venues: BTreeMap<String, u64>,
    /// Symbols of which there are records, by market.
    pub instruments: BTreeMap<String, Vec<String>>,
    /// SHA-256 of the committed bytes, hexadecimal.
    pub digest: String,
    /// Seal of the segment before it in the stream; zeros for the first.
    pub previous: String,
    /// SHA-256 of `previous` and what identifies this segment, see [`format`](crate::journal::format).
    pub seal: String,
}

impl SealedSegment {
    /// The entry of a segment with its seal.
    pub(in crate::journal) fn new(
        stream: Stream,
        header: &SegmentHeader,
        summary: &Summary,
        digest: String,
        previous: &str,
    ) -> Self {
        let mut instruments: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for key in summary.instruments.values() {
            instruments.entry(key.market().into_owned()).or_default().push(key.symbol().into_owned());
        }
        instruments.values_mut().for_each(|symbols| symbols.sort_unstable());
        let kind =
            |kind: &u8| RType::from_number(*kind).map_or_else(|| kind.to_string(), |kind| kind.name().to_owned());
        let venue = |number: &u16| {
            Publisher::from_number(*number).map_or_else(|| number.to_string(), |known| known.venue().to_owned())
        };
        let has = summary.records > 0;
        let mut entry = SealedSegment {
            stream: stream.name().to_owned(),
            ordinal: header.prepared.ordinal,
            epoch: header.prepared.epoch,
            trading_date: header.activation.map_or(0, |activation| activation.trading_date),
            first_sequence: summary.first_sequence,
            last_sequence: summary.last_sequence,
            records: summary.records,
            bytes: summary.bytes,
            segment_bytes: header.prepared.segment_bytes,
            ts_recv_first: has.then_some(summary.ts_recv.0),
            ts_recv_last: has.then_some(summary.ts_recv.1),
            kinds: summary.kinds.iter().map(|(number, records)| (kind(number), *records)).collect(),
            venues: summary.publishers.iter().map(|(number, records)| (venue(number), *records)).collect(),
            instruments,
            digest,
            previous: previous.to_owned(),
            seal: String::new(),
        };
        entry.seal = entry.expected_seal();
        entry
    }

    /// The seal this entry should carry.
    pub fn expected_seal(&self) -> String {
        let SealedSegment {
            previous, stream, ordinal, trading_date, first_sequence, last_sequence, bytes, digest, ..
        } = self;
        sha256(
            format!(
                "hoga-seal 1\n{previous}\n{stream}\n{ordinal}\n{trading_date}\n{first_sequence}\n{last_sequence}\n\
                 {bytes}\n{digest}\n"
            )
            .as_bytes(),
        )
    }
}

/// The last segment of each stream that is sealed; 0 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::journal) struct SealedTo {
    ticks: u64,
    raw: u64,
}

impl SealedTo {
    pub(in crate::journal) fn of(self, stream: Stream) -> u64 {
        match stream {
            Stream::Ticks => self.ticks,
            Stream::Raw => self.raw,
        }
    }
}

/// The seals of a trading day: `seals/2026-11-23.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `hoga-seals`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// The trading day, YYYY-MM-DD.
    pub day: String,
    /// When it was last sealed, ns since the UNIX epoch.
    pub sealed_ns: u64,
    /// Its segments, by stream and ordinal.
    pub segments: Vec<SealedSegment>,
    /// SHA-256 of the file with these 64 digits, the last in it, as zeros.
    pub digest: String,
}

impl Manifest {
    pub(in crate::journal) fn new(day: &str) -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            day: day.to_owned(),
            sealed_ns: 0,
            segments: Vec::new(),
            digest: ZEROS.to_owned(),
        }
    }

    /// Reads the manifests of a journal, by day; a bad one with what is wrong.
    ///
    /// # Errors
    ///
    /// Those of reading the folder or a file; there being no folder is no error.
    pub fn read_all(dir: &Path) -> io::Result<Vec<(PathBuf, Result<Manifest, SealFault>)>> {
        Manifest::paths(dir)?
            .into_iter()
            .map(|path| Ok((path.clone(), Manifest::check(&path, &fs::read(&path)?))))
            .collect()
    }

    /// The files, by day.
    fn paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(dir.join(SEALS_NAME)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// The last segment of each stream that is sealed: the newest manifest that names one tells, since the segments of
    /// a stream are sealed in order, and so does a compressed one. A manifest that can't be read tells nothing; `verify`
    /// names it.
    pub(in crate::journal) fn sealed_to(dir: &Path) -> io::Result<SealedTo> {
        let mut to = SealedTo::default();
        let mut paths = Manifest::paths(dir)?;
        while let Some(path) = paths.pop().filter(|_| to.ticks == 0 || to.raw == 0) {
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let Ok(manifest) = Manifest::check(&path, &bytes) else { continue };
            for (stream, known) in [(Stream::Ticks, &mut to.ticks), (Stream::Raw, &mut to.raw)] {
                let own = manifest.segments.iter().filter(|entry| entry.stream == stream.name());
                if *known == 0 {
                    *known = own.map(|entry| entry.ordinal).max().unwrap_or(0);
                }
            }
        }
        for (stream, known) in [(Stream::Ticks, &mut to.ticks), (Stream::Raw, &mut to.raw)] {
            *known = packed_to(&dir.join(stream.name()))?.max(*known);
        }
        Ok(to)
    }

    fn check(path: &Path, bytes: &[u8]) -> Result<Manifest, SealFault> {
        let bad = |what: String| SealFault::Manifest(what);
        let text = std::str::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
        let manifest: Manifest = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if manifest.format != FORMAT || manifest.version > VERSION {
            return Err(bad(format!("{} {} is not known here", manifest.format, manifest.version)));
        }
        if path.file_stem().is_none_or(|stem| *stem != *manifest.day) {
            return Err(bad(format!("it is of {}, not what its name says", manifest.day)));
        }
        let found = digest_of(text, &manifest.digest);
        if manifest.digest.len() != ZEROS.len() || found.as_ref() != Some(&manifest.digest) {
            return Err(bad(format!("digest {}, computed {}", manifest.digest, found.unwrap_or_default())));
        }
        Ok(manifest)
    }

    /// Puts the manifest in place of the one there, whole or not at all.
    pub(in crate::journal) fn store(&mut self, dir: &Path) -> io::Result<()> {
        let order = |entry: &SealedSegment| (entry.stream != Stream::Ticks.name(), entry.ordinal);
        self.segments.sort_by_key(order);
        self.digest = ZEROS.to_owned();
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let digest = digest_of(&text, ZEROS).unwrap_or_default();
        if let Some(at) = text.rfind(ZEROS) {
            text.replace_range(at..at + ZEROS.len(), &digest);
        }
        self.digest = digest;
        let folder = dir.join(SEALS_NAME);
        fs::create_dir_all(&folder)?;
        sync_folder(dir)?;
        store_whole(&folder.join(format!("{}.json", self.day)), text.as_bytes())
    }
}

/// The last segment of a folder that is compressed, 0 = none.
fn packed_to(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut last = 0;
    for entry in entries {
        let name = entry?.file_name();
        let packed = name.to_str().filter(|name| name.ends_with(".zst")).and_then(segment_ordinal);
        last = packed.unwrap_or(0).max(last);
    }
    Ok(last)
}

/// The digest of a manifest's text in which `digest` stands for zeros.
fn digest_of(text: &str, digest: &str) -> Option<String> {
    let at = text.rfind(digest)?;
    let mut hash = Sha256::new();
    hash.update(&text[..at]);
    hash.update(ZEROS);
    hash.update(&text[at + digest.len()..]);
    Some(hex(&hash.finalize()))
}

/// Writes a file under another name, syncs it, and renames it into place.
pub(in crate::journal) fn store_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("json.part");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    sync_file(&file)?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// SHA-256 as hexadecimal digits.
pub(in crate::journal) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
