//! The file of an app key's token and approval key: its owner's alone, replaced as a whole, one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;

const VERSION: u32 = 1;
/// A key file is a few hundred bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
const LOCK_POLL: Duration = Duration::from_millis(10);

/// What the file holds. Times are seconds since the UNIX epoch.
#[derive(Clone, Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    version: u32,
    environment: String,
    /// SHA-256 of the app key, hexadecimal.
    app: String,
    pub(super) token: Slot,
    pub(super) approval: Slot,
}

/// One kind of key.
#[derive(Clone, Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    /// When it was last asked for, whether or not that succeeded; 0: never.
    pub(super) asked: u64,
    /// The key; empty: none.
    pub(super) value: String,
    /// When the value was received.
    pub(super) issued: u64,
    /// When it expires.
    pub(super) expires: u64,
    /// When the broker gave the value again after it had refused it; 0: never.
    #[serde(default)]
    pub(super) refused: u64,
}

/// Where the file of one app key and environment stands.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    environment: String,
    app: String,
}

/// The right to read and write the file; other processes, and other threads, wait.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    place: &'a Place,
    _lock: File,
}

impl Place {
    /// Makes the folder where it isn't there. The name of the file tells nothing of the key.
    pub(super) fn new(folder: &Path, environment: &str, app: &str) -> Result<Place, KeyError> {
        let failed = |source| KeyError::Folder { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mode = std::fs::metadata(folder).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Mode { path: folder.to_owned(), mode, wanted: 0o700 });
        }
        let path = folder.join(super::file_name(environment, app)).with_extension("json");
        Ok(Place { path, environment: environment.to_owned(), app: app.to_owned() })
    }

    fn failed(&self, source: std::io::Error) -> KeyError {
        KeyError::File { path: self.path.clone(), source }
    }

    /// Where the file stands.
    #[cfg(feature = "cli")] // for downloads alone
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Beside the file, of the same app key.
    pub(super) fn turns(&self) -> PathBuf {
        self.path.with_extension("turns")
    }

    /// Waits for the file, at most until `deadline`.
    pub(super) fn lock(&self, deadline: Instant) -> Result<Locked<'_>, KeyError> {
        let path = self.path.with_extension("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let lock = options.open(&path).map_err(|source| self.failed(source))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Locked { place: self, _lock: lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => return Err(KeyError::Busy { path }),
                Err(TryLockError::Error(source)) => return Err(self.failed(source)),
            }
        }
    }
}

impl Locked<'_> {
    /// What is kept. A file that can't be read as such is set aside, and taken for an issue at the time it was written,
    /// so that the broker's limit holds all the same.
    pub(super) fn read(&self) -> Result<Kept, KeyError> {
        let place = self.place;
        let mut options = OpenOptions::new();
        let opened = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(&place.path);
        let file = match opened {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(self.nothing(0)),
            other => other.map_err(|source| place.failed(source))?,
        };
        let metadata = file.metadata().map_err(|source| place.failed(source))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Mode { path: place.path.clone(), mode, wanted: 0o600 });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|source| place.failed(source))?;
        // The parser's error could quote the file, so it is not passed on.
        if let Ok(kept) = serde_json::from_slice::<Kept>(&bytes)
            && (kept.version, kept.environment.as_str(), kept.app.as_str())
                == (VERSION, place.environment.as_str(), place.app.as_str())
        {
            return Ok(kept);
        }
        let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        // The clock of files lags some milliseconds behind, which may be the second before.
        let written = written.map_or(0, |since| since.as_secs() + 1);
        let aside = place.path.with_extension("damaged");
        std::fs::rename(&place.path, &aside).map_err(|source| place.failed(source))?;
        tracing::warn!(path = %aside.display(), "file of keys was damaged or of another app key; it is set aside");
        let nothing = self.nothing(written);
        // For whoever reads it next, too.
        self.write(&nothing)?;
        Ok(nothing)
    }

    fn nothing(&self, asked: u64) -> Kept {
        let slot = || Slot { asked, value: String::new(), issued: 0, expires: 0, refused: 0 };
        Kept {
            version: VERSION,
            environment: self.place.environment.clone(),
            app: self.place.app.clone(),
            token: slot(),
            approval: slot(),
        }
    }

    /// Replaces the file: written beside it, synced, renamed.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), KeyError> {
        self.try_write(kept).map_err(|source| self.place.failed(source))
    }

    fn try_write(&self, kept: &Kept) -> std::io::Result<()> {
        let path = &self.place.path;
        let beside = path.with_extension("new");
        // What a process that died has left.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut text = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *text, kept)?;
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}
