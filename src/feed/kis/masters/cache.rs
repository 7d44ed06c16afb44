//! Days of master files on disk: a folder a day (`2026-11-23`), with the archives as they were served.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::{Masters, MastersError};
use crate::market::kst;
use crate::sys::file;

/// Folder of a day that is not whole yet, or that was replaced and is about to go.
const UNFINISHED: &str = ".unfinished";
/// What a day had before, where the file system can't exchange folders.
const REPLACED: &str = ".replaced";
/// In the folder of a day, whose files they are.
pub(super) const ORIGIN: &str = "origin";
/// Held by who puts a day in.
const LOCK: &str = ".lock";
/// Times that a day is read again because it was replaced meanwhile.
const READS_MAX: u32 = 5;

/// The folder of the days.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// A cache in a folder, which need not be there yet.
    pub fn new(dir: &Path) -> Cache {
        Cache { dir: dir.to_owned() }
    }

    /// `hoga/masters` in the user's cache directory.
    pub fn default_dir() -> Option<PathBuf> {
        let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        Some(cache?.join("hoga/masters"))
    }

    /// The days there are, in order; none where there is no folder.
    ///
    /// # Errors
    ///
    /// The folder can't be read.
    pub fn days(&self) -> Result<Vec<Date>, MastersError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_error(&self.dir))?,
        };
        let mut days = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error(&self.dir))?;
            days.extend(entry.file_name().to_str().and_then(day_of).filter(|_| entry.path().is_dir()));
        }
        days.sort_unstable();
        Ok(days)
    }

    /// The folder of a day.
    pub fn folder(&self, date: Date) -> PathBuf {
        self.dir.join(date.to_string())
    }

    /// The Korean date on which a day was put in; `None` where there is none.
    pub fn put_in_on(&self, date: Date) -> Option<Date> {
        let at = fs::metadata(self.folder(date)).and_then(|folder| folder.modified()).ok()?;
        let ns = at.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
        Some(kst::civil(u64::try_from(ns).ok()?).date())
    }

    /// Whose files a day has: `real`, `simulator`, or another host; `None` where they don't say.
    pub fn origin(&self, date: Date) -> Option<String> {
        let text = fs::read_to_string(self.folder(date).join(ORIGIN)).ok()?;
        Some(text.trim().to_owned()).filter(|origin| !origin.is_empty())
    }

    /// Reads a day: one whole state of it, also while another process replaces it.
    ///
    /// # Errors
    ///
    /// There is no such day, or a file can't be read.
    pub fn load(&self, date: Date) -> Result<Masters, MastersError> {
        let folder = self.folder(date);
        for _ in 0..READS_MAX {
            let identity = || fs::metadata(&folder).map(|folder| (folder.dev(), folder.ino()));
            let before = match identity() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.no_day(date)?),
                before => before.map_err(io_error(&folder))?,
            };
            let files = read_folder(&folder);
            if identity().is_ok_and(|after| after == before) {
                let files = files?;
                return Ok(Masters::read(date, files.iter().map(|(name, bytes)| (&**name, &**bytes))));
            }
        }
        Err(MastersError::Busy { dir: self.dir.clone() })
    }

    fn no_day(&self, date: Date) -> Result<MastersError, MastersError> {
        let (dir, days) = (self.dir.clone(), self.days()?);
        Ok(if days.is_empty() { MastersError::Empty { dir } } else { MastersError::NoDay { date, dir, days } })
    }

    /// Puts files in as a day, by name; not without one that the day has already from the same server. Readers see the day
    /// as it was or as it is now; what the day had before is gone, other days stay. After a crash the day is as it was.
    /// Where the file system can't exchange two folders (NFS), the day is absent for a moment, and after a crash in that
    /// moment it is put back by the next who puts a day in.
    ///
    /// # Errors
    ///
    /// Another process is at it, a file can't be written, or one that the day has is not among them: the day stays as it was.
    pub fn install(&self, date: Date, files: &[(String, Vec<u8>)]) -> Result<(), MastersError> {
        fs::create_dir_all(&self.dir).map_err(io_error(&self.dir))?;
        let lock_path = self.dir.join(LOCK);
        let lock = File::create(&lock_path).map_err(io_error(&lock_path))?;
        if !file::try_lock(&lock).map_err(io_error(&lock_path))? {
            return Err(MastersError::Busy { dir: self.dir.clone() });
        }
        let (fresh, day) = (self.dir.join(UNFINISHED), self.folder(date));
        self.clear_up()?;
        self.check_is_no_poorer(date, files)?;
        fs::create_dir(&fresh).map_err(io_error(&fresh))?;
        let written = write_all(&fresh, files).and_then(|()| {
            let moved = match day.exists() {
                true => match file::exchange(&fresh, &day) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
                        self.exchange_by_renaming(&fresh, &day)
                    }
                    exchanged => exchanged,
                },
                false => fs::rename(&fresh, &day),
            };
            moved.map_err(io_error(&day))
        });
        // Then it holds the old day, or what could be written of the new one.
        remove(&fresh)?;
        written?;
        file::sync_folder(&self.dir).map_err(io_error(&self.dir))
    }

    /// A day of fewer files would take instruments away that are listed, unless they are those of another server.
    fn check_is_no_poorer(&self, date: Date, files: &[(String, Vec<u8>)]) -> Result<(), MastersError> {
        let day = self.folder(date);
        let told = files.iter().find(|(name, _)| name == ORIGIN);
        let is_of_another = self.origin(date).zip(told).is_some_and(|(known, (_, told))| known.as_bytes() != &**told);
        if !day.exists() || is_of_another {
            return Ok(());
        }
        let plain = |name: &str| name.to_ascii_lowercase().trim_end_matches(".zip").to_owned();
        let mut gone: Vec<String> = names(&day)?.iter().map(|name| plain(name)).collect();
        gone.retain(|name| files.iter().all(|(fresh, _)| plain(fresh) != *name));
        gone.sort_unstable();
        match gone.is_empty() {
            true => Ok(()),
            false => Err(MastersError::Fewer { date, dir: self.dir.clone(), files: gone }),
        }
    }

    /// What a process left that died while it put a day in.
    fn clear_up(&self) -> Result<(), MastersError> {
        remove(&self.dir.join(UNFINISHED))?;
        let replaced = self.dir.join(REPLACED);
        for entry in fs::read_dir(&replaced).into_iter().flatten() {
            let entry = entry.map_err(io_error(&replaced))?;
            let day = self.dir.join(entry.file_name());
            if !day.exists() {
                fs::rename(entry.path(), &day).map_err(io_error(&day))?;
            }
        }
        remove(&replaced)
    }

    fn exchange_by_renaming(&self, fresh: &Path, day: &Path) -> io::Result<()> {
        let replaced = self.dir.join(REPLACED);
        fs::create_dir(&replaced)?;
        let old = replaced.join(day.file_name().unwrap_or_default());
        fs::rename(day, &old)?;
        if let Err(error) = fs::rename(fresh, day) {
            fs::rename(&old, day)?;
            return Err(error);
        }
        fs::remove_dir_all(&replaced)
    }
}

fn write_all(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), MastersError> {
    for (name, bytes) in files {
        let path = folder.join(name);
        let mut to = File::create_new(&path).map_err(io_error(&path))?;
        to.write_all(bytes).and_then(|()| file::sync_file(&to)).map_err(io_error(&path))?;
    }
    file::sync_folder(folder).map_err(io_error(folder))
}

/// All files of a folder that may be master files.
fn read_folder(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, MastersError> {
    let read = |name: String| {
        let path = folder.join(&name);
        Ok((name.to_ascii_lowercase(), fs::read(&path).map_err(io_error(&path))?))
    };
    names(folder)?.into_iter().map(read).collect()
}

/// Their names.
fn names(folder: &Path) -> Result<Vec<String>, MastersError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error(folder))? {
        let name = entry.map_err(io_error(folder))?.file_name();
        let is_master =
            |name: &&str| [".zip", ".mst", ".cod"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        names.extend(name.to_str().filter(is_master).map(str::to_owned));
    }
    Ok(names)
}

fn remove(folder: &Path) -> Result<(), MastersError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(folder)(error)),
        _ => Ok(()),
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> MastersError {
    move |source| MastersError::Io { path: path.to_owned(), source }
}

/// A date of ten characters, and nothing else.
fn day_of(name: &str) -> Option<Date> {
    name.parse().ok().filter(|date: &Date| date.to_string() == name)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn index(rows: &[&str]) -> Vec<(String, Vec<u8>)> {
        let rows: String = rows.iter().map(|row| format!("{row:<45}\n")).collect();
        vec![("idxcode.mst".to_owned(), rows.into_bytes())]
    }

    fn listed(cache: &Cache, day: Date) -> Vec<String> {
        cache.load(day).unwrap().all().iter().map(|index| index.name.to_string()).collect()
    }

    #[test]
    fn a_day_is_replaced_whole_and_earlier_days_stay() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(&folder.path().join("not/there/yet"));
        assert_eq!(cache.days().unwrap(), []);
        let (monday, tuesday) = (date(2026, 11, 23), date(2026, 11, 24));
        cache.install(monday, &index(&["00001KOSPI"])).unwrap();
        cache.install(tuesday, &index(&["00001KOSPI", "11001KOSDAQ"])).unwrap();
        // What a process left that died in the middle is no day, and goes.
        let left = cache.dir.join(UNFINISHED);
        fs::create_dir(&left).unwrap();
        fs::write(left.join("idxcode.mst"), "half").unwrap();
        assert_eq!(cache.days().unwrap(), [monday, tuesday]);
        cache.install(tuesday, &index(&["22001KOSPI200"])).unwrap();
        assert!(!left.exists());
        // But not by less than it has.
        let poorer = cache.install(tuesday, &[("konex_code.mst.zip".to_owned(), Vec::new())]).unwrap_err().to_string();
        assert!(poorer.contains("no idxcode.mst") && poorer.contains("2026-11-24"), "{poorer}");
        assert_eq!((listed(&cache, monday), listed(&cache, tuesday)), (vec!["KOSPI".into()], vec!["KOSPI200".into()]));
    }

    #[test]
    fn a_day_of_another_server_is_replaced_by_fewer_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let day = date(2026, 11, 23);
        let of = |origin: &str, mut files: Vec<(String, Vec<u8>)>| {
            files.push((ORIGIN.to_owned(), origin.as_bytes().to_vec()));
            files
        };
        let mut more = index(&["00001KOSPI"]);
        more.push(("fo_idx_code_mts.mst".to_owned(), Vec::new()));
        cache.install(day, &of("simulator", more)).unwrap();
        let fewer = |origin| cache.install(day, &of(origin, index(&["11001KOSDAQ"])));
        assert!(matches!(fewer("simulator"), Err(MastersError::Fewer { .. })));
        fewer("real").unwrap();
        assert_eq!((listed(&cache, day), cache.origin(day).as_deref()), (vec!["KOSDAQ".to_owned()], Some("real")));
    }

    #[test]
    fn a_day_that_can_not_be_written_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let day = date(2026, 11, 23);
        cache.install(day, &index(&["00001KOSPI"])).unwrap();
        let mut broken = index(&["22001KOSPI200"]);
        broken.push(("no/such/folder".to_owned(), Vec::new()));
        assert!(matches!(cache.install(day, &broken), Err(MastersError::Io { .. })));
        assert_eq!(listed(&cache, day), ["KOSPI"]);
        let held = File::create(folder.path().join(LOCK)).unwrap();
        assert!(file::try_lock(&held).unwrap());
        assert!(matches!(cache.install(day, &index(&[])), Err(MastersError::Busy { .. })));
    }

    #[test]
    fn without_an_exchange_of_folders_a_day_is_replaced_by_renaming_or_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let day = date(2026, 11, 23);
        cache.install(day, &index(&["00001KOSPI"])).unwrap();
        let fresh = folder.path().join("fresh");
        fs::create_dir(&fresh).unwrap();
        write_all(&fresh, &index(&["22001KOSPI200"])).unwrap();
        cache.exchange_by_renaming(&fresh, &cache.folder(day)).unwrap();
        assert_eq!(listed(&cache, day), ["KOSPI200"]);
        assert!(cache.exchange_by_renaming(&fresh, &cache.folder(day)).is_err(), "there is nothing to put in");
        assert_eq!(listed(&cache, day), ["KOSPI200"]);
        // Dead between the two renames: the next who puts a day in puts that one back.
        let replaced = folder.path().join(REPLACED);
        fs::create_dir_all(&replaced).unwrap();
        fs::rename(cache.folder(day), replaced.join(day.to_string())).unwrap();
        cache.install(date(2026, 11, 24), &index(&["11001KOSDAQ"])).unwrap();
        assert_eq!((listed(&cache, day), replaced.exists()), (vec!["KOSPI200".to_owned()], false));
    }

    #[test]
    fn a_reader_sees_the_old_day_or_the_new_one_while_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let day = date(2026, 11, 23);
        // Two files that belong together: the same number of rows in both.
        let whole = |rows: usize| {
            let mut files = index(&vec!["00001KOSPI"; rows]);
            files.push(("fo_idx_code_mts.mst".to_owned(), "1|A|B|C| |00000.00|1|2001|D\n".repeat(rows).into_bytes()));
            files
        };
        cache.install(day, &whole(1)).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (2..60).for_each(|rows| cache.install(day, &whole(rows)).unwrap()));
            while !writer.is_finished() {
                match cache.load(day) {
                    Ok(masters) => assert_eq!(masters.reports()[0].rows, masters.reports()[1].rows),
                    Err(error) => assert!(matches!(error, MastersError::Busy { .. }), "{error}"),
                }
            }
        });
        assert_eq!(cache.load(day).unwrap().reports()[0].rows, 59);
    }

    #[test]
    fn a_day_that_is_not_there_is_answered_with_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let said = |day| cache.load(day).unwrap_err().to_string();
        assert!(said(date(2026, 11, 23)).contains("hoga instruments --download"));
        cache.install(date(2026, 11, 20), &index(&["00001KOSPI"])).unwrap();
        assert!(said(date(2026, 11, 23)).contains("it has 2026-11-20"));
    }
}
