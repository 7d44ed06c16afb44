//! What survives the host: the sync thread, which moves the durable mark behind the writers. Cold.
//!
//! The writers never wait for it. It follows the commit words like a reader, asks the kernel to write the pages behind
//! the tail (`msync(MS_SYNC)` waits until they are on the disk), and only then moves the mark of the control page. The
//! page the writer stores to at present is left alone as long as it holds no record older than the bound: a page that
//! is written back is write-protected, and the next store to it pays for a fault.
//!
//! Stream `raw` is synced before stream `ticks`, and the mark of `ticks` never passes a record whose frame is not
//! durable. A segment counts only when the one before it is durable to its `End`.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::wall_ns;
use crate::journal::control::{Control, SyncState};
use crate::journal::format::{DurableSlot, SEGMENT_HEADER_BYTES, Stream, padded, segment_name};
use crate::journal::list_segments;
use crate::journal::recent::named_frame;
use crate::journal::segment::SegmentReader;
use crate::sys::file::{monotonic_ns, sync_file};
use crate::sys::map::{PAGE_BYTES, WriteMap};
use crate::tick::{HEADER_BYTES, Header, RType};

/// Pauses before a failed sync is tried again; after the last one it has failed for good.
const RETRY_AFTER: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(750)];
/// Pause of level `group` when there was nothing to sync.
const IDLE: Duration = Duration::from_micros(500);
/// Bytes of a record looked at to tell which frame it names: more than any such kind has.
const LOOK_BYTES: usize = 512;

/// What survives which death. Every level keeps every committed record through the death of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Durability {
    /// `process`: a record survives any death of the process from the moment `append` returns; after a power failure
    /// what was not written back by then is lost, the stream is cut at the first hole, and only what an orderly close
    /// marked durable is promised.
    #[default]
    Process,
    /// `periodic:100`: besides, a record is on the disk at most this long after its commit, provided that a sync takes
    /// less than a third of it; the durable mark says how far that is, and nothing at or below it is lost in a power failure.
    Periodic(Duration),
    /// `group`: besides, syncs follow one another without a pause, the mark after each; a record is visible at once and
    /// durable one to two syncs later, and a reader that must not act on what a power failure could undo stops at the mark.
    Group,
}

/// A level that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durability {0:?}: expected \"process\", \"periodic:MS\" with 2 to 60000 milliseconds, or \"group\"")]
pub struct BadDurability(String);

impl FromStr for Durability {
    type Err = BadDurability;

    fn from_str(text: &str) -> Result<Durability, BadDurability> {
        let period = |ms: &str| ms.parse().ok().filter(|ms| (2..=60_000).contains(ms)).map(Duration::from_millis);
        let level = match text {
            "process" => Some(Durability::Process),
            "group" => Some(Durability::Group),
            other => other.strip_prefix("periodic:").and_then(period).map(Durability::Periodic),
        };
        level.ok_or_else(|| BadDurability(text.to_owned()))
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Durability::Process => f.write_str("process"),
            Durability::Periodic(period) => write!(f, "periodic:{}", period.as_millis()),
            Durability::Group => f.write_str("group"),
        }
    }
}

impl TryFrom<String> for Durability {
    type Error = BadDurability;

    fn try_from(text: String) -> Result<Durability, BadDurability> {
        text.parse()
    }
}

impl From<Durability> for String {
    fn from(durability: Durability) -> String {
        durability.to_string()
    }
}

impl Durability {
    /// As in the control page: level, and the period in milliseconds.
    pub(in crate::journal) fn to_words(self) -> (u32, u32) {
        match self {
            Durability::Process => (0, 0),
            Durability::Periodic(period) => (1, u32::try_from(period.as_millis()).unwrap_or(u32::MAX)),
            Durability::Group => (2, 0),
        }
    }

    pub(in crate::journal) fn from_words(level: u32, period_ms: u32) -> Durability {
        match level {
            1 => Durability::Periodic(Duration::from_millis(u64::from(period_ms))),
            2 => Durability::Group,
            _ => Durability::Process,
        }
    }
}

/// A place in a segment, behind a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    position: usize,
    /// Last numbered record before it.
    sequence: u64,
    /// Whether the record before it is the `End`.
    ended: bool,
}

/// The segment that is followed at present.
#[derive(Debug)]
struct Followed {
    ordinal: u64,
    map: WriteMap,
    /// Bytes from the front that are on the disk.
    synced: usize,
    /// Where the tail was at the last round.
    seen: usize,
}

/// The sync thread's side of one stream.
#[derive(Debug)]
pub(in crate::journal) struct StreamSync {
    folder: PathBuf,
    stream: Stream,
    control: Arc<Control>,
    epoch: u64,
    boot_id: [u8; 16],
    /// Whether the segments of earlier openings were synced.
    is_past_durable: bool,
    next_ordinal: u64,
    followed: Option<Followed>,
    mark: Reach,
}

impl StreamSync {
    /// Follows a stream from the segment on that its writer has just begun.
    pub(in crate::journal) fn new(
        folder: &Path,
        stream: Stream,
        control: &Arc<Control>,
        epoch: u64,
        boot_id: [u8; 16],
        ordinal: u64,
        next_sequence: u64,
    ) -> StreamSync {
        StreamSync {
            folder: folder.to_owned(),
            stream,
            control: Arc::clone(control),
            epoch,
            boot_id,
            is_past_durable: false,
            next_ordinal: ordinal,
            followed: None,
            mark: Reach { position: SEGMENT_HEADER_BYTES, sequence: next_sequence - 1, ended: false },
        }
    }

    /// Syncs what is behind the tail and moves the mark. `with_tail`: the tail page, too. `frames`: the last durable
    /// frame of `raw`, beyond which no record may name one. Returns whether the mark moved.
    fn round(&mut self, with_tail: bool, frames: Option<u64>, trying: &Trying<'_>) -> Result<bool, Failed> {
        if !self.is_past_durable {
            let (folder, first) = (&self.folder, self.next_ordinal);
            let from = self.control.durable().map_or(0, |slot| slot.ordinal);
            trying.until_done(|| sync_segments(folder, from, first), || dirty_segments(folder, from, first))?;
            self.is_past_durable = true;
        }
        let mut moved = false;
        while self.enter() {
            let Some(followed) = &mut self.followed else { break };
            let tail = scan(&followed.map, self.mark, usize::MAX, None);
            let floor = tail.position / PAGE_BYTES * PAGE_BYTES;
            let is_old = followed.seen > floor.max(followed.synced);
            let target = if with_tail || tail.ended || is_old { tail.position } else { floor };
            if target > followed.synced {
                let from = followed.synced / PAGE_BYTES * PAGE_BYTES;
                let map = &followed.map;
                // Of all pages: that one of them could not be written is told of the file, not of the page.
                trying.until_done(|| map.sync(from, target - from), || map.make_dirty(0, target))?;
                followed.synced = target;
            }
            followed.seen = tail.position;
            let reach = scan(&followed.map, self.mark, followed.synced, frames);
            if reach.position == self.mark.position {
                break;
            }
            let slot = DurableSlot {
                epoch: self.epoch,
                sequence: reach.sequence,
                ordinal: followed.ordinal,
                position: reach.position as u64,
                boot_id: self.boot_id,
                time_ns: wall_ns(),
                ..bytemuck::zeroed()
            };
            trying.until_done(|| self.control.write_durable(slot), || {})?;
            self.control.synced(monotonic_ns());
            self.mark = reach;
            moved = true;
            if !reach.ended {
                break;
            }
        }
        Ok(moved)
    }

    /// Goes on to the next segment behind an `End`, if it is in use. Returns whether there is one to follow.
    fn enter(&mut self) -> bool {
        if self.followed.is_some() && !self.mark.ended {
            return true;
        }
        let path = self.folder.join(segment_name(self.next_ordinal));
        let is_active = SegmentReader::open(&path).is_ok_and(|reader| {
            reader.checked_header(self.stream, self.next_ordinal).is_ok_and(|h| h.activation.is_some())
        });
        if !is_active {
            return false;
        }
        let Ok(map) = OpenOptions::new().read(true).write(true).open(&path).and_then(|file| WriteMap::new(&file))
        else {
            return false;
        };
        self.followed = Some(Followed { ordinal: self.next_ordinal, map, synced: 0, seen: 0 });
        self.next_ordinal += 1;
        self.mark = Reach { position: SEGMENT_HEADER_BYTES, ended: false, ..self.mark };
        true
    }
}

/// Syncs the segments of a folder with ordinals `from..to`.
pub(in crate::journal) fn sync_segments(folder: &Path, from: u64, to: u64) -> io::Result<()> {
    for ordinal in list_segments(folder)?.into_iter().filter(|ordinal| (from..to).contains(ordinal)) {
        match File::open(folder.join(segment_name(ordinal))) {
            Ok(file) => sync_file(&file)?,
            // Compressed or pruned meanwhile, which only happens to what is durable.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes every page of segments that nobody writes dirty again, those with ordinals `from..to`: after a failed sync the
/// kernel takes pages for clean that never reached the disk. What can't be opened is sealed, and so on the disk.
pub(in crate::journal) fn dirty_segments(folder: &Path, from: u64, to: u64) {
    let ordinals = list_segments(folder).unwrap_or_default();
    for ordinal in ordinals.into_iter().filter(|ordinal| (from..to).contains(ordinal)) {
        let file = OpenOptions::new().read(true).write(true).open(folder.join(segment_name(ordinal)));
        if let Ok(map) = file.and_then(|file| WriteMap::new(&file)) {
            map.make_dirty(0, map.len());
        }
    }
}

/// Follows the commit words from a record's end on, up to `limit` and as long as no record names a frame of `raw`
/// beyond `frames`.
fn scan(map: &WriteMap, from: Reach, limit: usize, frames: Option<u64>) -> Reach {
    let mut reach = from;
    let mut bytes = [0; LOOK_BYTES];
    while !reach.ended && reach.position + HEADER_BYTES <= map.len() {
        let at = reach.position;
        // Acquire, as SYNC POINT B of `segment`: the record's bytes are there.
        let length = map.load_u32(at, Ordering::Acquire) as usize;
        let end = at + padded(length);
        if length < HEADER_BYTES || end > map.len().min(limit) {
            break;
        }
        map.copy_to(at, &mut bytes[..HEADER_BYTES]);
        let head: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
        if let Some(frames) = frames
            && head.rtype < RType::Raw as u8
        {
            let look = padded(length).min(LOOK_BYTES);
            map.copy_to(at, &mut bytes[..look]);
            if named_frame(&head, &bytes[..look.min(length)]) > frames {
                break;
            }
        }
        let sequence = if head.sequence == 0 { reach.sequence } else { head.sequence };
        reach = Reach { position: end, sequence, ended: head.rtype == RType::End as u8 };
    }
    reach
}

/// A sync failed for good, or the thread is to end.
#[derive(Debug)]
struct Failed;

/// How a sync that fails is tried again.
struct Trying<'a> {
    controls: &'a [Arc<Control>],
    stop: &'a AtomicBool,
}

impl Trying<'_> {
    /// Syncs, and after a failure makes the pages dirty again and retries, since the kernel reports a page that could
    /// not be written once and forgets it. The state is visible in the control pages of all streams meanwhile.
    fn until_done(&self, mut sync: impl FnMut() -> io::Result<()>, mut make_dirty: impl FnMut()) -> Result<(), Failed> {
        let mut pauses = RETRY_AFTER.iter();
        loop {
            let error = match sync() {
                Ok(()) => {
                    self.tell(SyncState::Good);
                    return Ok(());
                }
                Err(error) => error,
            };
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            let Some(pause) = pauses.next() else {
                self.tell(SyncState::Failed(errno));
                tracing::error!(%error, "the disk refuses to sync the journal: it takes no more records");
                return Err(Failed);
            };
            self.tell(SyncState::Retrying(errno));
            tracing::warn!(%error, "a sync of the journal failed and is tried again");
            let until = Instant::now() + *pause;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Failed);
                }
                std::thread::park_timeout(left);
            }
            make_dirty();
        }
    }

    fn tell(&self, state: SyncState) {
        for control in self.controls {
            if control.sync_state() != state {
                control.set_sync_state(state);
            }
        }
    }
}

/// Syncs both streams of a journal, round by round.
#[doc(hidden)]
#[derive(Debug)]
pub struct Syncer {
    durability: Durability,
    raw: Option<StreamSync>,
    ticks: StreamSync,
    controls: Vec<Arc<Control>>,
    stop: Arc<AtomicBool>,
}

impl Syncer {
    pub(in crate::journal) fn new(durability: Durability, raw: Option<StreamSync>, ticks: StreamSync) -> Syncer {
        let controls = raw.iter().chain([&ticks]).map(|stream| Arc::clone(&stream.control)).collect();
        Syncer { durability, raw, ticks, controls, stop: Arc::default() }
    }

    /// One round over both streams: whether a mark moved, or `None` when syncing failed for good.
    pub fn round(&mut self) -> Option<bool> {
        let with_tail = self.durability == Durability::Group;
        let trying = Trying { controls: &self.controls, stop: &self.stop };
        let mut moved = false;
        let mut frames = None;
        if let Some(raw) = &mut self.raw {
            moved |= raw.round(with_tail, None, &trying).ok()?;
            frames = Some(raw.mark.sequence);
        }
        moved |= self.ticks.round(with_tail, frames, &trying).ok()?;
        Some(moved)
    }

    fn run(mut self) {
        // A frame is seen by the round after its commit, synced at the latest by the next one, and its ticks by that or,
        // when they came between the looks at the two streams, by the third.
        let pause = match self.durability {
            Durability::Periodic(period) => period / 3,
            Durability::Process | Durability::Group => Duration::ZERO,
        };
        let mut next = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let Some(moved) = self.round() else { return };
            if self.durability == Durability::Group {
                if !moved {
                    std::thread::park_timeout(IDLE);
                }
                continue;
            }
            next = (next + pause).max(Instant::now());
            while let Some(left) = next.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::park_timeout(left);
            }
        }
    }
}

/// The sync thread of a journal. Stops and is joined when dropped.
#[derive(Debug)]
pub(in crate::journal) struct SyncThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SyncThread {
    pub(in crate::journal) fn spawn(syncer: Syncer) -> io::Result<SyncThread> {
        let stop = Arc::clone(&syncer.stop);
        let thread = std::thread::Builder::new().name("journal-sync".into()).spawn(move || syncer.run())?;
        Ok(SyncThread { stop, thread: Some(thread) })
    }
}

impl Drop for SyncThread {
    fn drop(&mut self) {
        // Relaxed: the flag publishes nothing else.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the thread was reported by it; the mark simply moves no more.
            let _ = thread.join();
        }
    }
}
