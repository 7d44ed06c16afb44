//! What `[[kis.subscribe]]` only names: files of codes, members of an index, the stocks traded most.
//!
//! Lists are looked up when a recorder starts and when it is told to read its configuration again; between the two what is
//! recorded doesn't change. A list that can't be had is an error, never an empty list.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::{Environment, is_brokers, server_of};
use super::masters::{Cache, Masters, MastersError};
use super::rest::{Client, RestError};
use crate::clock::wall_ns;
use crate::config::{Config, ConfigError};
use crate::market::kst;

/// Longest wait for a ranking, with its turn and its token.
const RANKING_PATIENCE: Duration = Duration::from_secs(70);
/// Characters of a code: stocks have 6, derivatives 8 or 9, foreign ones up to 16.
const CODE_CHARS_MAX: usize = 20;
/// Rows of the broker's ranking; it has no further pages.
pub const RANKING_ROWS: u32 = 30;

/// Why a list can't be had; says where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UniverseError {
    /// A file of codes can't be read.
    #[error("list of codes {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of it is no code.
    #[error("{path}:{line}: `{found}` is no code: expected letters and digits, one code a line, comments after #")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// A list without a code.
    #[error("{0} holds no code")]
    Empty(String),
    /// The members of an index are not known.
    #[error("members of {index}: {source}")]
    Index {
        /// The index.
        index: String,
        /// Why.
        source: MastersError,
    },
    /// The master files are of another server than what is recorded.
    #[error(
        "members of {index}: the master files of {date} are of the server `{origin}`, and what is recorded is of `{server}`, \
         whose codes may be others: `hoga fetch masters --restart --config FILE` gets those of that configuration"
    )]
    OtherServer {
        /// The index.
        index: String,
        /// Day of the files.
        date: jiff::civil::Date,
        /// Whose they are.
        origin: String,
        /// Whose were wanted.
        server: String,
    },
    /// There is no folder of master files.
    #[error("members of {0}: there is no home to look for master files in")]
    NoCache(String),
    /// The broker's ranking can't be had.
    #[error("the {count} stocks traded most: {source}")]
    Ranking {
        /// How many were wanted.
        count: u32,
        /// Why.
        source: RestError,
    },
    /// The configuration is wrong, by itself or with its lists.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Where lists come from that are neither in the configuration nor in a file.
pub trait Universe {
    /// Codes of an index's members, at the server of a REST address.
    ///
    /// # Errors
    ///
    /// The index or its members are not known.
    fn members(&mut self, index: &str, rest_url: &str) -> Result<Vec<String>, UniverseError>;

    /// Codes of the stocks that turned over most won today, the first first; fewer where the ranking ends.
    ///
    /// # Errors
    ///
    /// The ranking can't be had.
    fn most_traded(&mut self, count: u32) -> Result<Vec<String>, UniverseError>;
}

/// Days after which master files are old: members of an index change a few times a year.
pub const MASTERS_OLD_DAYS: i32 = 7;

/// Days since the newest master files of a cache; `None` where there are none.
pub fn masters_age(cache: &Path) -> Option<i32> {
    let date = Cache::new(cache).days().ok()?.pop()?;
    Some((kst::civil(wall_ns()).date() - date).get_days())
}

/// Members of an index, as the newest master files of a cache tell them.
fn index_members(index: &str, rest_url: &str, cache: Option<&Path>) -> Result<Vec<String>, UniverseError> {
    let cache = cache.ok_or_else(|| UniverseError::NoCache(index.to_owned()))?;
    let failed = |source| UniverseError::Index { index: index.to_owned(), source };
    let masters = Masters::load(cache).map_err(failed)?;
    let (real, simulator) = (Environment::Real.name(), Environment::Simulator.name());
    let origin = Cache::new(cache).origin(masters.date());
    // Those of the broker's real server hold for its mock server, too; what another host serves, its operator knows.
    let strange = if is_brokers(rest_url) { simulator } else { real };
    if let Some(origin) = origin.filter(|origin| origin == strange) {
        let (index, server) = (index.to_owned(), server_of(rest_url));
        return Err(UniverseError::OtherServer { index, date: masters.date(), origin, server });
    }
    if let Some(days) = masters_age(cache).filter(|days| *days > MASTERS_OLD_DAYS) {
        tracing::warn!(
            index,
            days,
            "the master files are so many days old: `hoga instruments --download` gets today's"
        );
    }
    let members: Vec<String> = masters.members(index).map_err(failed)?.iter().map(|one| one.code.to_string()).collect();
    let (date, count) = (masters.date(), members.len());
    tracing::info!(index, %date, count, "members of an index, by the master files of that day");
    if members.is_empty() { Err(UniverseError::Empty(format!("index {index}"))) } else { Ok(members) }
}

/// The lists of a recorder: master files on the disk, rankings of the broker.
#[derive(Debug)]
pub struct Live<'a> {
    config: &'a Config,
    /// Asked for once: trades and books are to be of the same stocks.
    ranking: Option<Vec<String>>,
}

impl<'a> Live<'a> {
    /// Nothing is asked for yet.
    pub fn new(config: &'a Config) -> Live<'a> {
        Live { config, ranking: None }
    }

    fn ask(&self, count: u32) -> Result<Vec<String>, UniverseError> {
        let kis = &self.config.kis;
        let accounts = self.config.accounts()?;
        let failed = |source| UniverseError::Ranking { count, source };
        let client = Client::new(&kis.rest_url, &accounts, &kis.rest).map_err(failed)?.with_patience(RANKING_PATIENCE);
        // 3: by won turned over.
        let ranked = client.volume_ranking(&[("FID_BLNG_CLS_CODE", "3")]).map_err(failed)?;
        Ok(ranked.into_iter().map(|stock| stock.symbol).collect())
    }
}

impl Universe for Live<'_> {
    fn members(&mut self, index: &str, rest_url: &str) -> Result<Vec<String>, UniverseError> {
        index_members(index, rest_url, Cache::default_dir().as_deref())
    }

    fn most_traded(&mut self, count: u32) -> Result<Vec<String>, UniverseError> {
        let ranking = match self.ranking.take() {
            Some(ranking) => ranking,
            None => self.ask(count)?,
        };
        let ranked: Vec<String> = ranking.iter().take(count as usize).cloned().collect();
        self.ranking = Some(ranking);
        if ranked.is_empty() {
            return Err(UniverseError::Empty("the broker's ranking by turnover".to_owned()));
        }
        if ranked.len() < count as usize {
            let (wanted, given) = (count, ranked.len());
            tracing::warn!(wanted, given, "the broker's ranking by turnover ends before top_by_turnover does");
        }
        Ok(ranked)
    }
}

/// The lists that need no network; a ranking is left out.
#[derive(Clone, Copy, Debug)]
pub struct Local;

impl Universe for Local {
    fn members(&mut self, index: &str, rest_url: &str) -> Result<Vec<String>, UniverseError> {
        index_members(index, rest_url, Cache::default_dir().as_deref())
    }

    fn most_traded(&mut self, _count: u32) -> Result<Vec<String>, UniverseError> {
        Ok(Vec::new())
    }
}

/// Adds the codes of all lists to the keys of their subscriptions, each once, in the order keys, file, index, ranking.
///
/// # Errors
///
/// A list that can't be had; then the configuration is as it was.
pub fn resolve(config: &mut Config, universe: &mut dyn Universe) -> Result<(), UniverseError> {
    let mut subscriptions = config.kis.subscribe.clone();
    for subscription in &mut subscriptions {
        let mut codes = std::mem::take(&mut subscription.keys);
        if let Some(path) = &subscription.file {
            codes.extend(read_list(path)?);
        }
        if let Some(index) = &subscription.index {
            codes.extend(universe.members(index, &config.kis.rest_url)?);
        }
        if let Some(count) = subscription.top_by_turnover {
            codes.extend(universe.most_traded(count)?);
        }
        let mut seen = HashSet::new();
        codes.retain(|code| seen.insert(code.clone()));
        subscription.keys = codes;
        subscription.is_resolved = true;
    }
    config.kis.subscribe = subscriptions;
    Ok(())
}

/// Reads a configuration and looks up its lists.
///
/// # Errors
///
/// What is wrong with either.
pub fn load(path: &Path) -> Result<Config, UniverseError> {
    let named = Config::load(path)?;
    let mut config = named.clone();
    resolve(&mut config, &mut Live::new(&named))?;
    config.check()?;
    Ok(config)
}

/// Whether a text looks like a code: letters and digits, in codes abroad also `/`, `.` and `-`.
pub fn is_code(text: &str) -> bool {
    let is_of_codes = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-".contains(&byte);
    (1..=CODE_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_of_codes)
}

/// The codes of a file: one a line, the rest of a line after `#` is a comment.
fn read_list(path: &Path) -> Result<Vec<String>, UniverseError> {
    let text = std::fs::read_to_string(path).map_err(|source| UniverseError::File { path: path.to_owned(), source })?;
    let mut codes = Vec::new();
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let code = content.split('#').next().unwrap_or_default().trim();
        if code.is_empty() {
            continue;
        }
        if !is_code(code) {
            let found = code.chars().take(2 * CODE_CHARS_MAX).filter(|c| !c.is_control()).collect();
            return Err(UniverseError::Line { path: path.to_owned(), line, found });
        }
        codes.push(code.to_owned());
    }
    if codes.is_empty() {
        return Err(UniverseError::Empty(path.display().to_string()));
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KisSubscription;

    struct Known;

    impl Universe for Known {
        fn members(&mut self, index: &str, _rest_url: &str) -> Result<Vec<String>, UniverseError> {
            Ok(vec!["000660".to_owned(), format!("of{index}")])
        }

        fn most_traded(&mut self, count: u32) -> Result<Vec<String>, UniverseError> {
            Ok((0..count).map(|rank| format!("rank{rank}")).collect())
        }
    }

    fn config(subscription: KisSubscription) -> Config {
        let mut config = Config::load(Path::new("examples/hoga.toml")).unwrap();
        config.kis.subscribe = vec![KisSubscription { tr: "H0STCNT0".to_owned(), ..subscription }];
        config
    }

    fn list(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watch.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn all_lists_add_up_in_order_and_each_code_is_there_once() {
        let (_folder, path) = list("\u{feff}# ours\r\n005930\r\n\r\n0074K0 # a preferred share\n000660\n");
        let mut config = config(KisSubscription {
            keys: vec!["000660".to_owned()],
            file: Some(path),
            index: Some("KOSPI200".to_owned()),
            top_by_turnover: Some(2),
            ..KisSubscription::default()
        });
        config.check_resolved().unwrap_err();
        resolve(&mut config, &mut Known).unwrap();
        assert_eq!(config.kis.subscribe[0].keys, ["000660", "005930", "0074K0", "ofKOSPI200", "rank0", "rank1"]);
        config.check().unwrap();
        config.check_resolved().unwrap();
    }

    #[test]
    fn a_line_that_is_no_code_is_named_by_file_and_line_and_nothing_is_changed() {
        let (_folder, path) = list("005930\n00 5930\n");
        let mut config = config(KisSubscription { file: Some(path.clone()), ..KisSubscription::default() });
        let before = config.clone();
        let error = resolve(&mut config, &mut Known).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:2: `00 5930` is no code", path.display())), "{error}");
        assert_eq!(config, before);
    }

    #[test]
    fn a_file_without_codes_and_one_that_is_not_there_are_errors() {
        let (folder, path) = list("# nothing yet\n");
        assert!(matches!(read_list(&path), Err(UniverseError::Empty(_))));
        assert!(matches!(read_list(&folder.path().join("gone.txt")), Err(UniverseError::File { .. })));
    }

    #[test]
    fn master_files_of_another_server_are_refused_and_those_that_do_not_say_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let sector = format!("{:<45}\n", "00013KOSPI");
        let files = |origin: &str| {
            vec![("idxcode.mst".to_owned(), sector.clone().into_bytes()), ("origin".to_owned(), origin.into())]
        };
        let today = kst::civil(wall_ns()).date();
        let asked = |environment: Environment| index_members("KOSPI200", environment.rest_url(), Some(folder.path()));
        for (origin, of_real, of_simulator) in
            [("real", true, false), ("simulator", false, true), ("mirror.example", true, true), ("", true, true)]
        {
            cache.install(today, &files(origin)).unwrap();
            for (environment, is_taken) in
                [(Environment::Real, of_real), (Environment::Mock, of_real), (Environment::Simulator, of_simulator)]
            {
                let is_refused = matches!(asked(environment), Err(UniverseError::OtherServer { .. }));
                assert_eq!(!is_refused, is_taken, "{origin} for {}", environment.name());
            }
        }
        assert_eq!(masters_age(folder.path()), Some(0));
    }

    #[test]
    fn an_index_without_master_files_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let url = Environment::Real.rest_url();
        let error = index_members("KOSPI200", url, Some(folder.path())).unwrap_err().to_string();
        let begin = "members of KOSPI200: no master files in ";
        assert!(error.starts_with(begin) && error.ends_with("`hoga instruments --download` gets them"), "{error}");
        assert!(index_members("KOSPI200", url, None).unwrap_err().to_string().contains("no home"));
    }
}
