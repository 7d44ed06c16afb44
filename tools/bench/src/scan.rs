//! Reading a whole journal from the front, warm: the tailer, with and without checksums, beside a `BufReader` that
//! reads the same records from a plain file of length-prefixed ones.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use hoga::journal::{Journal, JournalConfig, Start, Stream, StreamConfig, Tailer};
use hoga::tick::{HEADER_BYTES, Header, RType};
use serde::Serialize;

use crate::Error;
use crate::quantiles::median;

/// What a run gives: medians of the rounds, records a second on one core.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Records.
    pub records: u64,
    /// Bytes of one.
    pub record_bytes: usize,
    /// By the tailer, trusting the commit word.
    pub tailer_per_second: f64,
    /// By the tailer, each record's checksum checked.
    pub checked_per_second: f64,
    /// By a `BufReader`.
    pub bufreader_per_second: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records of {} bytes, warm, one core", self.records, self.record_bytes)?;
        let row = |name: &str, rate: f64| format!("{name:<22}{:>8.1} M records/s", rate / 1e6);
        writeln!(f, "{} (goal 20)", row("tailer", self.tailer_per_second))?;
        writeln!(f, "{}", row("tailer with checksums", self.checked_per_second))?;
        writeln!(f, "{}", row("BufReader", self.bufreader_per_second))?;
        write!(f, "tailer / BufReader: {:.2}", self.tailer_per_second / self.bufreader_per_second)
    }
}

/// Writes `records` of them both ways, then reads them in `rounds` rounds.
///
/// # Errors
/// When the journal or the file can't be made or read.
pub fn run(records: u64, record_bytes: usize, rounds: usize) -> Result<Report, Error> {
    let folder = crate::scratch()?;
    let (dir, plain) = (folder.path().join("journal"), folder.path().join("plain"));
    write(&dir, &plain, records, record_bytes)?;
    let mut rates = [(); 3].map(|()| Vec::new());
    for _ in 0..rounds {
        for (index, rates) in rates.iter_mut().enumerate() {
            let begin = Instant::now();
            let (read, digest) = match index {
                2 => read_plain(&plain)?,
                _ => read_journal(&dir, index == 1)?,
            };
            rates.push(read as f64 / begin.elapsed().as_secs_f64());
            if read != records || digest != expected(records) {
                return Err(format!("{read} of {records} records read, digest {digest:016x}").into());
            }
        }
    }
    let [tailer_per_second, checked_per_second, bufreader_per_second] = rates.map(median);
    Ok(Report { records, record_bytes, tailer_per_second, checked_per_second, bufreader_per_second })
}

/// The sum of the numbers the records carry.
fn expected(records: u64) -> u64 {
    records * records.saturating_sub(1) / 2
}

fn write(dir: &Path, plain: &Path, records: u64, record_bytes: usize) -> Result<(), Error> {
    let stream = StreamConfig { segment_bytes: 64 << 20, ..StreamConfig::default() };
    let mut journal = Journal::open(dir, JournalConfig { ticks: stream, raw: None, ..JournalConfig::default() })?;
    let mut plain = BufWriter::new(File::create(plain)?);
    let mut record = vec![0_u64; record_bytes.next_multiple_of(8).max(HEADER_BYTES + 8) / 8];
    let header: &mut [Header] = bytemuck::cast_slice_mut(&mut record[..HEADER_BYTES / 8]);
    (header[0].length, header[0].rtype) = (record_bytes as u32, RType::Other as u8);
    for number in 0..records {
        record[HEADER_BYTES / 8] = number;
        journal.ticks.append(&mut record)?;
        plain.write_all(&bytemuck::cast_slice(&record)[..record_bytes])?;
        if number % 256 == 0 {
            journal.ticks.batch_end();
        }
    }
    plain.flush()?;
    Ok(journal.close()?)
}

fn number(bytes: &[u8]) -> u64 {
    bytes[HEADER_BYTES..].as_chunks::<8>().0.first().map_or(0, |word| u64::from_le_bytes(*word))
}

fn read_journal(dir: &Path, checked: bool) -> Result<(u64, u64), Error> {
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning)?.with_crc_check(checked);
    let (mut read, mut sum) = (0, 0_u64);
    loop {
        let polled = tailer.poll(4096, |record| sum += number(record.bytes))?;
        read += polled.records as u64;
        if polled.records < 4096 {
            return Ok((read, sum));
        }
    }
}

fn read_plain(path: &Path) -> Result<(u64, u64), Error> {
    let mut input = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut read, mut sum) = (0, 0_u64);
    let mut record = Vec::new();
    let mut length = [0; 4];
    loop {
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok((read, sum)),
            Err(error) => return Err(error.into()),
        }
        let bytes = u32::from_le_bytes(length) as usize;
        record.resize(bytes, 0);
        record[..4].copy_from_slice(&length);
        input.read_exact(&mut record[4..])?;
        sum += number(black_box(&record));
        read += 1;
    }
}
