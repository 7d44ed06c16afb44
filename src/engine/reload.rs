//! What of a configuration may change while the engine runs: the list of what to record, nothing else.

use serde_json::Value;

use crate::config::{Config, ConfigError};

/// Why a new configuration is not taken over; the old one is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// It is wrong by itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It changes what can't change now.
    #[error(
        "{} can't change while recording, only kis.subscribe can: restart to take it over; the list of what to record stays \
         as it was",
        .0.join(", ")
    )]
    Fixed(Vec<String>),
}

/// Checks that the new configuration is good and differs from the old one in its subscriptions alone.
pub(super) fn check(old: &Config, new: &Config) -> Result<(), ReloadError> {
    new.check()?;
    new.check_resolved()?;
    let fixed = |config: &Config| {
        let mut fixed = config.clone();
        fixed.kis.subscribe.clear();
        serde_json::to_value(fixed).unwrap_or_default()
    };
    let mut fields = Vec::new();
    differing(&fixed(old), &fixed(new), "", &mut fields);
    if fields.is_empty() { Ok(()) } else { Err(ReloadError::Fixed(fields)) }
}

/// Paths of the fields that differ.
fn differing(old: &Value, new: &Value, path: &str, fields: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differing(value, new.get(name).unwrap_or(&Value::Null), &path, fields);
            }
        }
        _ if old != new => fields.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KisSubscription;

    fn config() -> Config {
        Config::load(std::path::Path::new("examples/hoga.toml")).unwrap()
    }

    #[test]
    fn another_list_is_taken_over() {
        let mut new = config();
        new.kis.subscribe.push(KisSubscription {
            tr: "H0NXCNT0".to_owned(),
            keys: vec!["005930".to_owned()],
            priority: 3,
            ..KisSubscription::default()
        });
        check(&config(), &new).unwrap();
    }

    #[test]
    fn any_other_change_is_refused_by_name() {
        let mut new = config();
        new.journal.dir = "elsewhere".into();
        new.kis.session.silence_s = 45;
        new.kis.subscribe.clear();
        assert!(matches!(check(&config(), &new), Err(ReloadError::Config(_))), "an empty list is wrong by itself");
        new.kis.subscribe = config().kis.subscribe;
        let error = check(&config(), &new).unwrap_err().to_string();
        assert!(error.starts_with("journal.dir, kis.session.silence_s can't change while recording"), "{error}");
    }

    #[test]
    fn another_account_is_refused() {
        let mut new = config();
        new.kis.account.push(Default::default());
        let error = check(&config(), &new).unwrap_err().to_string();
        assert!(error.starts_with("kis.account can't change"), "{error}");
    }
}
