//! The helper thread: prepares segments ahead, touches pages ahead of the writers, unmaps what they left. Cold.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use bytemuck::Zeroable as _;

use crate::clock::wall_ns;
use crate::journal::control::Control;
use crate::journal::dictionary::Dictionary;
use crate::journal::durability::SyncThread;
use crate::journal::format::{
    END_BYTES, FORMAT_MAJOR, FORMAT_MINOR, Prepared, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, STATE_OFFSET, STATE_PREPARED,
    Stream, padded, segment_name,
};
use crate::journal::segment::SegmentWriter;
use crate::journal::trouble::DiskSpace;
use crate::sys::file::{LockedFile, allocate, monotonic_ns, random_u32, space, sync_file, sync_folder};
use crate::sys::map::WriteMap;

/// Longest sleep of the helper, while little is written, and shortest, while much is. Each of its rounds takes a
/// processor from somebody: a writer or reader that spins on the only ones there are.
const SLEEP_MAX: Duration = Duration::from_millis(50);
const SLEEP_MIN: Duration = Duration::from_micros(500);
/// Sleep while a segment is being prepared: who prepares it wakes the helper.
const SLEEP_MAKING: Duration = Duration::from_millis(5);
/// Most segments prepared ahead: two when one is full before the next could be late, else one.
pub(in crate::journal) const SEGMENTS_AHEAD: usize = 2;
/// A segment that lasts less is full soon: preparing the next one may take as long.
const FULL_SOON: Duration = Duration::from_secs(1);
/// Part of the touched window that may be written during a sleep.
const SLEEP_SHARE: usize = 8;
/// Bytes touched in one go.
const TOUCH_BYTES: usize = 1 << 20;
/// Rounds of the helper that the touched window lasts at the writer's present pace.
const PACE: usize = 16;
/// Pause after a failed preparation.
const RETRY: Duration = Duration::from_millis(200);

/// Longest the end waits for a preparation under way.
const FINISH_MAX: Duration = Duration::from_secs(1);
/// How often the file system is asked for its room.
const SPACE_PERIOD: Duration = Duration::from_millis(250);

/// A segment made, allocated and synced, with the instruments known at that time restated.
#[derive(Debug)]
pub(in crate::journal) struct PreparedSegment {
    pub(in crate::journal) segment: SegmentWriter,
    /// Where records begin: behind the restated ones.
    pub(in crate::journal) position: usize,
    /// Definitions of the dictionary restated.
    pub(in crate::journal) restated: usize,
}

/// What the segments of one opening of a stream have in common.
#[derive(Clone, Debug)]
pub(in crate::journal) struct Maker {
    pub(in crate::journal) folder: PathBuf,
    pub(in crate::journal) stream: Stream,
    pub(in crate::journal) epoch: u64,
    pub(in crate::journal) boot_id: [u8; 16],
    pub(in crate::journal) segment_bytes: u64,
    pub(in crate::journal) dictionary: Arc<Dictionary>,
    /// Whether the sync thread writes the pages back every few moments.
    pub(in crate::journal) is_synced: bool,
    /// The journal's single-writer lock: a preparation that hangs in the disk keeps other writers out until it is over.
    pub(in crate::journal) _lock: Arc<LockedFile>,
}

impl Maker {
    /// Makes a segment: whole under another name, synced, then renamed, so that a segment's name never stands for
    /// half of one.
    pub(in crate::journal) fn prepare(&self, ordinal: u64) -> io::Result<PreparedSegment> {
        // Without trying where it is hopeless: an attempt takes what little there is, again and again, from everybody
        // on that file system, the other stream among them.
        if let Ok(Some(space)) = space(&self.folder)
            && space.free < self.segment_bytes
        {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let path = self.folder.join(segment_name(ordinal));
        let fresh = path.with_extension("seg.tmp");
        let made = self.fill(&fresh, ordinal).and_then(|made| {
            fs::rename(&fresh, &path)?;
            sync_folder(&self.folder)?;
            Ok(made)
        });
        if made.is_err() {
            // The room it took may be what is missing.
            let _ = fs::remove_file(&fresh);
        }
        made
    }

    fn fill(&self, path: &Path, ordinal: u64) -> io::Result<PreparedSegment> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        allocate(&file, self.segment_bytes)?;
        let map = Arc::new(WriteMap::new(&file)?);
        if self.is_synced {
            // Pages that are written back together are write-protected together, the one with the tail among them: the
            // next append would fault.
            map.advise_single_pages();
        }
        let mut prepared = Prepared {
            magic: SEGMENT_MAGIC,
            format_major: FORMAT_MAJOR,
            format_minor: FORMAT_MINOR,
            header_bytes: SEGMENT_HEADER_BYTES as u32,
            stream: self.stream.number(),
            salt: random_u32()?,
            ordinal,
            epoch: self.epoch,
            segment_bytes: self.segment_bytes,
            boot_id: self.boot_id,
            anchor_realtime_ns: wall_ns(),
            anchor_monotonic_ns: monotonic_ns(),
            ..Prepared::zeroed()
        };
        let mut segment = SegmentWriter::new(Arc::clone(&map), prepared);
        let restated = self.dictionary.count();
        let mut position = SEGMENT_HEADER_BYTES;
        for index in 0..restated {
            let record = self.dictionary.restated(index);
            let bytes = bytemuck::bytes_of(&record);
            if position + padded(bytes.len()) + END_BYTES > segment.len() {
                // The dictionary alone fills a segment.
                return Err(io::Error::from_raw_os_error(libc::EFBIG));
            }
            position = segment.commit(position, bytes, &[]);
        }
        prepared.restated_bytes = (position - SEGMENT_HEADER_BYTES) as u32;
        prepared.restated_count = restated as u32;
        prepared.prepared_crc = prepared.crc();
        map.copy_from(0, bytemuck::bytes_of(&prepared));
        map.store_u32(STATE_OFFSET, STATE_PREPARED, Ordering::Release);
        sync_file(&file)?;
        Ok(PreparedSegment { segment: SegmentWriter::new(map, prepared), position, restated })
    }
}

/// What is asked of the file system now and then.
#[derive(Debug)]
pub(in crate::journal) struct Disk {
    low_space_bytes: u64,
    is_low: bool,
    ask_at: Instant,
}

impl Disk {
    pub(in crate::journal) fn new(low_space_bytes: u64) -> Disk {
        Disk { low_space_bytes, is_low: false, ask_at: Instant::now() }
    }

    /// Tells the control page how much room there is, when it is time.
    fn look(&mut self, folder: &Path, control: &Control) {
        let now = Instant::now();
        if now < self.ask_at {
            return;
        }
        self.ask_at = now + SPACE_PERIOD;
        // Of a folder that can't be asked, a preparation tells more.
        let space = space(folder).ok().flatten();
        let judged = space.map(|space| DiskSpace::judge(space.available, self.low_space_bytes, self.is_low));
        self.is_low = judged.is_some_and(|judged| judged.is_low);
        control.set_space(judged);
    }
}

/// The helper's side of one stream.
#[derive(Debug)]
pub(in crate::journal) struct StreamHelper {
    maker: Maker,
    control: Arc<Control>,
    disk: Disk,
    ready: rtrb::Producer<PreparedSegment>,
    retired: rtrb::Consumer<SegmentWriter>,
    active: Arc<WriteMap>,
    active_ordinal: u64,
    /// A preparation under way, on a thread of its own: allocating and syncing takes many milliseconds, in which the
    /// writers' pages must go on being touched.
    making: Option<JoinHandle<io::Result<PreparedSegment>>>,
    /// The segments prepared: ordinal and map.
    next: VecDeque<(u64, Arc<WriteMap>)>,
    next_ordinal: u64,
    /// Bytes from the front touched of the active segment, and of the first of those.
    touched: usize,
    next_touched: usize,
    /// Bytes ahead of the writer that are touched: at least as configured, more while it is fast.
    window: usize,
    window_min: usize,
    /// Segment and offset of the writer in the round before, and when that was.
    last: (u64, usize, Instant),
    /// How long the writer takes for its share of the window at its present pace.
    share_lasts: Duration,
    is_full_soon: bool,
    retry_at: Option<Instant>,
    beats: u64,
}

impl StreamHelper {
    #[expect(clippy::too_many_arguments, reason = "made in one place, each named there")]
    pub(in crate::journal) fn new(
        maker: Maker,
        control: Arc<Control>,
        disk: Disk,
        active: Arc<WriteMap>,
        ordinal: u64,
        window: usize,
        ready: rtrb::Producer<PreparedSegment>,
        retired: rtrb::Consumer<SegmentWriter>,
    ) -> StreamHelper {
        let beats = control.beats();
        let position = usize::try_from(control.position()).unwrap_or(0);
        StreamHelper {
            maker,
            control,
            disk,
            ready,
            retired,
            active,
            active_ordinal: ordinal,
            making: None,
            next: VecDeque::new(),
            next_ordinal: ordinal + 1,
            touched: 0,
            next_touched: 0,
            window,
            window_min: window,
            last: (ordinal, position, Instant::now()),
            share_lasts: SLEEP_MAX,
            is_full_soon: false,
            retry_at: None,
            beats,
        }
    }

    /// The round before the writers begin: the next segment is there when it returns.
    fn first_step(&mut self) {
        self.step();
        while self.making.as_ref().is_some_and(|making| !making.is_finished()) {
            std::thread::park_timeout(SLEEP_MIN);
        }
        self.step();
    }

    /// One round. Returns how long to sleep after it.
    fn step(&mut self) -> Duration {
        self.control.ahead().awake();
        while self.retired.pop().is_ok() {}
        if self.ready.is_abandoned() {
            // The writer is gone: no more signs of life.
            return SLEEP_MAX;
        }
        let beats = self.control.beats();
        self.control.helper_awake(monotonic_ns(), beats != self.beats);
        self.beats = beats;
        self.disk.look(&self.maker.folder, &self.control);
        self.follow();
        self.prepare();
        self.touch();
        let longest = if self.making.is_some() { SLEEP_MAKING } else { SLEEP_MAX };
        self.share_lasts.clamp(SLEEP_MIN, longest)
    }

    /// Tells the writer from where on it must wake a helper that sleeps for long: where half of the touched window is
    /// used up, in this segment or in the next, whose own successor is to be prepared then.
    fn sleep(&self) {
        let len = self.active.len();
        let touched = self.touched + if self.next.is_empty() { 0 } else { self.next_touched };
        let wake_at = touched.saturating_sub(self.window.min(len) / 2).max(1);
        self.control.ahead().sleep(self.active_ordinal + (wake_at / len) as u64, wake_at % len);
    }

    /// Notices that the writer took a prepared segment.
    fn follow(&mut self) {
        while let Some((ordinal, map)) =
            self.next.pop_front_if(|(ordinal, _)| self.control.active_ordinal() >= *ordinal)
        {
            self.active = map;
            self.active_ordinal = ordinal;
            self.touched = std::mem::take(&mut self.next_touched);
        }
    }

    fn prepare(&mut self) {
        let wanted = if self.is_full_soon { SEGMENTS_AHEAD } else { 1 };
        if self.next.len() >= wanted || self.retry_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let made = match self.making.take() {
            None => {
                self.making = self.begin().inspect_err(|error| self.failed(error)).ok();
                return;
            }
            Some(making) if !making.is_finished() => {
                self.making = Some(making);
                return;
            }
            Some(making) => making.join().unwrap_or_else(|_| Err(io::Error::other("the preparation died"))),
        };
        match made {
            Ok(prepared) => {
                self.next.push_back((self.next_ordinal, Arc::clone(prepared.segment.map())));
                self.control.prepared(self.next_ordinal);
                self.next_ordinal += 1;
                self.retry_at = None;
                let pushed = self.ready.push(prepared);
                debug_assert!(pushed.is_ok(), "no more are prepared than the ring holds");
                self.control.set_failure(None);
            }
            Err(error) => {
                self.failed(&error);
                self.retry_at = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Begins to prepare the next segment; the thread wakes this one when it is done.
    fn begin(&self) -> io::Result<JoinHandle<io::Result<PreparedSegment>>> {
        let (maker, ordinal, helper) = (self.maker.clone(), self.next_ordinal, std::thread::current());
        std::thread::Builder::new().name("journal-prepare".into()).spawn(move || {
            let made = maker.prepare(ordinal);
            helper.unpark();
            made
        })
    }

    /// A segment could not be prepared: the writer learns it from the control page.
    fn failed(&self, error: &io::Error) {
        self.control.set_failure(Some(error.raw_os_error().unwrap_or(libc::EIO)));
    }

    /// Makes the pages of a window ahead of the writer writable, a quarter of it at a time. Just ahead: what was
    /// touched long ago is write-protected again by write-back.
    fn touch(&mut self) {
        let position = usize::try_from(self.control.position()).unwrap_or(0);
        self.keep_pace(position);
        let end = (position + self.window).min(self.active.len());
        if end >= self.touched + self.window / 4 || (end == self.active.len() && end > self.touched) {
            while self.touched < end {
                // In pieces, each from where the writer is by then: a fast one is not to be followed at a distance.
                let is_here = self.control.active_ordinal() == self.active_ordinal;
                let now = if is_here { usize::try_from(self.control.position()).unwrap_or(0) } else { end };
                let from = self.touched.max(now).min(end);
                self.touched = (from + TOUCH_BYTES).min(end);
                if self.active.populate_write(from, self.touched - from).is_err() {
                    // The writer ends the segment before it gets there (a file system that copies on write and is full).
                    self.control.ahead().set_wall(self.active_ordinal, from);
                    self.touched = end;
                }
            }
        }
        let beyond = (position + self.window).saturating_sub(self.active.len());
        if let Some((_, map)) = self.next.front()
            && beyond > 0
        {
            let end = beyond.min(map.len());
            if end > self.next_touched && (end >= self.next_touched + self.window / 4 || end == map.len()) {
                // What failed is touched again when the segment is in use.
                if map.populate_write(self.next_touched, end - self.next_touched).is_ok() {
                    self.next_touched = end;
                }
            }
        }
    }

    /// The window follows the pace of the writer: several times what it wrote since the last round, up to a segment.
    fn keep_pace(&mut self, position: usize) {
        let now = Instant::now();
        let (ordinal, before, then) = std::mem::replace(&mut self.last, (self.active_ordinal, position, now));
        let written = match ordinal == self.active_ordinal {
            true => position.saturating_sub(before),
            false => position + self.active.len().saturating_sub(before),
        };
        self.window =
            (PACE * written).max(self.window / 2).clamp(self.window_min, self.active.len().max(self.window_min));
        let share = self.window.min(self.active.len()) / SLEEP_SHARE;
        self.share_lasts = match written {
            0 => SLEEP_MAX,
            _ => (now - then).mul_f64((share as f64 / written as f64).min(1000.0)),
        };
        self.is_full_soon = self.share_lasts.mul_f64(self.active.len() as f64 / share.max(1) as f64) < FULL_SOON;
    }

    /// Removes segments that were prepared and that nobody will use.
    fn finish(&mut self) {
        let begun = Instant::now();
        while self.making.as_ref().is_some_and(|making| !making.is_finished()) {
            if begun.elapsed() > FINISH_MAX {
                // The disk hangs. What comes of it the next opening removes.
                return;
            }
            std::thread::park_timeout(SLEEP_MAKING);
        }
        if let Some(Ok(Ok(made))) = self.making.take().map(JoinHandle::join) {
            self.next.push_back((made.segment.prepared().ordinal, Arc::clone(made.segment.map())));
        }
        self.follow();
        if self.ready.is_abandoned() {
            for (ordinal, _) in self.next.drain(..) {
                // If it stays the next opening removes it.
                let _ = fs::remove_file(self.maker.folder.join(segment_name(ordinal)));
            }
        }
    }
}

/// The helper thread of a journal. Stops and is joined when dropped; drop it after the writers.
#[derive(Debug)]
pub struct Helper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The sync thread, at levels that have one.
    sync: Option<SyncThread>,
    /// The journal's single-writer lock, shared with the writers.
    _lock: Arc<LockedFile>,
}

impl Helper {
    pub(in crate::journal) fn spawn(
        mut streams: Vec<StreamHelper>,
        lock: Arc<LockedFile>,
        handle: &OnceLock<Thread>,
    ) -> io::Result<Helper> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        for stream in &mut streams {
            stream.first_step();
        }
        let run = move || {
            // Relaxed: the flag publishes nothing else.
            while !stopped.load(Ordering::Relaxed) {
                let sleep = streams.iter_mut().map(StreamHelper::step).min().unwrap_or(SLEEP_MAX);
                if sleep > SLEEP_MIN {
                    streams.iter().for_each(StreamHelper::sleep);
                }
                std::thread::park_timeout(sleep);
            }
            for stream in &mut streams {
                stream.finish();
            }
        };
        let thread = std::thread::Builder::new().name("journal-helper".into()).spawn(run)?;
        // Writers wake it when they have to wait; set once, here.
        let _ = handle.set(thread.thread().clone());
        Ok(Helper { stop, thread: Some(thread), sync: None, _lock: lock })
    }

    /// Keeps the sync thread as long as this one.
    pub(in crate::journal) fn attach(&mut self, sync: SyncThread) {
        self.sync = Some(sync);
    }

    /// Stops the thread and waits for it. The lock of the journal is free once the writers are gone too.
    pub fn stop(self) {}
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the helper was reported by its thread; the writers see a missing segment.
            let _ = thread.join();
        }
    }
}
