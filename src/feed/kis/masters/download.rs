//! The files of today, from the broker's server. It wants no key.

use std::path::Path;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::archive;
use super::cache::ORIGIN;
use super::files::{FILES, MasterFile};
use super::{Cache, Masters, MastersError};
use crate::feed::kis::environment::server_of;
use crate::feed::kis::rest::is_loopback;
use crate::market::kst;

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
/// named in [`Masters::missing`], unless it is that of KOSPI or KOSDAQ, or the day is there with it. Blocks; a few seconds with the
/// broker.
///
/// # Errors
///
/// A file can't be had, is no whole archive, or the cache can't be written. Nothing in the cache was changed then.
pub fn download(dir: &Path, date: Date, base_url: &str) -> Result<Downloaded, MastersError> {
    store(dir, date, base_url, get_all(base_url)?.0)
}

/// As [`download`], as the files of the day on which the server made its list of KOSPI, where it tells (`Last-Modified`): at night and
/// at a weekend that is a day before today. As those of the newest day that the cache has, where they are older: it is the newest
/// that is looked at.
///
/// # Errors
///
/// As [`download`].
pub fn download_newest(dir: &Path, today: Date, base_url: &str) -> Result<Downloaded, MastersError> {
    let (files, made) = get_all(base_url)?;
    // Older ones than any holidays are long are the word of a clock that is wrong.
    let oldest = today.checked_sub(14.days()).unwrap_or(Date::MIN);
    let made = made.filter(|made| (oldest..=today).contains(made)).unwrap_or(today);
    let newest = Cache::new(dir).days()?.pop().filter(|day| *day <= today);
    store(dir, newest.map_or(made, |newest| newest.max(made)), base_url, files)
}

fn store(dir: &Path, date: Date, base_url: &str, mut files: Archives) -> Result<Downloaded, MastersError> {
    files.push((ORIGIN.to_owned(), server_of(base_url).into_bytes()));
    Cache::new(dir).install(date, &files)?;
    files.pop();
    let masters = Masters::read(date, files.iter().map(|(name, bytes)| (&**name, &**bytes)));
    Ok(Downloaded { masters, bytes: files.iter().map(|(_, bytes)| bytes.len() as u64).sum() })
}

/// Archives by name.
type Archives = Vec<(String, Vec<u8>)>;

/// All files that the server has, and when it made the first of them.
fn get_all(base_url: &str) -> Result<(Archives, Option<Date>), MastersError> {
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
    let mut made = None;
    for (place, file) in FILES.iter().enumerate() {
        let url = format!("{base}{FOLDER}{}", file.archive());
        match fetch_patiently(&agent, &url, file) {
            Ok(Some(served)) => {
                made = if place == 0 { served.made } else { made };
                files.push((file.archive(), served.bytes));
            }
            Ok(None) if place > 1 => tracing::warn!(url, "the server doesn't have this file"),
            Ok(None) => {
                let message = "the server doesn't have it; is the address right?".to_owned();
                return Err(MastersError::Download { url, message });
            }
            Err(Refused { message, .. }) => return Err(MastersError::Download { url, message }),
        }
    }
    Ok((files, made))
}

/// A file as it was served.
struct Served {
    bytes: Vec<u8>,
    /// Korean date on which it was made.
    made: Option<Date>,
}

/// The Korean date of a moment as HTTP writes it.
fn date_of(header: &str) -> Option<Date> {
    let at = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", header).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(kst::civil(u64::try_from(at.timestamp().as_nanosecond()).ok()?).date())
}

/// Why a file was not had.
struct Refused {
    message: String,
    /// Whether the next attempt may have it.
    may_pass: bool,
}

fn fetch_patiently(agent: &ureq::Agent, url: &str, file: &MasterFile) -> Result<Option<Served>, Refused> {
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
fn fetch(agent: &ureq::Agent, url: &str, file: &MasterFile) -> Result<Option<Served>, Refused> {
    let unreached = |error: ureq::Error| Refused { message: error.to_string(), may_pass: true };
    let mut response = agent.get(url).call().map_err(unreached)?;
    match response.status().as_u16() {
        200 => {}
        404 => return Ok(None),
        status => return Err(Refused { message: format!("HTTP {status}"), may_pass: status >= 500 }),
    }
    let made = response.headers().get("last-modified").and_then(|at| date_of(at.to_str().ok()?));
    let bytes = response.body_mut().with_config().limit(ARCHIVE_BYTES_MAX).read_to_vec().map_err(unreached)?;
    match archive::unpack(&bytes, file.name) {
        Ok(_) => Ok(Some(Served { bytes, made })),
        Err(message) => Err(Refused { message, may_pass: true }),
    }
}
