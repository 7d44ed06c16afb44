//! A segment as it was found: its header alone. The records are opened where they are needed and let go again, since of a
//! compressed segment they are memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::journal::format::{FORMAT_MAJOR, HeaderError, SegmentHeader, Stream, packed_name, segment_name};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Tail, walk};

/// A segment as it was found.
#[derive(Debug)]
pub(in crate::journal) struct Source {
    pub(in crate::journal) ordinal: u64,
    /// `None`: the file is not there.
    pub(in crate::journal) path: Option<PathBuf>,
    /// Bytes of the segment.
    pub(in crate::journal) bytes: u64,
    pub(in crate::journal) header: Option<SegmentHeader>,
    /// Why there is no header.
    pub(in crate::journal) header_error: Option<HeaderError>,
}

impl Source {
    /// A segment that is not there.
    pub(in crate::journal) fn missing(ordinal: u64) -> Source {
        Source { ordinal, path: None, bytes: 0, header: None, header_error: None }
    }

    /// Looks at the header of a segment, uncompressed if it is there in both forms.
    pub(in crate::journal) fn look(folder: &Path, stream: Stream, ordinal: u64) -> io::Result<Source> {
        let forms = [segment_name(ordinal), packed_name(ordinal)].map(|name| folder.join(name));
        for path in forms {
            match open_file(&path) {
                Ok(reader) => return Ok(Source::of(path, &reader, stream, ordinal)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Source::missing(ordinal))
    }

    fn of(path: PathBuf, reader: &SegmentReader, stream: Stream, ordinal: u64) -> Source {
        let mut checked = reader.checked_header(stream, ordinal);
        if let Err(HeaderError::Version(_)) = checked
            && let Ok(mut said) = reader.header()
        {
            // Its place is the same in every major: the checksum tells a newer program's header from damage.
            let (expected, found) = (said.prepared.crc(), said.prepared.prepared_crc);
            if expected != found {
                said.prepared.format_major = FORMAT_MAJOR;
                let mended = said.prepared.crc() == found;
                checked = if mended {
                    said.check(stream, ordinal)
                } else {
                    Err(HeaderError::PreparedCrc { expected, found })
                };
            }
        }
        let header_error = checked.as_ref().err().copied();
        Source { ordinal, path: Some(path), bytes: reader.len() as u64, header: checked.ok(), header_error }
    }

    /// Opens the file, everything unpacked that can be; `None` when it is not there.
    pub(in crate::journal) fn open(&self) -> io::Result<Option<SegmentReader>> {
        let Some(path) = &self.path else { return Ok(None) };
        let reader = open_file(path)?;
        reader.unpack_what_can_be();
        Ok(Some(reader))
    }

    /// Of a segment that is there in both forms, as a compression leaves it that was killed: the compressed one, if only
    /// that is whole.
    pub(in crate::journal) fn better_form(&self, stream: Stream) -> io::Result<Option<Source>> {
        let Some(path) = self.path.as_ref().filter(|path| path.extension().is_some_and(|form| form == "seg")) else {
            return Ok(None);
        };
        let packed = path.with_file_name(packed_name(self.ordinal));
        if !packed.exists() || is_whole(&open_file(path)?, stream, self.ordinal) {
            return Ok(None);
        }
        let reader = open_file(&packed)?;
        let is_better = is_whole(&reader, stream, self.ordinal);
        Ok(is_better.then(|| Source::of(packed, &reader, stream, self.ordinal)))
    }

    /// The files of the segment that are there, by name.
    pub(in crate::journal) fn forms(&self, folder: &Path) -> Vec<String> {
        let names = [segment_name(self.ordinal), packed_name(self.ordinal)];
        names.into_iter().filter(|name| fs::metadata(folder.join(name)).is_ok()).collect()
    }

    /// Sequence of the first record, if the header tells.
    pub(in crate::journal) fn base(&self) -> Option<u64> {
        Some(self.header?.activation?.base_sequence)
    }

    /// Whether a newer program wrote it: then what this one knows of segments says nothing.
    pub(in crate::journal) fn newer(&self) -> Option<u16> {
        match self.header_error {
            Some(HeaderError::Version(major)) => Some(major),
            _ => None,
        }
    }

    /// Whether it was made and never used.
    pub(in crate::journal) fn is_unused(&self) -> bool {
        self.header.is_some_and(|header| header.activation.is_none())
    }
}

fn open_file(path: &Path) -> io::Result<SegmentReader> {
    match path.extension() {
        Some(form) if form == "zst" => SegmentReader::open_packed(path),
        _ => SegmentReader::open(path),
    }
}

/// Whether a segment that nobody writes is good from its header to its end.
fn is_whole(reader: &SegmentReader, stream: Stream, ordinal: u64) -> bool {
    let Ok(header) = reader.checked_header(stream, ordinal) else { return false };
    header.activation.is_some() && walk(reader, &header, true, |_, _, _| {}).tail == Tail::Ended
}
