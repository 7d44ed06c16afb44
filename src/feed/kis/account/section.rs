//! `[kis.notices]`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::feed::kis::control::is_notice;
use crate::feed::kis::rest::is_mock;
use crate::feed::kis::session::ledger::Registration;
use crate::secret::{Secret, SecretError, from_variable};
use crate::tick::tr_number;

/// Account notices; without this section none are asked for. The HTS id is a secret: it is named here, never written.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct NoticesSection {
    /// Environment variable that holds the HTS id.
    pub hts_id_env: Option<String>,
    /// File of mode 0600 that holds the HTS id and nothing else.
    pub hts_id_file: Option<PathBuf>,
    /// Name of the `[[kis.account]]` on whose session they come, of the same customer; default the first.
    pub account: Option<String>,
    /// Transactions; default those of domestic stocks: H0STCNI0, on the mock server H0STCNI9.
    pub trs: Vec<String>,
    /// Folder they are kept in, made with mode 0700; default `notices` beside the journal's folder.
    pub dir: Option<PathBuf>,
}

impl NoticesSection {
    /// The first value out of its range: its field, what it is, what it may be.
    pub fn check(&self, accounts: &[String]) -> Result<(), (&'static str, String, &'static str)> {
        if self.hts_id_env.is_some() == self.hts_id_file.is_some() {
            // Not what stands there: somebody may have written the id itself.
            let found = if self.hts_id_env.is_some() { "both" } else { "neither" };
            return Err(("kis.notices", found.to_owned(), "either hts_id_env or hts_id_file"));
        }
        if let Some(unknown) = self.account.as_ref().filter(|name| !accounts.contains(name)) {
            return Err(("kis.notices.account", unknown.clone(), "the name of a [[kis.account]]"));
        }
        if let Some(wrong) = self.trs.iter().find(|tr| !is_notice(tr) || tr_number(tr).is_none()) {
            return Err(("kis.notices.trs", wrong.clone(), "transactions of account notices, e.g. H0STCNI0"));
        }
        Ok(())
    }

    /// The HTS id, from where it is kept.
    ///
    /// # Errors
    ///
    /// Where it is not, or that others could read it.
    pub fn hts_id(&self) -> Result<Secret, SecretError> {
        let path = match (&self.hts_id_env, &self.hts_id_file) {
            (Some(name), _) => return from_variable("hts_id_env", name, "hts_id_file"),
            (None, Some(path)) => path,
            (None, None) => {
                return Err(SecretError::NotSet { name: "hts_id_env".to_owned(), file_field: "hts_id_file" });
            }
        };
        match Zeroizing::new(read_private(path)?).trim() {
            "" => Err(SecretError::Empty(path.clone())),
            id => Ok(Secret::new(id)),
        }
    }

    /// Place of the account whose session carries them.
    pub fn account_index(&self, accounts: &[String]) -> usize {
        let named = self.account.as_ref().and_then(|name| accounts.iter().position(|account| account == name));
        named.unwrap_or_default()
    }

    /// What is registered.
    pub fn registrations(&self, rest_url: &str, hts_id: &Secret) -> Vec<Registration> {
        let usual = [if is_mock(rest_url) { "H0STCNI9" } else { "H0STCNI0" }.to_owned()];
        let trs = if self.trs.is_empty() { &usual[..] } else { &self.trs[..] };
        let pair = |tr: &String| Registration { tr_id: tr.clone(), tr_key: hts_id.expose().to_owned() };
        trs.iter().map(pair).collect()
    }

    /// The folder.
    pub fn folder(&self, journal: &Path) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| journal.with_file_name("notices"))
    }
}

fn read_private(path: &Path) -> Result<String, SecretError> {
    let failed = |source| SecretError::Read { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Mode { path: path.to_owned(), mode });
    }
    std::fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_in_a_file_that_others_can_read_is_refused_and_one_of_its_owner_is_taken() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "htsid001\n").unwrap();
        let section = NoticesSection { hts_id_file: Some(file.path().to_owned()), ..NoticesSection::default() };
        let set = |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o644);
        assert!(matches!(section.hts_id(), Err(SecretError::Mode { mode: 0o644, .. })));
        set(0o600);
        let id = section.hts_id().unwrap();
        assert_eq!(id.expose(), "htsid001");
        let pairs = section.registrations("https://openapivts.koreainvestment.com:29443", &id);
        assert_eq!(pairs[0].tr_id, "H0STCNI9");
        assert!(!format!("{pairs:?}").contains("htsid001"));
    }

    #[test]
    fn where_the_id_is_not_is_said_with_the_field_that_helps() {
        let unset = NoticesSection { hts_id_env: Some("HOGA_TEST_NO_SUCH".to_owned()), ..NoticesSection::default() };
        let said = unset.hts_id().unwrap_err().to_string();
        assert!(said.contains("hts_id_file") && !said.contains("credentials_file"), "{said}");
        let id = NoticesSection { hts_id_env: Some("hong1234".to_owned()), ..NoticesSection::default() };
        let error = id.hts_id().unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.starts_with("hts_id_env") && !said.contains("hong1234"), "{said}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let empty = NoticesSection { hts_id_file: Some(file.path().to_owned()), ..NoticesSection::default() };
        assert!(empty.hts_id().unwrap_err().to_string().ends_with("holds nothing"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let accounts = ["main".to_owned()];
        let good = NoticesSection { hts_id_env: Some("X".to_owned()), ..NoticesSection::default() };
        assert_eq!(good.check(&accounts), Ok(()));
        assert_eq!(NoticesSection::default().check(&accounts).unwrap_err().0, "kis.notices");
        let other = NoticesSection { account: Some("other".to_owned()), ..good.clone() };
        assert_eq!(other.check(&accounts).unwrap_err().0, "kis.notices.account");
        let trades = NoticesSection { trs: vec!["H0STCNT0".to_owned()], ..good };
        assert_eq!(trades.check(&accounts).unwrap_err().0, "kis.notices.trs");
    }
}
