//! Opening a journal whose writer died: how long until the next one can write, beside reading the same files once.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hoga::journal::{Journal, JournalConfig, StreamConfig, Verdict};
use hoga::tick::{HEADER_BYTES, Header, RType};
use serde::Serialize;

use crate::Error;
use crate::quantiles::median;

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Bytes of records.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Opening after the process died, ms.
    pub process_death_ms: f64,
    /// Opening as another boot of the kernel, with nothing marked durable: every record is looked at, ms.
    pub host_death_ms: f64,
    /// Reading the segments with `read`, ms.
    pub read_ms: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.bytes as f64 / f64::from(1 << 30);
        writeln!(f, "{gib:.2} GiB of records in {} segments", self.segments)?;
        let row = |name: &str, ms: f64| format!("{name:<34}{ms:>9.1} ms  {:>8.1} ms/GiB", ms / gib);
        writeln!(f, "{} (goal 300 ms)", row("opened after the process died", self.process_death_ms))?;
        writeln!(f, "{}", row("opened after the host died", self.host_death_ms))?;
        writeln!(f, "{}", row("read once", self.read_ms))?;
        write!(
            f,
            "opened / read: {:.3}, {:.3}",
            self.process_death_ms / self.read_ms,
            self.host_death_ms / self.read_ms
        )
    }
}

fn config(segment_mib: u64) -> JournalConfig {
    let stream = StreamConfig { segment_bytes: segment_mib << 20, ..StreamConfig::default() };
    JournalConfig { ticks: stream, raw: None, ..JournalConfig::default() }
}

/// Lets a process write `mib` MiB and die, then opens what it left, `rounds` times each way.
///
/// # Errors
/// When a journal can't be made or opened.
pub fn run(mib: u64, segment_mib: u64, rounds: usize) -> Result<Report, Error> {
    let folder = tempfile::tempdir()?;
    let original = folder.path().join("original");
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("write-and-die").arg(&original).arg(mib.to_string()).arg(segment_mib.to_string());
    // It ends by a signal, on purpose.
    command.stdout(Stdio::null()).status()?;
    let mut times = [(); 3].map(|()| Vec::new());
    let (mut bytes, mut segments) = (0, 0);
    for round in 0..rounds {
        for (index, times) in times.iter_mut().enumerate() {
            let dir = folder.path().join(format!("copy-{round}-{index}"));
            copy(&original.join("ticks"), &dir.join("ticks"))?;
            let taken = match index {
                2 => {
                    let begin = Instant::now();
                    (bytes, segments) = read(&dir.join("ticks"))?;
                    begin.elapsed()
                }
                _ => open(&dir, segment_mib, index == 1)?,
            };
            times.push(taken.as_secs_f64() * 1e3);
            fs::remove_dir_all(&dir)?;
        }
    }
    let [process_death_ms, host_death_ms, read_ms] = times.map(median);
    Ok(Report { bytes, segments, process_death_ms, host_death_ms, read_ms })
}

fn open(dir: &Path, segment_mib: u64, other_boot: bool) -> Result<Duration, Error> {
    let begin = Instant::now();
    let journal = match other_boot {
        true => Journal::open_in_boot(dir, config(segment_mib), [7; 16])?,
        false => Journal::open(dir, config(segment_mib))?,
    };
    let taken = begin.elapsed();
    if journal.recovery.ticks.verdict == Verdict::Corrupt || journal.recovery.ticks.last_sequence == 0 {
        return Err("the journal was not found as it was left".into());
    }
    journal.close()?;
    Ok(taken)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target)?;
        // On the disk: what an opening syncs must not wait for the copy.
        fs::File::open(&target)?.sync_all()?;
    }
    Ok(())
}

fn read(folder: &Path) -> Result<(u64, u64), Error> {
    let mut buffer = vec![0; 1 << 20];
    let (mut bytes, mut segments) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            let mut file = fs::File::open(path)?;
            segments += 1;
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    read => bytes += read as u64,
                }
            }
        }
    }
    Ok((bytes, segments))
}

/// The process that writes and dies without a word.
///
/// # Errors
/// When the journal can't be written.
pub fn write_and_die(dir: &Path, mib: u64, segment_mib: u64) -> Result<(), Error> {
    let mut journal = Journal::open(dir, config(segment_mib))?;
    let mut record = [0_u64; 32];
    let bytes = size_of_val(&record);
    let header: &mut [Header] = bytemuck::cast_slice_mut(&mut record[..HEADER_BYTES / 8]);
    (header[0].length, header[0].rtype) = (bytes as u32, RType::Other as u8);
    for number in 0..(mib << 20) / bytes as u64 {
        record[HEADER_BYTES / 8] = number;
        journal.ticks.append(&mut record)?;
        if number % 256 == 0 {
            journal.ticks.batch_end();
        }
    }
    std::process::abort();
}
