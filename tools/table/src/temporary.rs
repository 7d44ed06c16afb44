//! Files that get their name when they are whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file under a temporary name (`NAME.tmp` beside its own): gone when dropped before it was published.
///
/// One that a killed process left is written over.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    fresh: PathBuf,
    is_published: bool,
}

impl Temporary {
    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn create(path: &Path) -> io::Result<(Temporary, File)> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".tmp");
        let fresh = PathBuf::from(fresh);
        let file = File::create(&fresh)?;
        Ok((Temporary { path: path.to_owned(), fresh, is_published: false }, file))
    }

    /// Where the file is to be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.fresh)?.sync_all()
    }

    /// Gives the file its name, in the place of one that is there. Its content is on the disk already.
    ///
    /// # Errors
    ///
    /// What the system said; the file is gone then.
    pub fn publish(mut self) -> io::Result<()> {
        fs::rename(&self.fresh, &self.path)?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_published {
            // If it stays, its name says that it is not complete.
            let _ = fs::remove_file(&self.fresh);
        }
    }
}
