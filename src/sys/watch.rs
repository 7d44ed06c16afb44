//! A seam for the simulation of power losses: it learns of each sync just before the kernel is asked, so that it knows
//! which bytes of which file must be on the disk afterwards. Without a watcher a sync costs one load more.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is about to be synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Bytes `from..to` of a file.
    File {
        /// Number of the file in its file system.
        inode: u64,
        /// First byte.
        from: u64,
        /// Behind the last byte; `u64::MAX` = to its end.
        to: u64,
    },
    /// The names in a folder.
    Folder {
        /// The folder.
        path: PathBuf,
    },
}

type Watcher = Arc<dyn Fn(&Sync) + Send + std::marker::Sync>;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static WATCHERS: Mutex<Vec<(usize, Watcher)>> = Mutex::new(Vec::new());

/// A watcher that is told of every sync of this process until it is dropped.
#[derive(Debug)]
pub struct Watching {
    number: usize,
}

/// Begins to watch. Every watcher hears of every file and must know its own.
pub fn watch(on_sync: impl Fn(&Sync) + Send + std::marker::Sync + 'static) -> Watching {
    let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = watchers.iter().map(|(number, _)| number + 1).max().unwrap_or(0);
    watchers.push((number, Arc::new(on_sync)));
    COUNT.store(watchers.len(), Ordering::Release);
    Watching { number }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|(number, _)| *number != self.number);
        COUNT.store(watchers.len(), Ordering::Release);
    }
}

/// Tells those who watch.
pub(super) fn tell(sync: impl FnOnce() -> Sync) {
    if COUNT.load(Ordering::Acquire) == 0 {
        return;
    }
    let sync = sync();
    let watchers: Vec<Watcher> = WATCHERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .map(|(_, watcher)| Arc::clone(watcher))
        .collect();
    for watcher in watchers {
        watcher(&sync);
    }
}
