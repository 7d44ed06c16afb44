//! The broker's symbol masters: archives it makes anew each day, without keys, unpacked and checked.
//!
//! A file gets its name when it is whole: the archive's own checksum and length were right, and it is on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hoga_table::Temporary;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Moment;
use crate::market::kst;
use crate::sys::file::sync_folder;

/// Where the broker has them.
pub const BASE_URL: &str = "https://new.real.download.dws.co.kr/common/master";
/// What an engine of Korean stocks needs: KOSPI, KOSDAQ, KONEX, those that Nextrade trades, indices, themes.
pub const FILES: [&str; 7] = [
    "kospi_code.mst",
    "kosdaq_code.mst",
    "konex_code.mst",
    "nxt_kospi_code.mst",
    "nxt_kosdaq_code.mst",
    "idxcode.mst",
    "theme_code.mst",
];
/// A master is some megabytes.
const BYTES_MAX: u64 = 256 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);
const TRIES: u32 = 3;
const STATE: &str = "masters.json";

/// Why a master is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterError {
    /// Not the name of a file of the broker.
    #[error("`{0}` is no name of a master: expected letters, digits, `_` and `.`, as kospi_code.mst")]
    Name(String),
    /// The server was not reached or refused.
    #[error("{url}: {message}")]
    Transport {
        /// What was asked for.
        url: String,
        /// What the HTTP library said.
        message: String,
    },
    /// Not an archive, or not of this file, or damaged.
    #[error("{url}: not the archive of {name}: {message}")]
    Archive {
        /// What was asked for.
        url: String,
        /// The file.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A master that is there.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Master {
    /// Bytes unpacked.
    pub bytes: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
    /// Korean date of the download, decimal YYYYMMDD.
    pub date: u32,
}

/// Masters that a folder has, by name.
pub type Masters = BTreeMap<String, Master>;

/// What a folder says that it has. A note that can't be read is none: what it said is downloaded again.
pub fn known(folder: &Path) -> Masters {
    fs::read(folder.join(STATE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Downloads one file unless the folder has it of today; whether it did.
///
/// # Errors
///
/// See [`MasterError`]; what was there stays.
pub fn download(
    base_url: &str,
    name: &str,
    folder: &Path,
    moment: &Moment,
    masters: &mut Masters,
) -> Result<bool, MasterError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_name) {
        return Err(MasterError::Name(name.to_owned()));
    }
    let path = folder.join(name);
    let date = kst::number_of(moment.date());
    let is_there = |master: &Master| {
        master.date == date && fs::read(&path).is_ok_and(|bytes| hex(&Sha256::digest(&bytes)) == master.sha256)
    };
    if masters.get(name).is_some_and(is_there) {
        return Ok(false);
    }
    let url = format!("{}/{name}.zip", base_url.trim_end_matches('/'));
    let bytes = unpack(&url, name, &get(&url)?)?;
    let fail = |source| MasterError::Io { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(fail)?;
    write(&path, &bytes).map_err(fail)?;
    let master = Master { bytes: bytes.len() as u64, sha256: hex(&Sha256::digest(&bytes)), date };
    masters.insert(name.to_owned(), master);
    let state = folder.join(STATE);
    let note = || write(&state, &serde_json::to_vec_pretty(masters).map_err(io::Error::other)?);
    note().map_err(|source| MasterError::Io { path: state.clone(), source })?;
    Ok(true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (temporary, mut file) = Temporary::create(path)?;
    file.write_all(bytes)?;
    temporary.sync()?;
    temporary.publish()?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn get(url: &str) -> Result<Vec<u8>, MasterError> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    let mut wait = Duration::from_millis(500);
    let mut tries = 1;
    loop {
        let answer =
            agent.get(url).call().and_then(|mut answer| answer.body_mut().with_config().limit(BYTES_MAX).read_to_vec());
        match answer {
            Ok(bytes) => return Ok(bytes),
            // What is not there won't come.
            Err(ureq::Error::StatusCode(status)) if status < 500 => {
                return Err(MasterError::Transport { url: url.to_owned(), message: format!("HTTP {status}") });
            }
            Err(error) if tries >= TRIES => {
                return Err(MasterError::Transport { url: url.to_owned(), message: error.to_string() });
            }
            Err(_) => {
                std::thread::sleep(wait);
                wait *= 2;
                tries += 1;
            }
        }
    }
}

/// The file of an archive; its checksum is looked at by the library when it is read to its end.
fn unpack(url: &str, name: &str, archive: &[u8]) -> Result<Vec<u8>, MasterError> {
    let fail = |message: String| MasterError::Archive { url: url.to_owned(), name: name.to_owned(), message };
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(|error| fail(error.to_string()))?;
    let file = archive.by_name(name).map_err(|error| fail(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| fail(error.to_string()))?;
    if bytes.is_empty() || bytes.len() as u64 > BYTES_MAX {
        return Err(fail(format!("{} bytes", bytes.len())));
    }
    Ok(bytes)
}
