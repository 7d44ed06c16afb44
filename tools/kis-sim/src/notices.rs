//! Account notices of an invented customer: encrypted with the key of the session, as the answers tell it.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::control::is_notice;
use crate::event_loop::EventLoop;
use crate::session::{Connection, State};

/// Whose notices come, how often and how wide.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct NoticeConfig {
    /// The one HTS id there is; over another one the connection ends without a Close frame, as at KIS. Default `simulated`.
    pub hts_id: String,
    /// Wall milliseconds between two notices on a connection. Default 1000.
    pub every_ms: u64,
    /// Fields of a notice of stocks: 23 as until March 2025, 26 as since. Default 26.
    pub width: usize,
    /// Each n-th notice is encrypted with a key of another session. Default 0: none.
    pub spoil_each: u64,
    /// Answers to other registrations carry another key than the notices have. Default false: the same, as at KIS.
    pub decoys: bool,
}

impl Default for NoticeConfig {
    fn default() -> Self {
        NoticeConfig { hts_id: "simulated".to_owned(), every_ms: 1000, width: 26, spoil_each: 0, decoys: false }
    }
}

/// The text of the n-th notice: an order of ten shares is executed.
fn text(config: &NoticeConfig, n: u64) -> String {
    let mut fields = vec![config.hts_id.clone(), "0000000001".into(), format!("{n:010}"), String::new()];
    fields.extend(
        ["02", "0", "00", "0", "005930", "0000000010", "000070000", "093000", "0", "2", "2", "00000"].map(String::from),
    );
    fields.extend(["000000010", "홍길동"].map(String::from));
    fields.extend((fields.len()..config.width).map(|place| format!("more{place}")));
    fields.join("^")
}

/// Base64 of the text in AES-256-CBC.
fn encrypt(text: &str, (iv, key): &(String, String)) -> Option<String> {
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(key.as_bytes(), iv.as_bytes()).ok()?;
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    bytes.resize(length + 16, 0);
    Some(STANDARD.encode(cipher.encrypt_padded::<Pkcs7>(&mut bytes, length).ok()?))
}

impl EventLoop {
    /// Whether a registration of notices names nobody: then the connection is over.
    pub(crate) fn is_stranger(&self, tr_id: &str, tr_key: &str) -> bool {
        self.config.notices.as_ref().is_some_and(|notices| is_notice(tr_id) && tr_key != notices.hts_id)
    }

    /// Sends the notices that are due.
    pub(crate) fn send_notices(&mut self, now: u64) {
        let Some(config) = &self.config.notices else { return };
        for connection in
            self.connections.iter_mut().flatten().filter(|c| c.state == State::Open && now >= c.notice_at_ns)
        {
            connection.notice_at_ns = now + config.every_ms * 1_000_000;
            notify(connection, config);
        }
    }
}

fn notify(connection: &mut Connection, config: &NoticeConfig) {
    let trs: Vec<String> = connection.feeds.iter().map(|(tr, _)| tr.clone()).filter(|tr| is_notice(tr)).collect();
    for tr in trs {
        connection.notices += 1;
        let n = connection.notices;
        let spoilt = config.spoil_each > 0 && n.is_multiple_of(config.spoil_each);
        let secrets = if spoilt { crate::auth::session_secrets(n) } else { connection.secrets.clone() };
        if let Some(payload) = encrypt(&text(config, n), &secrets) {
            connection.push_text(&format!("1|{tr}|001|{payload}"));
        }
    }
}
