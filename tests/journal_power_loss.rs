//! Power losses, simulated.
//!
//! Goal: whatever mixture of old and new pages a host's death leaves, the journal opens, every record at or below the
//! durable mark is there byte for byte, the numbering has no hole, and a second death while it is put in order changes
//! nothing of that. Method: a model of the disk beside the real files. It looks at them after every step and remembers
//! each page's versions since that page was last synced, and each folder's names since the folder was; it hears of every
//! sync just before the kernel is asked. Days that are over are sealed and compressed meanwhile, and death comes there, too. At a crash it picks, by a seed, one version of every page and one of every name,
//! writes that out as another folder, and the journal is opened there as in another boot; several lives long, some
//! of which end in the middle of the opening. The rounds of the sync thread are made by hand, at random.

mod journal_support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoga::journal::{
    Case, ControlReader, Durability, Journal, JournalConfig, Manifest, SealError, SealOptions, Stream, StreamConfig,
    seal, verify,
};
use hoga::sys::watch::{Sync, watch};
use hoga::tick::words_of;
use journal_support::*;

const PAGE: usize = 4096;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// How a crash chooses among the versions of a page.
#[derive(Clone, Copy)]
enum Luck {
    /// All of them the synced ones.
    Oldest,
    /// All of them the last ones.
    Newest,
    /// Each at random.
    Mixed,
    /// The last ones, but for one page in eight.
    FewLost,
}

/// A file: for each page its versions, the one on the disk first.
#[derive(Clone, Default)]
struct File {
    pages: Vec<Vec<Vec<u8>>>,
    /// Whether its size is on the disk.
    is_size_synced: bool,
}

impl File {
    fn see(&mut self, bytes: &[u8]) {
        for (index, page) in bytes.chunks(PAGE).enumerate() {
            if self.pages.len() <= index {
                self.pages.push(vec![vec![0; page.len()]]);
            }
            let versions = &mut self.pages[index];
            if versions.last().is_none_or(|last| last != page) {
                versions.push(page.to_vec());
            }
        }
    }

    fn sync(&mut self, from: u64, to: u64) {
        for (index, versions) in self.pages.iter_mut().enumerate() {
            let at = (index * PAGE) as u64;
            if (from..to).contains(&at) {
                versions.drain(..versions.len() - 1);
            }
        }
        self.is_size_synced |= from == 0 && to == u64::MAX;
    }
}

type Names = BTreeMap<String, u64>;

/// The model of the disk under one journal.
#[derive(Clone, Default)]
struct Disk {
    dir: PathBuf,
    files: BTreeMap<u64, File>,
    /// Names of each folder, by path inside the journal: on the disk, and now.
    durable: BTreeMap<PathBuf, Names>,
    now: BTreeMap<PathBuf, Names>,
    /// The highest mark of each stream seen, as (sequence).
    marks: [u64; 2],
    /// Syncs so far, and the one at which the host dies.
    syncs: usize,
    dies_at: Option<(usize, u64, PathBuf)>,
    died: bool,
}

impl Disk {
    /// A disk that holds exactly what is in the folder.
    fn settled(dir: &Path) -> Disk {
        let mut disk = Disk { dir: dir.to_owned(), ..Disk::default() };
        disk.look();
        disk.durable = disk.now.clone();
        for file in disk.files.values_mut() {
            file.sync(0, u64::MAX);
        }
        disk
    }

    /// Looks at every file as it is now.
    fn look(&mut self) {
        if self.died {
            return;
        }
        let mut now = BTreeMap::new();
        for inside in ["", "ticks", "raw", "quarantine", "seals"] {
            let folder = self.dir.join(inside);
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let mut names = Names::new();
            for entry in entries.flatten() {
                let name = entry.file_name().into_string().unwrap();
                if entry.file_type().unwrap().is_dir() {
                    names.insert(name, 0);
                    continue;
                }
                // A file may be renamed or removed by the helper at this moment.
                let Ok(file) = fs::File::open(entry.path()) else { continue };
                let Ok(meta) = file.metadata() else { continue };
                let Ok(bytes) = fs::read(entry.path()) else { continue };
                names.insert(name, meta.ino());
                self.files.entry(meta.ino()).or_default().see(&bytes);
            }
            now.insert(PathBuf::from(inside), names);
        }
        self.now = now;
        for (at, stream) in [Stream::Ticks, Stream::Raw].into_iter().enumerate() {
            if let Ok(Ok(page)) = ControlReader::open(&self.dir.join(stream.name()), stream)
                && let Some(slot) = page.durable()
            {
                self.marks[at] = self.marks[at].max(slot.sequence);
            }
        }
    }

    /// Looks at one file as it is now.
    fn look_at(&mut self, inode: u64) {
        let named = self.now.iter().find_map(|(folder, names)| {
            names.iter().find(|(_, known)| **known == inode).map(|(name, _)| self.dir.join(folder).join(name))
        });
        let is_it = |file: &fs::File| file.metadata().is_ok_and(|meta| meta.ino() == inode);
        match named.and_then(|path| fs::File::open(path).ok()).filter(is_it) {
            Some(mut file) => {
                let mut bytes = Vec::new();
                if file.read_to_end(&mut bytes).is_ok() {
                    self.files.entry(inode).or_default().see(&bytes);
                }
            }
            // Renamed meanwhile.
            None => self.look(),
        }
    }

    fn hear(&mut self, sync: &Sync) {
        match sync {
            Sync::Folder { path } if !path.starts_with(&self.dir) => return,
            Sync::File { inode, .. } if !self.files.contains_key(inode) => {
                self.look();
                if !self.files.contains_key(inode) {
                    return;
                }
            }
            _ => {}
        }
        if self.died {
            return;
        }
        let dies_at = self.dies_at.clone().filter(|(at, ..)| self.syncs == *at);
        match sync {
            Sync::File { inode, .. } if dies_at.is_none() => self.look_at(*inode),
            _ => self.look(),
        }
        if let Some((_, seed, to)) = dies_at {
            self.crash(&mut Random(seed), &to);
            self.died = true;
            return;
        }
        self.syncs += 1;
        match sync {
            Sync::File { inode, from, to } => {
                if let Some(file) = self.files.get_mut(inode) {
                    file.sync(*from, *to);
                }
            }
            Sync::Folder { path } => {
                let inside = path.strip_prefix(&self.dir).unwrap().to_owned();
                if let Some(names) = self.now.get(&inside) {
                    self.durable.insert(inside, names.clone());
                }
            }
        }
    }

    /// Writes out what the disk may hold after the host died now.
    fn crash(&self, random: &mut Random, to: &Path) {
        let luck = [Luck::Oldest, Luck::Newest, Luck::Mixed, Luck::Mixed, Luck::FewLost][random.below(5)];
        fs::create_dir_all(to).unwrap();
        let nothing = Names::new();
        let mut inside: Vec<&PathBuf> = self.durable.keys().chain(self.now.keys()).collect();
        inside.sort();
        inside.dedup();
        for folder in inside {
            let (durable, now) =
                (self.durable.get(folder).unwrap_or(&nothing), self.now.get(folder).unwrap_or(&nothing));
            if !folder.as_os_str().is_empty() && !to.join(folder).is_dir() {
                continue;
            }
            let mut names: Vec<&String> = durable.keys().chain(now.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let (old, new) = (durable.get(name), now.get(name));
                let is_new = match luck {
                    Luck::Oldest => false,
                    Luck::Newest => true,
                    Luck::Mixed | Luck::FewLost => random.below(2) == 0,
                };
                match if is_new { new } else { old } {
                    None => {}
                    Some(0) => fs::create_dir_all(to.join(folder).join(name)).unwrap(),
                    Some(inode) => {
                        let bytes = self.files.get(inode).map(|file| contents(file, luck, random)).unwrap_or_default();
                        fs::write(to.join(folder).join(name), bytes).unwrap();
                    }
                }
            }
        }
    }
}

fn contents(file: &File, luck: Luck, random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for versions in &file.pages {
        // A page behind it came later: what lies between is zeros.
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        let last = versions.len() - 1;
        let chosen = match luck {
            Luck::Oldest => 0,
            Luck::Newest => last,
            Luck::Mixed => random.below(versions.len()),
            Luck::FewLost if random.below(8) == 0 => random.below(versions.len()),
            Luck::FewLost => last,
        };
        bytes.extend_from_slice(&versions[chosen]);
    }
    if !file.is_size_synced && matches!(luck, Luck::Oldest | Luck::Mixed) && random.below(2) == 0 {
        bytes.clear();
    }
    bytes
}

/// The trading day of a life.
fn day(life: usize) -> u32 {
    20_261_200 + life as u32
}

fn config(durability: Durability, life: usize) -> JournalConfig {
    let ticks = StreamConfig { segment_bytes: 16 << 10, touch_ahead_bytes: 4096 };
    let raw = StreamConfig { segment_bytes: 8 << 10, touch_ahead_bytes: 4096 };
    JournalConfig {
        ticks,
        raw: Some(raw),
        trading_date: day(life),
        instruments_max: 16,
        stall_max: Duration::from_secs(20),
        durability,
        ..JournalConfig::default()
    }
}

/// What was appended to each stream, by sequence from 1: the bytes behind the checksum.
#[derive(Default)]
struct Written {
    ticks: Vec<Vec<u8>>,
    raw: Vec<Vec<u8>>,
}

fn boot(number: u64) -> [u8; 16] {
    let mut boot = [7; 16];
    boot[..8].copy_from_slice(&number.to_le_bytes());
    boot
}

/// Appends one frame or one tick of it, and notes what must be read back.
fn append(journal: &mut Journal, written: &mut Written, random: &mut Random) {
    let raw = journal.raw.as_mut().unwrap();
    let frame = raw.next_sequence();
    let payload = format!("0|H0STCNT0|001|{frame}|{:0width$}", random.next(), width = random.below(300) + 20);
    assert_eq!(append_raw(raw, payload.as_bytes()), frame);
    written.raw.truncate(frame as usize - 1);
    written.raw.push(payload.into_bytes());
    for _ in 0..random.below(3) {
        let number = journal.ticks.next_sequence();
        let mut record = trade(number);
        record.market.raw_sequence = frame;
        record.cum_turnover = random.next() as i64;
        assert_eq!(journal.ticks.append(words_of(&mut record)).unwrap(), number);
        record.header.sequence = number;
        record.header.version = 1;
        written.ticks.truncate(number as usize - 1);
        written.ticks.push(bytemuck::bytes_of(&record)[8..].to_vec());
    }
    if random.below(4) == 0 {
        journal.ticks.batch_end();
        journal.raw.as_mut().unwrap().batch_end();
    }
}

/// The frame that a tick names, from its bytes behind the checksum.
fn frame_of(tick: &[u8]) -> u64 {
    u64::from_le_bytes(tick[40..48].try_into().unwrap())
}

/// Reads a stream and holds every record against what was written; returns how many there are.
fn check(dir: &Path, stream: Stream, written: &[Vec<u8>], at: &str) -> u64 {
    let first = |ending| dir.join(stream.name()).join(format!("0000000001.{ending}")).exists();
    if !first("seg") && !first("seg.zst") {
        return 0;
    }
    let read = read_all(dir, stream);
    for (index, (sequence, bytes)) in read.iter().enumerate() {
        assert_eq!(*sequence, index as u64 + 1, "{at}: a hole in {stream:?}");
        let expected = written.get(index).unwrap_or_else(|| panic!("{at}: {stream:?} {sequence} was never written"));
        assert!(bytes.ends_with(expected), "{at}: {stream:?} {sequence} has other bytes");
    }
    read.len() as u64
}

/// How lives ended, counted.
#[derive(Default)]
struct Ended {
    /// Streams found torn by the next one.
    torn: usize,
    /// Deaths while days before were sealed and compressed.
    sealing: usize,
    /// Lives in which that came to its end.
    sealed: usize,
}

/// Seals and compresses the days before that of this life; returns the last sequences that are sealed.
fn seal_before(dir: &Path, life: usize, at: &str) -> [u64; 2] {
    let yesterday = jiff::civil::date(2026, 12, life as i8 - 1);
    match seal(dir, yesterday, SealOptions { compress_to: Some(yesterday) }, |_| {}) {
        Ok(_) => {}
        // Nothing was written in the lives before.
        Err(SealError::NoSuchDay { .. }) => return [0; 2],
        Err(error) => panic!("{at}, life {life}: {error}"),
    }
    let mut sealed = [0; 2];
    for (_, manifest) in Manifest::read_all(dir).unwrap() {
        for entry in manifest.unwrap_or_else(|error| panic!("{at}, life {life}: {error:?}")).segments {
            let last = &mut sealed[usize::from(entry.stream == Stream::Raw.name())];
            *last = (*last).max(entry.last_sequence);
        }
    }
    sealed
}

/// Several lives of one journal, each ended by a power loss; returns how many streams were found torn.
fn live_and_die(seed: u64, ended: &mut Ended) {
    let at = format!("seed {seed}");
    let mut random = Random(seed);
    let durability =
        [Durability::Process, Durability::Periodic(Duration::from_millis(100)), Durability::Group][random.below(3)];
    let folder = scratch();
    let mut dir = folder.path().join("life-0");
    fs::create_dir(&dir).unwrap();
    let mut written = Written::default();
    // Records that were there when an opening was through, or that the mark covered: never to be lost again.
    let mut promised = [0_u64; 2];
    let lives = 3 + random.below(3);
    for life in 1..=lives {
        let next = folder.path().join(format!("life-{life}"));
        let disk = Arc::new(Mutex::new(Disk::settled(&dir)));
        let dies_opening = random.below(3) == 0;
        if dies_opening {
            let seed = random.next();
            disk.lock().unwrap().dies_at = Some((random.below(12), seed, next.clone()));
        }
        let heard = Arc::clone(&disk);
        let watching = watch(move |sync| heard.lock().unwrap().hear(sync));
        let (mut journal, mut syncer) = Journal::open_unsynced(&dir, config(durability, life), boot(life as u64))
            .unwrap_or_else(|error| panic!("{at}, life {life}: {error}"));
        let report = &journal.recovery;
        for found in [Some(&report.ticks), report.raw.as_ref()].into_iter().flatten() {
            assert!(matches!(found.case, Case::Clean | Case::TornByHostDeath), "{at}, life {life}: {found:?}");
            ended.torn += usize::from(found.case == Case::TornByHostDeath);
        }
        let there = [report.ticks.last_sequence, report.raw.as_ref().unwrap().last_sequence];
        for (stream, (there, promised)) in ["ticks", "raw"].iter().zip(there.iter().zip(promised)) {
            assert!(*there >= promised, "{at}, life {life}: {stream} ends at {there}, {promised} were promised");
        }
        let died = disk.lock().unwrap().died;
        if !died {
            promised = there;
            if life > 1 && random.below(3) == 0 {
                let dies_sealing = random.below(2) == 0;
                if dies_sealing {
                    let mut disk = disk.lock().unwrap();
                    disk.dies_at = Some((disk.syncs + random.below(40), random.next(), next.clone()));
                }
                let sealed = seal_before(&dir, life, &at);
                let disk = disk.lock().unwrap();
                if !disk.died {
                    for (promised, sealed) in promised.iter_mut().zip(sealed) {
                        *promised = (*promised).max(sealed);
                    }
                }
                ended.sealing += usize::from(disk.died);
                ended.sealed += usize::from(!disk.died && sealed != [0; 2]);
            }
            for _ in 0..random.below(120) {
                append(&mut journal, &mut written, &mut random);
                if random.below(4) == 0 {
                    disk.lock().unwrap().look();
                }
                if durability != Durability::Process && random.below(8) == 0 {
                    assert!(syncer.round().is_some());
                }
            }
            if random.below(8) == 0 {
                journal.close().unwrap();
                drop(watching);
            } else {
                drop(watching);
                disk.lock().unwrap().look();
                drop(journal);
            }
            let mut disk = disk.lock().unwrap();
            // A tick that is durable has a frame that is; ticks of earlier lives may have lost theirs.
            let [ticks, raw] = disk.marks;
            if ticks > there[0] && !disk.died {
                let named = frame_of(&written.ticks[ticks as usize - 1]);
                assert!(raw >= named, "{at}, life {life}: tick {ticks} is durable, its frame {named} is not ({raw})");
            }
            for (promised, mark) in promised.iter_mut().zip(disk.marks) {
                *promised = (*promised).max(mark);
            }
            if !disk.died {
                disk.look();
                disk.crash(&mut random, &next);
            }
        } else {
            drop(watching);
            drop(journal);
        }
        drop(syncer);
        // A judge that changes nothing never speaks of damage, and finds what was promised.
        fs::remove_dir_all(&dir).unwrap();
        dir = next;
        if dir.join("ticks").is_dir() {
            let report = verify(&dir, |_, _, _, _| {}).unwrap();
            for (stream, found) in &report.streams {
                let bad = found.findings.iter().find(|f| !matches!(f.case, Case::TornByHostDeath));
                assert!(bad.is_none(), "{at}, life {life}, {stream:?}: {bad:?}");
            }
        }
    }
    let journal = Journal::open_in_boot(&dir, config(durability, lives + 1), boot(99)).unwrap_or_else(|error| {
        let _ = Command::new("ls").arg("-lR").arg(&dir).status();
        panic!("{at}, at the end: {error}")
    });
    let found = [&journal.recovery.ticks, journal.recovery.raw.as_ref().unwrap()].map(|found| found.last_sequence);
    journal.close().unwrap();
    for ((stream, written), (found, promised)) in
        [(Stream::Ticks, &written.ticks), (Stream::Raw, &written.raw)].into_iter().zip(found.into_iter().zip(promised))
    {
        assert!(found >= promised, "{at}: {stream:?} ends at {found}, {promised} were promised");
        assert_eq!(check(&dir, stream, written, &at), found, "{at}");
    }
}

const SEEDS: &str = "HOGA_TEST_SEEDS";
/// Processes at a time: most of a life is waiting for the journal's threads.
const PROCESSES: u64 = 6;

/// Not a test: lives through the seeds that the environment names.
#[test]
fn child_lives() {
    let Ok(range) = std::env::var(SEEDS) else { return };
    let (from, to) = range.split_once("..").unwrap();
    let mut ended = Ended::default();
    for seed in from.parse().unwrap()..to.parse().unwrap() {
        live_and_die(seed, &mut ended);
    }
    println!("ended={},{},{}", ended.torn, ended.sealing, ended.sealed);
}

#[test]
fn a_power_loss_at_any_page_keeps_all_that_was_durable_and_the_journal_opens() {
    let long = policy::is_long();
    let (from, to) = match std::env::var("HOGA_SEED").ok().and_then(|seed| seed.parse::<u64>().ok()) {
        Some(seed) => (seed, seed + 1),
        None => (0, if long { 6_000 } else { 200 }),
    };
    println!("seeds {from}..{to}; one alone: HOGA_SEED=N");
    let share = (to - from).div_ceil(PROCESSES);
    let children: Vec<_> = (0..PROCESSES)
        .map(|index| (from + index * share, (from + (index + 1) * share).min(to)))
        .filter(|(from, to)| from < to)
        .map(|(from, to)| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["child_lives", "--exact", "--nocapture"]).env(SEEDS, format!("{from}..{to}"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut ended = [0_u64; 3];
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let counts = text.split_whitespace().find_map(|word| word.strip_prefix("ended=")).unwrap();
        for (sum, count) in ended.iter_mut().zip(counts.split(',')) {
            *sum += count.parse::<u64>().unwrap();
        }
    }
    let [torn, sealing, sealed] = ended;
    println!("{torn} torn streams, {sealing} deaths while sealing, {sealed} sealed, over {} journals", to - from);
    assert!(to - from < 100 || torn > (to - from) / 4, "power losses must tear something: {torn}");
    assert!(to - from < 100 || sealing.min(sealed) > (to - from) / 20, "sealing must be among it: {sealing}, {sealed}");
}
