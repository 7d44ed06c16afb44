//! The files of today, from the broker's server. It wants no key.

use std::path::Path;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::civil::Date;

use super::archive;
use super::cache::ORIGIN;
use super::files::{FILES, MasterFile};
use super::{Cache, Masters, MastersError};
use crate::feed::kis::environment::server_of;
use crate::feed::kis::rest::is_loopback;

/// Where the broker has its master files.
pub const DOWNLOAD_URL: &str = "https://new.real.download.dws.co.kr";
const FOLDER: &str = "/common/master/";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest archive; the longest known has less than 1 MiB.
const ARCHIVE_BYTES_MAX: u64 = 64 << 20;
const RETRIES: usize = 2;
const RETRY_DELAY: Duration = Duration::from_millis(300);

/// What was downloaded.
#[derive(Clone, Debug)]
pub struct Downloaded {
    /// The list of all of it.
    pub masters: Masters,
    /// Bytes of the archives.
    pub bytes: u64,
}

/// Gets all master files and puts them into a cache as the files of a day. A file that the server doesn't have is left out and
/// named in [`Masters::missing`], unless it is that of KOSPI or KOSDAQ. Blocks; a few seconds with the broker.
///
/// # Errors
///
/// A file can't be had, is no whole archive, or the cache can't be written. Nothing in the cache was changed then.
pub fn download(dir: &Path, date: Date, base_url: &str) -> Result<Downloaded, MastersError> {
    let base = base_url.trim_end_matches('/');
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ANSWER_TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false);
    // A proxy of the environment is for the world, not for a venue on this host.
    let config = if is_loopback(base) { config.proxy(None) } else { config };
    let agent: ureq::Agent = config.build().into();
    let mut files = Vec::with_capacity(FILES.len());
    for (place, file) in FILES.iter().enumerate() {
        let url = format!("{base}{FOLDER}{}", file.archive());
        match fetch_patiently(&agent, &url, file) {
            Ok(Some(bytes)) => files.push((file.archive(), bytes)),
            Ok(None) if place > 1 => tracing::warn!(url, "the server doesn't have this file"),
            Ok(None) => {
                let message = "the server doesn't have it; is the address right?".to_owned();
                return Err(MastersError::Download { url, message });
            }
            Err(Refused { message, .. }) => return Err(MastersError::Download { url, message }),
        }
    }
    files.push((ORIGIN.to_owned(), server_of(base).into_bytes()));
    Cache::new(dir).install(date, &files)?;
    files.pop();
    let masters = Masters::read(date, files.iter().map(|(name, bytes)| (&**name, &**bytes)));
    Ok(Downloaded { masters, bytes: files.iter().map(|(_, bytes)| bytes.len() as u64).sum() })
}

/// Why a file was not had.
struct Refused {
    message: String,
    /// Whether the next attempt may have it.
    may_pass: bool,
}

fn fetch_patiently(agent: &ureq::Agent, url: &str, file: &MasterFile) -> Result<Option<Vec<u8>>, Refused> {
    let delays = ExponentialBuilder::default().with_min_delay(RETRY_DELAY).with_max_times(RETRIES).with_jitter();
    for delay in delays.build() {
        match fetch(agent, url, file) {
            Err(refused) if refused.may_pass => {
                tracing::warn!(url, refused.message, "the file was not had; it is asked for again");
                std::thread::sleep(delay);
            }
            answer => return answer,
        }
    }
    fetch(agent, url, file)
}

/// An archive that can be unpacked; `None` where the server has none.
fn fetch(agent: &ureq::Agent, url: &str, file: &MasterFile) -> Result<Option<Vec<u8>>, Refused> {
    let unreached = |error: ureq::Error| Refused { message: error.to_string(), may_pass: true };
    let mut response = agent.get(url).call().map_err(unreached)?;
    match response.status().as_u16() {
        200 => {}
        404 => return Ok(None),
        status => return Err(Refused { message: format!("HTTP {status}"), may_pass: status >= 500 }),
    }
    let bytes = response.body_mut().with_config().limit(ARCHIVE_BYTES_MAX).read_to_vec().map_err(unreached)?;
    match archive::unpack(&bytes, file.name) {
        Ok(_) => Ok(Some(bytes)),
        Err(message) => Err(Refused { message, may_pass: true }),
    }
}
