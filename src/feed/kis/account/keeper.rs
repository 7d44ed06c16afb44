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
use crate::feed::kis::control::{Control, is_control};
use crate::feed::kis::layout::LayoutTable;
use crate::market::kst;
use crate::metrics::{Counter, Counters};
use crate::wire::FrameHead;

/// Between two looks at the queue.
const PAUSE: Duration = Duration::from_millis(10);

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
        counters: Counters,
    ) -> Result<Keeper, KeeperError> {
        let failed = |source| KeeperError::Folder { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mode = std::fs::metadata(folder).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeeperError::Mode { path: folder.to_owned(), mode });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut desk = Desk::new(folder, market, counters);
        let thread = std::thread::Builder::new().name("hoga-notices".to_owned()).spawn(move || {
            loop {
                // Relaxed: a flag alone; the reader's thread was joined before it is set.
                let is_last = stopped.load(Ordering::Relaxed);
                while let Some(private) = queue.pop() {
                    desk.take(&private);
                }
                if is_last {
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

/// What the thread works on.
struct Desk {
    folder: PathBuf,
    market: MarketClock,
    counters: Counters,
    keys: HashMap<(u16, String), NoticeKey>,
    /// Names of fields by transaction: all of its widest layout, and the fewest of any.
    layouts: HashMap<String, (Vec<String>, usize)>,
    /// The file of a day, decimal YYYYMMDD.
    file: Option<(u32, File)>,
    /// A failure to write was said.
    is_failing: bool,
}

impl Desk {
    fn new(folder: &Path, market: MarketClock, counters: Counters) -> Desk {
        let layouts = LayoutTable::builtin().transactions.into_iter().map(|layout| {
            let names: Vec<String> = layout.fields.iter().map(ToString::to_string).collect();
            (layout.tr, (names, usize::from(layout.min_prefix)))
        });
        let layouts = layouts.collect();
        Desk {
            folder: folder.to_owned(),
            market,
            counters,
            keys: HashMap::new(),
            layouts,
            file: None,
            is_failing: false,
        }
    }

    fn take(&mut self, private: &Private) {
        let (line, ts_recv, bytes) = match private {
            Private::Ended { line } => return self.keys.retain(|(of, _), _| of != line),
            Private::Message { line, ts_recv, bytes } => (*line, *ts_recv, bytes),
        };
        if is_control(bytes) {
            return self.learn(line, bytes);
        }
        if let Err(error) = self.notice(line, ts_recv, bytes) {
            tracing::warn!(line, %error, "an account notice can't be read");
            self.counters.add(Counter::NoticesRejected, 1);
        }
    }

    /// The key of a transaction comes with the answer to its registration. An answer of another one has the same fields, and
    /// changes nothing here.
    fn learn(&mut self, line: u16, bytes: &[u8]) {
        let Ok(Control::Ack(answer)) = Control::parse(bytes) else { return };
        if let (Some(key), Some(iv)) = (&answer.key, &answer.iv)
            && let Some(key) = NoticeKey::new(key, iv)
        {
            self.keys.insert((line, answer.tr_id), key);
        }
    }

    fn notice(&mut self, line: u16, ts_recv: u64, bytes: &[u8]) -> Result<(), BadNotice> {
        let head = FrameHead::parse(bytes).map_err(|_| BadNotice::Frame)?;
        let tr_id = String::from_utf8_lossy(head.tr_id).into_owned();
        let text = if head.encrypted {
            let key = self.keys.get(&(line, tr_id.clone())).ok_or(BadNotice::NoKey)?;
            key.decrypt(head.payload)?
        } else {
            Zeroizing::new(head.payload.to_vec())
        };
        let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
        let fields: Vec<&str> = text.split('^').collect();
        let count = head.count as usize;
        let (names, min) = self.layouts.get(&tr_id).map_or((&[][..], 1), |(names, min)| (&names[..], *min));
        let width = fields.len() / count.max(1);
        if count == 0 || width * count != fields.len() || width < min {
            return Err(BadNotice::Width);
        }
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
                self.counters.add(Counter::NoticesKept, count as u64);
            }
            Err(error) => {
                self.file = None;
                self.counters.add(Counter::NoticesLost, count as u64);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(folder = %self.folder.display(), %error, "account notices can't be kept");
                }
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
