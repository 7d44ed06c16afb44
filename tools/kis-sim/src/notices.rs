//! Account notices of an invented customer: encrypted with the key of the session, as the answers tell it.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::control::is_notice;
use crate::event_loop::EventLoop;
use crate::ledger::Ledger;
use crate::session::{Connection, State};

/// Whose notices come, how often and how wide.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct NoticeConfig {
    /// The one HTS id there is; over another one the connection ends without a Close frame, as at KIS. Default `simulated`.
    pub hts_id: String,
    /// Wall milliseconds between two notices on a connection. Default 1000.
    pub every_ms: u64,
    /// Fields of a notice of domestic stocks: 23 as until March 2025, 26 as since, or more. Default 26. Those of overseas
    /// stocks have 21 then and 25 now, of futures and options 22, of the night 19; overseas futures have none.
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

/// The text of the n-th notice of a TR: an order of ten is executed at a time of the day. `None` for the TRs of overseas
/// futures, whose layout is published in two ways.
fn text(config: &NoticeConfig, tr_id: &str, n: u64, time: &str) -> Option<String> {
    let number = format!("{n:010}");
    // Customer, account, order, order amended; bought, not amended.
    let head = [config.hts_id.as_str(), "0000000001", &number, "", "02", "0"];
    // Accepted, an execution, confirmed; branch, quantity ordered, name of the account.
    let middle = ["0", "2", "2", "00000", "000000010", "홍길동"];
    let quantity = "0000000010";
    let (order, end): (Vec<&str>, Vec<&str>) = match tr_id.get(..7)? {
        "H0STCNI" => {
            let end = match config.width {
                23 => vec!["삼성전자", "10", "", "삼성전자", "000070000"],
                _ => vec!["", "1", "Y", "", "10", "", "삼성전자", "000070000"],
            };
            (vec!["00", "0", "005930", quantity, "000070000", time], end)
        }
        // Prices have four decimals, in twelve digits too.
        "H0GSCNI" => {
            let mut end = vec!["애플", "6", "10", "", "", "", "", "000001480100"];
            end.truncate(if config.width == 23 { 4 } else { end.len() });
            (vec!["2", "AAPL", quantity, "001480100", time], end)
        }
        "H0IFCNI" => (vec!["2", "A01612", quantity, "000354.10", time], vec!["F 202612", "0", "", "", "000354.10"]),
        "H0MFCNI" => (vec!["2", "A01612", quantity, "000354.10", time], vec!["F 202612", "0"]),
        "H0EUCNI" => (vec!["2", "B01612550", quantity, "000001.25", time], vec!["C 202612 550.0", "0"]),
        _ => return None,
    };
    let mut fields = [head.as_slice(), &order, &middle, &end].concat();
    if tr_id.starts_with("H0STCNI") {
        // Wider than any that was published: who knows what the rest would mean.
        fields.resize(config.width.max(fields.len()), "0");
    }
    Some(fields.join("^"))
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
        let time = self.market_time(now).strftime("%H%M%S").to_string();
        for connection in
            self.connections.iter_mut().flatten().filter(|c| c.state == State::Open && now >= c.notice_at_ns)
        {
            connection.notice_at_ns = now + config.every_ms * 1_000_000;
            notify(connection, &mut self.ledger, config, &time);
        }
    }
}

fn notify(connection: &mut Connection, ledger: &mut Ledger, config: &NoticeConfig, time: &str) {
    let trs: Vec<String> = connection.feeds.iter().map(|(tr, _)| tr.clone()).filter(|tr| is_notice(tr)).collect();
    for tr in trs {
        let n = connection.notices + 1;
        let spoilt = config.spoil_each > 0 && n.is_multiple_of(config.spoil_each);
        let secrets = if spoilt { crate::auth::session_secrets(n) } else { connection.secrets.clone() };
        let Some(payload) = text(config, &tr, n, time).and_then(|text| encrypt(&text, &secrets)) else { continue };
        connection.notices = n;
        connection.push_data(ledger.tr_number(&tr), 1, format!("1|{tr}|001|{payload}").as_bytes());
    }
}
