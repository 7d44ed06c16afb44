//! The archive that a file comes in.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

/// Most bytes of a file; the largest known has 6 MB.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The file in an archive, by its name in any case; the only one where none has it. The archive's checksum is checked.
pub(super) fn unpack(archive: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|error| format!("no archive: {error}"))?;
    let is_named = |at: &usize| {
        archive.name_for_index(*at).is_some_and(|inside| inside.is_ok_and(|inside| inside.eq_ignore_ascii_case(name)))
    };
    let at = (0..archive.len()).find(is_named).or(Some(0).filter(|_| archive.len() == 1));
    let at = at.ok_or_else(|| format!("the archive has {} files, and none is {name}", archive.len()))?;
    let file = archive.by_index(at).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(file.size().min(FILE_BYTES_MAX) as usize);
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| format!("damaged archive: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("more than {} MiB: no master file", FILE_BYTES_MAX >> 20));
    }
    Ok(bytes)
}
