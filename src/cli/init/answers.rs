//! The configuration that is written: the documented example, with some lines of one's own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::feed::kis::environment::Environment;

/// Every field, annotated: what is written but for what follows here.
const TEMPLATE: &str = include_str!("../../../examples/hoga.toml");
/// What is recorded of each symbol, the more important first.
const TRS: [&str; 2] = ["H0STCNT0", "H0STASP0"];

/// What the configuration is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub environment: Environment,
    pub journal: PathBuf,
    /// By app key.
    pub secrets: Vec<SecretPlace>,
    pub list: List,
}

/// Where an app key and its secret are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretPlace {
    /// Names of two environment variables.
    Variables { key: String, secret: String },
    /// A file of mode 0600.
    File(PathBuf),
}

impl SecretPlace {
    /// The variables of an app key, from 1.
    pub fn variables(number: u16) -> SecretPlace {
        let end = if number == 1 { String::new() } else { format!("_{number}") };
        SecretPlace::Variables { key: format!("KIS_APP_KEY{end}"), secret: format!("KIS_APP_SECRET{end}") }
    }
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum List {
    Codes(Vec<String>),
    File(PathBuf),
    Index(String),
    Top(u32),
}

impl List {
    /// Codes with commas, `file:NAME`, `index:NAME` or `top:COUNT`.
    pub fn read(text: &str) -> Option<List> {
        match text.split_once(':') {
            Some(("file", name)) if !name.is_empty() => Some(List::File(PathBuf::from(name))),
            Some(("index", name)) if !name.is_empty() => Some(List::Index(name.to_owned())),
            Some(("top", count)) => count.parse().ok().map(List::Top),
            Some(_) => None,
            None => {
                let codes: Vec<String> =
                    text.split(',').map(|code| code.trim().to_owned()).filter(|code| !code.is_empty()).collect();
                (!codes.is_empty()).then_some(List::Codes(codes))
            }
        }
    }

    /// The line of a subscription.
    fn line(&self) -> String {
        match self {
            List::Codes(codes) => {
                let codes: Vec<String> = codes.iter().map(|code| quoted(code)).collect();
                format!("keys = [{}]", codes.join(", "))
            }
            List::File(path) => format!("file = {}", quoted(&path.to_string_lossy())),
            List::Index(name) => format!("index = {}", quoted(name)),
            List::Top(count) => format!("top_by_turnover = {count}"),
        }
    }
}

impl Answers {
    /// The configuration.
    pub fn text(&self) -> String {
        let mut text = TEMPLATE.to_owned();
        put(&mut text, "dir = \"journal\"  ", &format!("dir = {}  ", quoted(&self.journal.to_string_lossy())));
        put(&mut text, "environment = \"real\"  ", &format!("environment = {}  ", quoted(self.environment.name())));
        if self.environment == Environment::Simulator {
            // It blocks nobody who connects often.
            put(&mut text, "connect_budget = 10 ", "connect_budget = 0  ");
        }
        put_from(&mut text, "[[kis.account]]\n", "# One registration a key", &self.accounts());
        put_from(&mut text, "[[kis.subscribe]]\n", "", &self.subscriptions());
        text
    }

    fn accounts(&self) -> String {
        let mut text = String::new();
        for (number, place) in (1..).zip(&self.secrets) {
            let name = if number == 1 { "main".to_owned() } else { format!("key-{number}") };
            // Writing to a `String` can't fail.
            let _ = writeln!(text, "[[kis.account]]\nname = {}", quoted(&name));
            let _ = match place {
                SecretPlace::Variables { key, secret } => {
                    writeln!(text, "app_key_env = {}\napp_secret_env = {}\n", quoted(key), quoted(secret))
                }
                SecretPlace::File(path) => writeln!(text, "credentials_file = {}\n", quoted(&path.to_string_lossy())),
            };
        }
        if self.secrets.len() == 1 {
            text.push_str("# [[kis.account]]\n# name = \"second\"\n# credentials_file = \"second.toml\"\n\n");
        }
        text
    }

    fn subscriptions(&self) -> String {
        let one = |(at, tr): (usize, &&str)| {
            let priority = if at == 0 { "priority = 1\n" } else { "" };
            format!("[[kis.subscribe]]\ntr = {}\n{}\n{priority}", quoted(tr), self.list.line())
        };
        TRS.iter().enumerate().map(one).collect::<Vec<_>>().join("\n")
    }

    /// Files of app keys to write: the simulator's, which are invented; nobody else's are known.
    pub fn invented_keys(&self) -> Vec<(PathBuf, String)> {
        #[cfg(feature = "demo")]
        if self.environment == Environment::Simulator {
            let keys = kis_sim::AppKey::generate(self.secrets.len());
            let text = |key: &kis_sim::AppKey| {
                format!(
                    "# Invented: of kis-sim alone.\napp_key = {:?}\napp_secret = {:?}\n",
                    key.app_key, key.app_secret
                )
            };
            let files = self.secrets.iter().zip(&keys).filter_map(|(place, key)| match place {
                SecretPlace::File(path) => Some((path.clone(), text(key))),
                SecretPlace::Variables { .. } => None,
            });
            return files.collect();
        }
        Vec::new()
    }

    /// What to do next.
    pub fn next_steps(&self, out: &Path) -> String {
        let out = out.display();
        let mut text = format!("written: {out} ({})\n\nNext:\n", self.environment.name());
        if self.environment == Environment::Simulator {
            let keys =
                if self.secrets.len() > 2 { format!(" --app-keys {}", self.secrets.len()) } else { String::new() };
            let _ =
                writeln!(text, "  in another terminal:  kis-sim --rest-port 9443 --ws-port 21000 --seconds 60{keys}");
            if cfg!(not(feature = "demo")) {
                text.push_str("  write the keys that kis-sim --show-keys prints into the files named, mode 0600\n");
            }
            let _ = write!(text, "  hoga doctor --config {out}\n  hoga run --config {out} --seconds 30\n");
            return text;
        }
        for place in &self.secrets {
            let _ = match place {
                SecretPlace::Variables { key, secret } => writeln!(text, "  export {key}=... {secret}=..."),
                SecretPlace::File(path) => {
                    let path = path.display();
                    writeln!(
                        text,
                        "  put app_key = \"...\" and app_secret = \"...\" into {path}, then: chmod 600 {path}"
                    )
                }
            };
        }
        if self.environment == Environment::Mock {
            text.push_str("  (the mock server has app keys of its own)\n");
        }
        let _ = write!(
            text,
            "  hoga doctor --config {out}\n  hoga run --config {out} --check\n  hoga run --config {out}\n"
        );
        text
    }
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Puts `new` in the place of `old`, which the template holds.
fn put(text: &mut String, old: &str, new: &str) {
    debug_assert!(text.contains(old), "{old}");
    *text = text.replacen(old, new, 1);
}

/// Puts `new` in the place of what lies between the first line that is `from` and the next that begins with `to`; to the end
/// where that is empty.
fn put_from(text: &mut String, from: &str, to: &str, new: &str) {
    let start = text.find(&format!("\n{from}")).map(|at| at + 1);
    debug_assert!(start.is_some(), "{from}");
    let start = start.unwrap_or(text.len());
    let end = if to.is_empty() { None } else { text[start..].find(&format!("\n{to}")).map(|at| start + at + 1) };
    text.replace_range(start..end.unwrap_or(text.len()), new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn usual(environment: Environment) -> Answers {
        Answers {
            environment,
            journal: PathBuf::from("journal"),
            secrets: vec![SecretPlace::variables(1)],
            list: List::read("005930,000660").unwrap(),
        }
    }

    #[test]
    fn the_documented_example_is_what_is_written_when_every_default_is_taken() {
        assert_eq!(usual(Environment::Real).text(), TEMPLATE);
    }

    #[test]
    fn whatever_is_answered_the_configuration_says_it_and_is_good() {
        for environment in [Environment::Real, Environment::Mock, Environment::Simulator] {
            for list in ["0074K0", "file:watch list.txt", "index:KOSPI200", "top:30"] {
                let answers = Answers {
                    journal: PathBuf::from("/data/\"odd\" folder"),
                    secrets: vec![
                        SecretPlace::variables(1),
                        SecretPlace::File("k.toml".into()),
                        SecretPlace::variables(3),
                    ],
                    list: List::read(list).unwrap(),
                    ..usual(environment)
                };
                let parsed = Config::parse(Path::new("hoga.toml"), &answers.text());
                if (environment, list) == (Environment::Mock, "top:30") {
                    assert!(parsed.unwrap_err().to_string().contains("no ranking"));
                    continue;
                }
                let config = parsed.unwrap();
                assert_eq!((config.kis.environment, &config.journal.dir), (environment, &answers.journal));
                assert_eq!(config.kis.rest_url, environment.rest_url());
                assert_eq!(config.kis.account.len(), 3);
                assert_eq!(config.kis.account[1].credentials_file, Some("k.toml".into()));
                assert_eq!(config.kis.account[2].app_key_env.as_deref(), Some("KIS_APP_KEY_3"));
                let subscriptions = &config.kis.subscribe;
                assert_eq!(subscriptions.iter().map(|one| one.tr.as_str()).collect::<Vec<_>>(), TRS);
                for one in subscriptions {
                    let found = match (&one.keys[..], &one.file, &one.index, one.top_by_turnover) {
                        ([code], None, None, None) => List::Codes(vec![code.clone()]),
                        ([], Some(path), None, None) => List::File(path.clone()),
                        ([], None, Some(name), None) => List::Index(name.clone()),
                        ([], None, None, Some(count)) => List::Top(count),
                        _ => panic!("{one:?}"),
                    };
                    assert_eq!(found, answers.list);
                }
            }
        }
    }

    #[test]
    fn a_list_is_read_by_its_form() {
        assert_eq!(List::read("005930, 000660,"), Some(List::Codes(vec!["005930".to_owned(), "000660".to_owned()])));
        for wrong in ["", ",", "top:many", "file:", "kospi:200"] {
            assert_eq!(List::read(wrong), None, "{wrong}");
        }
    }
}
