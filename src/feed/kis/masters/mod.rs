//! Master files: the lists of all instruments that the broker publishes each morning, as archives over HTTPS.
//!
//! What is promised:
//!
//! - *Fields by bytes.* A row is cut in bytes and decoded from cp949 after, so that a Hangul name moves no field.
//! - *Never a guess.* A row of another width, a byte that is no text outside of a text, a bad number, date or flag, a code that
//!   stands twice: each is a [`Reject`] with file, line and byte, counted; the other rows are taken. A code of a class that has
//!   no name here stays visible ([`Kind::Other`],
//!   [`Cautions::UNKNOWN`](crate::market::security::Cautions::UNKNOWN)).
//! - *Codes are text.* They have had letters since 2024.
//! - *A day is whole.* [`download`] puts a day into the [`Cache`] by one exchange of folders, and leaves earlier days alone.
//!
//! The layouts stand in `layout.rs`, with their sources. All of this is cold.
//!
//! ```no_run
//! use hoga::feed::kis::masters::{Cache, Masters};
//!
//! let masters = Masters::load(&Cache::default_dir().expect("a home"))?;
//! let samsung = masters.get("005930").expect("listed");
//! println!("{} {:?}", samsung.name, samsung.limits(masters.date()));
//! let symbols: Vec<&str> = masters.members("KOSPI200")?.iter().map(|member| &*member.code).collect();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod cache;
mod changes;
mod download;
mod files;
mod layout;
mod parse;
#[cfg(test)]
mod proptests;
mod reject;
mod rows;
mod search;
#[cfg(test)]
mod tests;
mod values;

use std::path::{Path, PathBuf};

use jiff::civil::Date;

pub use self::cache::Cache;
pub use self::changes::{Change, Changed, Changes};
pub use self::download::{DOWNLOAD_URL, Downloaded, download, download_newest};
pub use self::files::{FILES, MasterFile};
pub use self::reject::{FileReport, REJECTS_KEPT, Reject, RejectReason};
pub use self::search::Query;
use crate::market::security::{Board, Indices, Kind, Security};

/// Why master files can't be had; says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MastersError {
    /// There is no cache, or nothing in it.
    #[error("no master files in {}: `hoga instruments --download` gets them", dir.display())]
    Empty {
        /// The folder.
        dir: PathBuf,
    },
    /// The cache doesn't have a day.
    #[error("no master files of {date} in {}: it has {}", dir.display(), days_text(days))]
    NoDay {
        /// The day asked for.
        date: Date,
        /// The folder.
        dir: PathBuf,
        /// The days there are.
        days: Vec<Date>,
    },
    /// There is one day, and a comparison wants two.
    #[error("{} has the master files of one day, {date}: a comparison wants two", dir.display())]
    OneDay {
        /// The folder.
        dir: PathBuf,
        /// The day.
        date: Date,
    },
    /// A file or folder can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process is putting files into the cache.
    #[error("{}: another process is downloading into it; wait for it", dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// A file can't be had from the server. Nothing in the cache was changed.
    #[error("{url}: {message}; nothing was changed")]
    Download {
        /// The address.
        url: String,
        /// What is wrong.
        message: String,
    },
    /// The day is there with a file that the server has no more. Nothing in the cache was changed.
    #[error("the server has no {}, and the files of {date} in {} have it; nothing was changed", files.join(", "), dir.display())]
    Fewer {
        /// The day.
        date: Date,
        /// The folder.
        dir: PathBuf,
        /// Names of the files.
        files: Vec<String>,
    },
    /// There is no index of this name or code in the lists.
    #[error("no index {name}: the lists mark {}, and sectors by the four digits of their index", index_names())]
    NoIndex {
        /// What was asked for.
        name: String,
    },
}

fn days_text(days: &[Date]) -> String {
    let text = |days: &[Date]| days.iter().map(Date::to_string).collect::<Vec<_>>().join(", ");
    match days {
        [first, .., last] if days.len() > 4 => format!("{} days from {first} to {last}", days.len()),
        days => text(days),
    }
}

fn index_names() -> String {
    Indices::all_names().collect::<Vec<_>>().join(", ")
}

/// All instruments of a day.
#[derive(Clone, Debug)]
pub struct Masters {
    date: Date,
    securities: Vec<Security>,
    /// Places in `securities`, by code and then by place.
    by_code: Vec<u32>,
    reports: Vec<FileReport>,
    missing: Vec<&'static str>,
}

impl Masters {
    /// The newest day of a cache.
    ///
    /// # Errors
    ///
    /// There is none, or a file can't be read. A damaged file is no error but a [`FileReport`].
    pub fn load(dir: &Path) -> Result<Masters, MastersError> {
        let cache = Cache::new(dir);
        let date = cache.days()?.pop().ok_or_else(|| MastersError::Empty { dir: dir.to_owned() })?;
        cache.load(date)
    }

    /// A day of a cache.
    ///
    /// # Errors
    ///
    /// As [`Masters::load`].
    pub fn load_day(dir: &Path, date: Date) -> Result<Masters, MastersError> {
        Cache::new(dir).load(date)
    }

    /// Reads files given by name: archives (`kospi_code.mst.zip`), or what is in them (`kospi_code.mst`). Files of other
    /// names are left alone.
    pub fn read<'a>(date: Date, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Masters {
        let given: Vec<(String, &[u8])> =
            files.into_iter().map(|(name, bytes)| (name.to_ascii_lowercase(), bytes)).collect();
        let mut masters =
            Masters { date, securities: Vec::new(), by_code: Vec::new(), reports: Vec::new(), missing: Vec::new() };
        let mut places = Vec::new();
        let mut marks = Vec::new();
        for file in &FILES {
            let archive = file.archive();
            let find = |name: &str| given.iter().find(|(given, _)| given == name).map(|(_, bytes)| *bytes);
            let unpacked = match (find(&archive), find(file.name)) {
                (Some(bytes), _) => archive::unpack(bytes, file.name),
                (None, Some(bytes)) => Ok(bytes.to_vec()),
                (None, None) => {
                    masters.missing.push(file.name);
                    continue;
                }
            };
            let bytes = match unpacked {
                Ok(bytes) => bytes,
                Err(damage) => {
                    masters.reports.push(FileReport { damage: Some(damage), ..FileReport::new(file.name) });
                    continue;
                }
            };
            let parsed = parse::parse(file, &bytes);
            let report = masters.reports.len();
            masters.reports.push(parsed.report);
            for (security, at) in parsed.securities {
                masters.securities.push(security);
                places.push((report, at));
            }
            marks.extend(parsed.nextrade.into_iter().map(|(code, at)| (report, code, at)));
        }
        masters.settle(&places);
        masters.mark(marks);
        masters
    }

    /// Orders the entries, and takes out those that an earlier row has on the same market.
    fn settle(&mut self, places: &[(usize, reject::Position)]) {
        let securities = &self.securities;
        let mut order: Vec<u32> = (0..securities.len() as u32).collect();
        order.sort_unstable_by(|a, b| {
            let key = |at: &u32| (&securities[*at as usize].code, securities[*at as usize].board, *at);
            key(a).cmp(&key(b))
        });
        let mut is_double = vec![false; securities.len()];
        for pair in order.windows(2) {
            let [first, second] = [pair[0] as usize, pair[1] as usize];
            let (a, b) = (&securities[first], &securities[second]);
            is_double[second] = a.code == b.code && a.board == b.board;
            if !is_double[second] {
                continue;
            }
            let (report, at) = places[second];
            // All doubles of a code stand in a row here, the first of them is of the earliest file.
            if places[first].0 == report {
                self.reports[report].reject(at, 0, RejectReason::Repeated);
            } else {
                self.reports[report].elsewhere += 1;
            }
        }
        for (is_double, (report, _)) in is_double.iter().zip(places) {
            self.reports[*report].taken += u64::from(!is_double);
        }
        let mut kept = is_double.iter().map(|is_double| !is_double);
        self.securities.retain(|_| kept.next().unwrap_or(true));
        self.by_code = (0..self.securities.len() as u32).collect();
        // By place among equal codes: the files of KRX come before those of other exchanges.
        let securities = &self.securities;
        self.by_code.sort_by(|a, b| securities[*a as usize].code.cmp(&securities[*b as usize].code));
    }

    fn mark(&mut self, marks: Vec<(usize, Box<str>, reject::Position)>) {
        for (report, code, at) in marks {
            let place =
                self.places(&code).iter().map(|at| *at as usize).find(|at| self.securities[*at].board.is_stocks());
            match place {
                Some(place) if !self.securities[place].is_nxt => {
                    self.securities[place].is_nxt = true;
                    self.reports[report].taken += 1;
                }
                Some(_) => self.reports[report].reject(at, 0, RejectReason::Repeated),
                None => self.reports[report].reject(at, 0, RejectReason::Unlisted),
            }
        }
    }

    /// Places of the entries with a code.
    fn places(&self, code: &str) -> &[u32] {
        let text = |at: &u32| &*self.securities[*at as usize].code;
        let begin = self.by_code.partition_point(|at| text(at) < code);
        let count = self.by_code[begin..].partition_point(|at| text(at) == code);
        &self.by_code[begin..begin + count]
    }

    /// Whether Nextrade trades an entry; `None` of KOSPI and KOSDAQ where the list that says so is missing or damaged.
    pub fn on_nextrade(&self, security: &Security) -> Option<bool> {
        self.knows_nextrade(security.board).then_some(security.is_nxt)
    }

    /// Whether it is known of a market's entries which ones Nextrade trades.
    pub fn knows_nextrade(&self, board: Board) -> bool {
        let lists = FILES.iter().filter(|file| file.marks_nextrade_of() == Some(board));
        let is_read = |name| self.reports.iter().any(|report| report.file == name && report.damage.is_none());
        lists.into_iter().all(|list| is_read(list.name))
    }

    /// The day of the files: ticks and limits go by it.
    pub fn date(&self) -> Date {
        self.date
    }

    /// All entries, in the order of the files.
    pub fn all(&self) -> &[Security] {
        &self.securities
    }

    /// The entry with a code. Where several markets have it, that of KRX; [`Masters::get_on`] asks for one.
    pub fn get(&self, code: &str) -> Option<&Security> {
        self.places(code).first().map(|at| &self.securities[*at as usize])
    }

    /// The entry with a code on a market.
    pub fn get_on(&self, board: Board, code: &str) -> Option<&Security> {
        let mut found = self.places(code).iter().map(|at| &self.securities[*at as usize]);
        found.find(|security| security.board == board)
    }

    /// Members of an index in the order of the files, by its name (`KOSPI200`, in any case) or its code of four digits
    /// (`2001`); for a sector of KRX by the code of its index (`0013`).
    ///
    /// # Errors
    ///
    /// The lists mark no such index.
    pub fn members(&self, index: &str) -> Result<Vec<&Security>, MastersError> {
        let stocks = || self.securities.iter().filter(|security| security.board.is_stocks());
        if let Some(index) = Indices::named(index).or_else(|| Indices::of_code(index)) {
            return Ok(stocks().filter(|security| security.indices.contains(index)).collect());
        }
        let is_of = |security: &&Security| security.sectors.iter().any(|sector| **sector == *index);
        let members: Vec<&Security> = stocks().filter(is_of).collect();
        if members.is_empty() {
            return Err(MastersError::NoIndex { name: index.to_owned() });
        }
        Ok(members)
    }

    /// The name of an entry's sector: of the middle one, else of the large one. The code where the lists don't name it.
    pub fn sector<'a>(&'a self, security: &'a Security) -> Option<&'a str> {
        let code = security.sectors.get(1).or(security.sectors.first())?;
        if !security.board.is_stocks() {
            return Some(code);
        }
        let index = self.get_on(Board::Index, code).filter(|index| index.kind == Kind::Index);
        Some(index.map_or(code, |index| &index.name))
    }

    /// What came of each file.
    pub fn reports(&self) -> &[FileReport] {
        &self.reports
    }

    /// Rows that were not taken, of all files.
    pub fn rejected(&self) -> u64 {
        self.reports.iter().map(|report| report.rejected).sum()
    }

    /// Files that the day doesn't have.
    pub fn missing(&self) -> &[&'static str] {
        &self.missing
    }
}
