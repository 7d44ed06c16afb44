//! The broker's master files of a day to the list of instruments: loaded from the cache, and read from plain bytes, beside
//! touching every byte of the same files, and beside decoding them whole from cp949.
//!
//! Goal: at most a second for all of them, at the sizes the broker serves.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use hoga::feed::kis::masters::{Cache, Masters};
use kis_sim::market::SimMarket;
use kis_sim::{MasterSet, MasterSizes, SimConfig};
use serde::Serialize;

use crate::Error;
use crate::quantiles::median;

/// What a run gives: medians of the rounds, milliseconds for all files on one core.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Instruments in the list.
    pub instruments: usize,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of their archives.
    pub archive_bytes: u64,
    /// From the cache on disk: archives read, unpacked, their rows read, the list ordered.
    pub load_ms: f64,
    /// From plain files in memory.
    pub read_ms: f64,
    /// All files decoded from cp949, and nothing else.
    pub decode_ms: f64,
    /// All bytes added up.
    pub touch_ms: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "{} instruments of {} rows, {:.1} MiB, {:.1} MiB in archives, warm, one core",
            self.instruments,
            self.rows,
            mib(self.bytes),
            mib(self.archive_bytes)
        )?;
        let row = |name: &str, ms: f64| format!("{name:<26}{ms:>9.1} ms");
        writeln!(f, "{} (goal 1000)", row("from the cache", self.load_ms))?;
        writeln!(f, "{}", row("from plain bytes", self.read_ms))?;
        writeln!(f, "{}", row("decoding the files whole", self.decode_ms))?;
        writeln!(f, "{}", row("touching every byte", self.touch_ms))?;
        write!(f, "plain bytes / decoding: {:.2}", self.read_ms / self.decode_ms)
    }
}

/// Makes files of real size, then reads them in `rounds` rounds.
///
/// # Errors
///
/// When they can't be written, or the list is not that of the files.
pub fn run(rounds: usize) -> Result<Report, Error> {
    let config = SimConfig { symbols: 1_000, ..SimConfig::default() };
    let date = config.market_start.date();
    let set = MasterSet::new(&SimMarket::new(&config).symbols(), date, MasterSizes::Full);
    let folder = crate::scratch()?;
    let cache = Cache::new(folder.path());
    let archives: Vec<(String, Vec<u8>)> =
        set.archives().iter().map(|archive| (archive.name.clone(), archive.zip.clone())).collect();
    cache.install(date, &archives)?;
    let plain: Vec<(&str, &[u8])> =
        set.archives().iter().map(|archive| (archive.name.trim_end_matches(".zip"), &*archive.plain)).collect();
    let mut times = [(); 4].map(|()| Vec::new());
    let mut rows = 0;
    for _ in 0..rounds {
        for (index, times) in times.iter_mut().enumerate() {
            let begin = Instant::now();
            let read = match index {
                0 => Some(cache.load(date)?),
                1 => Some(Masters::read(date, plain.iter().copied())),
                2 => {
                    for (_, bytes) in &plain {
                        black_box(encoding_rs::EUC_KR.decode(black_box(bytes)));
                    }
                    None
                }
                _ => {
                    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                    black_box(plain.iter().map(|(_, bytes)| sum(black_box(bytes))).sum::<u64>());
                    None
                }
            };
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            let Some(masters) = read else { continue };
            if masters.all().len() != set.rows().len() || masters.rejected() > 0 {
                let (found, made) = (masters.all().len(), set.rows().len());
                return Err(format!("{found} of {made} instruments, {} rejects", masters.rejected()).into());
            }
            rows = masters.reports().iter().map(|report| report.rows).sum();
        }
    }
    let [load_ms, read_ms, decode_ms, touch_ms] = times.map(median);
    Ok(Report {
        instruments: set.rows().len(),
        rows,
        bytes: plain.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        archive_bytes: archives.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        load_ms,
        read_ms,
        decode_ms,
        touch_ms,
    })
}
