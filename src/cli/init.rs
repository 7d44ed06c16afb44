//! `hoga init`: one annotated configuration to start from.

mod answers;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::answers::{Answers, List, SecretPlace};
use crate::config::Config;
use crate::feed::kis::environment::Environment;

/// Writes one annotated configuration: every field with what it means and its default.
///
/// On a terminal it asks what it has not been told, each question with a default; elsewhere, or with
/// --yes, the defaults are taken. Secrets are never asked for: the file names where they are, two
/// environment variables or a file of mode 0600. For the simulator, whose app keys are invented, that
/// file is written, too.
///
/// Exit status: 0 written, 1 it could not be written, 2 wrong use, and a file that is there already.
///
/// Examples:
///   hoga init
///   hoga init --env simulator --yes
///   hoga init --env real --app-keys 5 --symbols-file watch.txt --journal /data/journal
///   hoga init --env mock --symbols 005930,000660 --secrets file --out paper.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Server: real, mock (paper trading) or simulator (kis-sim on this host) [default: real].
    #[arg(long, value_name = "ENVIRONMENT")]
    env: Option<Environment>,
    /// File to write.
    #[arg(long, value_name = "FILE", default_value = "hoga.toml")]
    out: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    /// Ask nothing.
    #[arg(long, short)]
    yes: bool,
    /// Folder of the journal [default: journal].
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Number of app keys; each holds 41 registrations [default: 1].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=100))]
    app_keys: Option<u16>,
    /// Where secrets are: env (KIS_APP_KEY, KIS_APP_SECRET, then KIS_APP_KEY_2, ...) or file (kis-key-1.toml, ...)
    /// [default: env].
    #[arg(long, value_parser = ["env", "file"])]
    secrets: Option<String>,
    /// Record these symbols: trades and books of each [default: 005930,000660; with the simulator its ten most traded].
    #[arg(long, value_name = "CODES", value_delimiter = ',', group = "list")]
    symbols: Vec<String>,
    /// Record the symbols of a file, one code a line.
    #[arg(long, value_name = "FILE", group = "list")]
    symbols_file: Option<PathBuf>,
    /// Record the members of an index, e.g. KOSPI200.
    #[arg(long, value_name = "NAME", group = "list")]
    index: Option<String>,
    /// Record so many of the stocks that turn over most won.
    #[arg(long, value_name = "COUNT", group = "list")]
    top_by_turnover: Option<u32>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{0} is there already; --force replaces it, --out names another")]
    Exists(PathBuf),
    #[error("{path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("standard input: {0}")]
    Input(io::Error),
    #[error("{0}")]
    Wrong(String),
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    match init(&args) {
        Ok(said) => {
            say!("{}", said.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hoga init: {error}");
            ExitCode::from(if matches!(error, InitError::Write { .. } | InitError::Input(_)) { 1 } else { 2 })
        }
    }
}

fn init(args: &Args) -> Result<String, InitError> {
    if !args.force && args.out.exists() {
        return Err(InitError::Exists(args.out.clone()));
    }
    let is_asked = !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let answers = answers(args, &mut |question: &str, usual: &str| {
        if is_asked { ask(question, usual) } else { Ok(usual.to_owned()) }
    })?;
    let text = answers.text();
    Config::parse(&args.out, &text).map_err(|error| InitError::Wrong(error.to_string()))?;
    let keys = answers.invented_keys();
    // Keys that are there are the same ones: the simulator's never change.
    for (path, text) in keys.iter().filter(|(path, _)| !path.exists()) {
        write(path, text, 0o600, false)?;
    }
    write(&args.out, &text, 0o644, args.force)?;
    Ok(answers.next_steps(&args.out))
}

/// Asks on the terminal; an empty line takes what is usual.
fn ask(question: &str, usual: &str) -> Result<String, InitError> {
    let mut line = String::new();
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{question} [{usual}]: ");
    let _ = stderr.flush();
    io::stdin().lock().read_line(&mut line).map_err(InitError::Input)?;
    let line = line.trim();
    Ok(if line.is_empty() { usual } else { line }.to_owned())
}

/// What was told on the command line, and for the rest what `ask(question, default)` says.
fn answers(args: &Args, ask: &mut dyn FnMut(&str, &str) -> Result<String, InitError>) -> Result<Answers, InitError> {
    let wrong = |what: &str, found: &str, expected: &str| InitError::Wrong(format!("{what} {found}: {expected}"));
    let environment = match args.env {
        Some(environment) => environment,
        None => {
            let word = ask("Server: real, mock or simulator", "real")?;
            word.parse().map_err(|_| wrong("server", &word, "expected real, mock or simulator"))?
        }
    };
    let journal = match &args.journal {
        Some(journal) => journal.clone(),
        None => PathBuf::from(ask("Folder of the journal", "journal")?),
    };
    let count = match args.app_keys {
        Some(count) => count,
        None => {
            let word = ask("Number of app keys, 41 registrations each", "1")?;
            let count = word.parse().ok().filter(|count| (1..=100).contains(count));
            count.ok_or_else(|| wrong("app keys", &word, "expected 1 to 100"))?
        }
    };
    let folder = args.out.parent().unwrap_or(Path::new(""));
    let secrets = if environment == Environment::Simulator {
        (1..=count).map(|number| SecretPlace::File(folder.join(format!("simulator-key-{number}.toml")))).collect()
    } else {
        let word = match &args.secrets {
            Some(word) => word.clone(),
            None => ask("Secrets: in environment variables (env) or in files of mode 0600 (file)", "env")?,
        };
        match word.as_str() {
            "env" => (1..=count).map(SecretPlace::variables).collect(),
            "file" => {
                (1..=count).map(|number| SecretPlace::File(folder.join(format!("kis-key-{number}.toml")))).collect()
            }
            other => return Err(wrong("secrets", other, "expected env or file")),
        }
    };
    let list = match args {
        Args { symbols, .. } if !symbols.is_empty() => List::Codes(symbols.clone()),
        Args { symbols_file: Some(file), .. } => List::File(file.clone()),
        Args { index: Some(index), .. } => List::Index(index.clone()),
        Args { top_by_turnover: Some(count), .. } => List::Top(*count),
        _ => {
            let usual = if environment == Environment::Simulator { "top:10" } else { "005930,000660" };
            let question = "Record: codes with commas, file:NAME, index:NAME, or top:COUNT by turnover";
            let word = ask(question, usual)?;
            List::read(&word)
                .ok_or_else(|| wrong("record", &word, "expected codes, file:NAME, index:NAME or top:COUNT"))?
        }
    };
    Ok(Answers { environment, journal, secrets, list })
}

/// Writes a file that is not there, or with `replace` puts another in its place at once.
fn write(path: &Path, text: &str, mode: u32, replace: bool) -> Result<(), InitError> {
    let draft = path.with_extension(format!("new.{}", std::process::id()));
    let made = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create_new(true).write(true).mode(mode);
        let mut file: File = options.open(if replace { &draft } else { path })?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if replace { std::fs::rename(&draft, path) } else { Ok(()) }
    };
    made().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists if !replace => InitError::Exists(path.to_owned()),
        _ => {
            if replace {
                let _ = std::fs::remove_file(&draft);
            }
            InitError::Write { path: path.to_owned(), source }
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn told(line: &[&str]) -> Args {
        Line::parse_from(std::iter::once(&"init").chain(line)).args
    }

    #[test]
    fn only_what_was_not_told_is_asked_and_answers_are_taken() {
        let mut asked = Vec::new();
        let mut given = ["mock", "3", "file", "top:9"].into_iter();
        let answers = answers(&told(&["--journal", "/data"]), &mut |question, _| {
            asked.push(question.split_whitespace().next().unwrap_or_default().to_owned());
            Ok(given.next().unwrap_or_default().to_owned())
        })
        .unwrap();
        assert_eq!(asked, ["Server:", "Number", "Secrets:", "Record:"]);
        assert_eq!((answers.environment, answers.secrets.len()), (Environment::Mock, 3));
        assert_eq!((answers.journal, answers.list), (PathBuf::from("/data"), List::Top(9)));
    }

    #[test]
    fn an_answer_that_is_none_says_what_is_expected() {
        for (given, expected) in [("paper", "real, mock or simulator"), ("0", "1 to 100")] {
            let args = if given == "0" { told(&["--env", "real", "--journal", "j"]) } else { told(&[]) };
            let error = answers(&args, &mut |_, _| Ok(given.to_owned())).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
