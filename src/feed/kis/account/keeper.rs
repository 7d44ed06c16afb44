//! The keeper: decrypts notices on a thread of its own and writes them down.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::cipher::{BadNotice, NoticeKey};
use super::{Private, PrivateQueue};
use crate::clock::MarketClock;
use crate::feed::kis::control::{Control, is_control, is_notice};
use crate::feed::kis::layout::LayoutTable;
use crate::feed::kis::session::Cold;
use crate::market::kst;
use crate::metrics::Counter;
use crate::tick::SessionEvent;
use crate::wire::FrameHead;

/// Between two looks at the queue.
const PAUSE: Duration = Duration::from_millis(10);
/// Notices of a session that may wait for its key.
const WAITING_MAX: usize = 1024;

/// Why notices can't be kept; says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeeperError {
    /// The folder can't be made or read, or its thread.
    #[error("notices {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the folder.
    #[error("notices {path} has mode {mode:o}: others could read what is in it; run chmod 700 on it")]
    Mode {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The thread that keeps notices. Dropping it writes what waits, and ends it.
#[derive(Debug)]
pub struct Keeper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Makes the folder and starts the thread.
    ///
    /// # Errors
    ///
    /// [`KeeperError`].
    pub fn start(
        folder: &Path,
        market: MarketClock,
        queue: Arc<PrivateQueue>,
        cold: Cold,
    ) -> Result<Keeper, KeeperError> {
        let failed = |source| KeeperError::Folder { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mode = std::fs::metadata(folder).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeeperError::Mode { path: folder.to_owned(), mode });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut desk = Desk::new(folder, market, cold);
        let thread = std::thread::Builder::new().name("hoga-notices".to_owned()).spawn(move || {
            loop {
                // Relaxed: a flag alone; the reader's thread was joined before it is set.
                let is_last = stopped.load(Ordering::Relaxed);
                while let Some(private) = queue.pop() {
                    desk.take(&private);
                }
                if is_last {
                    desk.end();
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        });
        Ok(Keeper { stop, thread: Some(thread.map_err(failed)?) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Relaxed: a flag alone.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Receive stamp and bytes of a notice as it came.
type Frame = (u64, Zeroizing<Vec<u8>>);

/// What the thread works on.
struct Desk {
    folder: PathBuf,
    market: MarketClock,
    cold: Cold,
    keys: HashMap<(u16, String), NoticeKey>,
    /// What answers to other registrations of a line's session brought: the same, as far as was ever seen.
    common: HashMap<u16, NoticeKey>,
    /// By line, what can't be read before its key comes.
    waiting: HashMap<u16, Vec<Frame>>,
    /// Names of fields by transaction: all of its widest layout, and the fewest of any.
    layouts: HashMap<String, (Vec<String>, usize)>,
    /// The file of a day, decimal YYYYMMDD.
    file: Option<(u32, File)>,
    /// A failure to write was said.
    is_failing: bool,
}

impl Desk {
    fn new(folder: &Path, market: MarketClock, cold: Cold) -> Desk {
        let layouts = LayoutTable::builtin().transactions.into_iter().map(|layout| {
            let names: Vec<String> = layout.fields.iter().map(ToString::to_string).collect();
            (layout.tr, (names, usize::from(layout.min_prefix)))
        });
        let layouts = layouts.collect();
        Desk {
            folder: folder.to_owned(),
            market,
            cold,
            keys: HashMap::new(),
            common: HashMap::new(),
            waiting: HashMap::new(),
            layouts,
            file: None,
            is_failing: false,
        }
    }

    fn take(&mut self, private: &Private) {
        let (line, ts_recv, bytes) = match private {
            Private::Ended { line } => return self.forget(*line),
            Private::Message { line, ts_recv, bytes } => (*line, *ts_recv, bytes),
        };
        if is_control(bytes) {
            return self.learn(line, bytes);
        }
        match self.notice(line, ts_recv, bytes) {
            Ok(()) => {}
            Err(BadNotice::NoKey) => {
                let waiting = self.waiting.entry(line).or_default();
                waiting.push((ts_recv, bytes.clone()));
                let surplus = waiting.len().saturating_sub(WAITING_MAX);
                let oldest: Vec<_> = waiting.drain(..surplus).collect();
                self.unread(line, &oldest, BadNotice::NoKey);
            }
            Err(error) => self.unread(line, &[(ts_recv, bytes.clone())], error),
        }
    }

    /// The session is over: what waits for its key waits in vain.
    fn forget(&mut self, line: u16) {
        self.keys.retain(|(of, _), _| *of != line);
        self.common.remove(&line);
        if let Some(waiting) = self.waiting.remove(&line) {
            self.unread(line, &waiting, BadNotice::NoKey);
        }
    }

    fn end(&mut self) {
        for line in self.waiting.keys().copied().collect::<Vec<_>>() {
            self.forget(line);
        }
    }

    /// What can't be read is kept as it came, beside what could; the journal holds that it was, and nothing of it.
    fn unread(&mut self, line: u16, frames: &[Frame], error: BadNotice) {
        let Some((last, _)) = frames.last() else { return };
        let (count, why) = (frames.len() as u64, error.to_string());
        tracing::warn!(line, count, why, "account notices can't be read");
        self.cold.counters.add(Counter::NoticesRejected, count);
        self.cold.tell(line, SessionEvent::NoticeUnread, count, "", &why);
        let date = kst::number_of(kst::trading_date(self.market.market_ns(*last)));
        let mut lines = Zeroizing::new(String::new());
        for (ts_recv, frame) in frames {
            let frame = String::from_utf8_lossy(frame);
            let kept = json!({ "ts_recv": ts_recv, "line": line, "why": why, "frame": frame });
            lines.push_str(&kept.to_string());
            lines.push('\n');
        }
        let written = open(&self.folder.join(format!("{date}.unread.jsonl"))).and_then(|mut file| {
            file.write_all(lines.as_bytes())?;
            file.sync_data()
        });
        if let Err(error) = written {
            self.cannot_keep(count, &error);
        }
    }

    fn cannot_keep(&mut self, count: u64, error: &io::Error) {
        self.cold.counters.add(Counter::NoticesLost, count);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(folder = %self.folder.display(), %error, "account notices can't be kept");
        }
    }

    /// The key of a transaction comes with the answer to its registration. What an answer to another one brings replaces no
    /// such key.
    fn learn(&mut self, line: u16, bytes: &[u8]) {
        let Ok(Control::Ack(answer)) = Control::parse(bytes) else { return };
        if let (Some(key), Some(iv)) = (&answer.key, &answer.iv)
            && let Some(key) = NoticeKey::new(key, iv)
        {
            if !is_notice(&answer.tr_id) {
                self.common.insert(line, key);
                return;
            }
            self.keys.insert((line, answer.tr_id), key);
            for (ts_recv, bytes) in self.waiting.remove(&line).unwrap_or_default() {
                self.take(&Private::Message { line, ts_recv, bytes });
            }
        }
    }

    fn notice(&mut self, line: u16, ts_recv: u64, bytes: &[u8]) -> Result<(), BadNotice> {
        let head = FrameHead::parse(bytes).map_err(|_| BadNotice::Frame)?;
        let tr_id = String::from_utf8_lossy(head.tr_id).into_owned();
        let count = head.count as usize;
        let (names, min) = self.layouts.get(&tr_id).map_or((&[][..], 1), |(names, min)| (&names[..], *min));
        let width_of = |text: &[u8]| {
            let fields = text.split(|byte| *byte == b'^').count();
            let width = fields / count.max(1);
            (count > 0 && width * count == fields && width >= min).then_some(width)
        };
        let text = match self.keys.get(&(line, tr_id.clone())) {
            _ if !head.encrypted => Zeroizing::new(head.payload.to_vec()),
            Some(key) => key.decrypt(head.payload)?,
            // The answer with its own key was lost, or is under way. A key that doesn't fit may look as if it did.
            None => {
                let common = self.common.get(&line).ok_or(BadNotice::NoKey)?;
                let text = common.decrypt(head.payload).map_err(|_| BadNotice::NoKey)?;
                let is_text = std::str::from_utf8(&text).is_ok() && width_of(&text).is_some();
                if is_text { text } else { return Err(BadNotice::NoKey) }
            }
        };
        let width = width_of(&text).ok_or(BadNotice::Width)?;
        let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
        let fields: Vec<&str> = text.split('^').collect();
        // Fields were put in between when the layout grew: of another width only those in front mean what they are called.
        let known = if width >= names.len() { names } else { &names[..names.len().min(COMMON_FIELDS)] };
        let mut lines = Zeroizing::new(String::new());
        for record in fields.chunks(width) {
            let mut told = Map::new();
            for (place, value) in record.iter().enumerate() {
                let name = known.get(place).cloned().unwrap_or_else(|| format!("field_{}", place + 1));
                told.insert(name, Value::from(*value));
            }
            let notice = json!({ "ts_recv": ts_recv, "line": line, "tr": tr_id, "width": width, "fields": told });
            lines.push_str(&notice.to_string());
            lines.push('\n');
        }
        match self.write(ts_recv, lines.as_bytes()) {
            Ok(()) => {
                self.is_failing = false;
                self.cold.counters.add(Counter::NoticesKept, count as u64);
            }
            Err(error) => {
                self.file = None;
                self.cannot_keep(count as u64, &error);
            }
        }
        Ok(())
    }

    /// On the disk when it returns.
    fn write(&mut self, ts_recv: u64, lines: &[u8]) -> io::Result<()> {
        let date = kst::number_of(kst::trading_date(self.market.market_ns(ts_recv)));
        let file = match &mut self.file {
            Some((of, file)) if *of == date => file,
            file => &mut file.insert((date, open(&self.folder.join(format!("{date}.jsonl")))?)).1,
        };
        file.write_all(lines)?;
        file.sync_data()
    }
}

/// Fields in front that all widths of stock notices share.
const COMMON_FIELDS: usize = 18;

/// Opens a day's file to be written on. A line that a dead process left unfinished stays, and ends here.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)?;
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}
