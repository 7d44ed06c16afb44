//! Stream `raw` of the new journal: the old one's segments as far as they are committed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use hoga::journal::{Position, Stream};

use super::ReparseError;

/// Copies the segments up to the one at `end`, of which only the bytes before it.
pub(super) fn copy_raw(from: &Path, to: &Path, end: Position) -> Result<(), ReparseError> {
    let (from, to) = (from.join(Stream::Raw.name()), to.join(Stream::Raw.name()));
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| ReparseError::Io { path, source }
    };
    fs::create_dir_all(&to).map_err(fail(&to))?;
    for entry in fs::read_dir(&from).map_err(fail(&from))? {
        let name = entry.map_err(fail(&from))?.file_name();
        let Some(ordinal) = name.to_str().and_then(ordinal_of) else { continue };
        let (source, target) = (from.join(&name), to.join(&name));
        if ordinal > end.ordinal {
            continue;
        }
        if ordinal < end.ordinal || name.to_str().is_some_and(|name| name.ends_with(".zst")) {
            fs::copy(&source, &target).map_err(fail(&target))?;
        } else {
            copy_head(&source, &target, end.offset).map_err(fail(&target))?;
        }
    }
    File::open(&to).and_then(|folder| folder.sync_all()).map_err(fail(&to))
}

/// Ordinal of a segment, plain or packed.
fn ordinal_of(name: &str) -> Option<u64> {
    let plain = name.strip_suffix(".zst").unwrap_or(name);
    hoga::journal::format::segment_ordinal(plain)
}

/// The first `bytes` of a file; what follows, up to its size, is zero.
fn copy_head(source: &Path, target: &Path, bytes: u64) -> io::Result<()> {
    let from = File::open(source)?;
    let size = from.metadata()?.len();
    let mut to = OpenOptions::new().write(true).create_new(true).open(target)?;
    // The `End` of a closed stream stands behind the last record handed over.
    let bytes = (bytes + hoga::journal::format::END_BYTES as u64).min(size);
    io::copy(&mut from.take(bytes), &mut to)?;
    to.set_len(size)?;
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_known_plain_and_packed() {
        assert_eq!(ordinal_of("0000000007.seg"), Some(7));
        assert_eq!(ordinal_of("0000000007.seg.zst"), Some(7));
        assert_eq!(ordinal_of("control"), None);
        assert_eq!(ordinal_of("0000000007.seg.tmp"), None);
    }
}
