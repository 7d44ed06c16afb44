//! Account notices as a client decrypts them, field by field, and as the ledger counts them.

mod common;

use std::collections::BTreeMap;

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::Client;
use kis_sim::{NoticeConfig, OpenWhen, SimConfig, Venue, unescape};
use tungstenite::Message;

const TRS: [&str; 6] = ["H0STCNI0", "H0GSCNI0", "H0IFCNI0", "H0MFCNI0", "H0EUCNI0", "HDFFF2C0"];

fn config(width: usize) -> SimConfig {
    SimConfig {
        market_start: jiff::civil::date(2026, 11, 20).at(14, 5, 6, 0),
        open_when: OpenWhen::Immediately,
        notices: Some(NoticeConfig { hts_id: "me".into(), every_ms: 20, width, ..NoticeConfig::default() }),
        seconds: 0.8,
        ..SimConfig::default()
    }
}

/// Fields of the first notice of each TR, and all messages that hold one.
fn notices(venue: &Venue) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let mut client = Client::connect(venue, 0);
    let mut secrets = (Vec::new(), Vec::new());
    for tr in TRS {
        client.request("1", tr, "me");
        let answer = client.answer();
        assert_eq!((&answer["body"]["msg_cd"], &answer["header"]["encrypt"]), (&"OPSP0000".into(), &"Y".into()));
        let text = |name: &str| answer["body"]["output"][name].as_str().unwrap().as_bytes().to_vec();
        secrets = (text("iv"), text("key"));
    }
    let mut messages: Vec<String> =
        std::mem::take(&mut client.early).into_iter().map(|early| String::from_utf8(early).unwrap()).collect();
    loop {
        match client.ws.read() {
            Ok(Message::Text(text)) if text.starts_with('1') => messages.push(text.to_string()),
            Ok(Message::Text(_)) => {}
            _ => break,
        }
    }
    while client.ws.read().is_ok() {}
    let mut fields = BTreeMap::new();
    for message in &messages {
        let [_, tr, count, payload] = message.split('|').collect::<Vec<_>>()[..] else { panic!("{message}") };
        assert_eq!(count, "001");
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&secrets.1, &secrets.0).unwrap();
        let mut bytes = STANDARD.decode(payload).unwrap();
        let text = cipher.decrypt_padded::<Pkcs7>(&mut bytes).unwrap();
        let text = std::str::from_utf8(text).unwrap();
        fields.entry(tr.to_owned()).or_insert_with(|| text.split('^').map(str::to_owned).collect());
    }
    (fields, messages)
}

/// Whether a text is a number of this many digits.
fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn each_kind_of_notice_has_its_own_layout_and_values_that_can_be_read() {
    let venue = Venue::start(config(26)).unwrap();
    let (fields, _) = notices(&venue);
    let widths: BTreeMap<&str, usize> = fields.iter().map(|(tr, fields)| (tr.as_str(), fields.len())).collect();
    let expected = [("H0EUCNI0", 19), ("H0GSCNI0", 25), ("H0IFCNI0", 22), ("H0MFCNI0", 19), ("H0STCNI0", 26)];
    assert_eq!(widths.into_iter().collect::<Vec<_>>(), expected, "overseas futures have none");
    for (tr, fields) in &fields {
        // A notice of domestic stocks has a field more before the symbol.
        let shift = usize::from(tr == "H0STCNI0");
        let at = |place: usize| fields[place + shift].as_str();
        assert_eq!((&*fields[0], &*fields[4], at(11), at(12), at(16)), ("me", "02", "0", "2", "홍길동"), "{tr}");
        assert!(digits(&fields[1], 10) && digits(&fields[2], 10) && digits(at(8), 10) && digits(at(15), 9), "{tr}");
        assert!(("140506".."140530").contains(&at(10)), "{tr}: {}", at(10));
    }
    let stock = &fields["H0STCNI0"];
    assert!(digits(&stock[10], 9) && digits(&stock[25], 9));
    assert_eq!((&*stock[8], &*stock[19], &*stock[20], &*stock[24]), ("005930", "1", "Y", "삼성전자"));
    let overseas = &fields["H0GSCNI0"];
    assert_eq!(
        (&*overseas[7], &*overseas[9], &*overseas[18], &*overseas[24]),
        ("AAPL", "001480100", "6", "000001480100")
    );
    let future = &fields["H0IFCNI0"];
    assert_eq!(future[9].parse::<f64>(), future[21].parse::<f64>());
}

#[test]
fn a_notice_of_23_fields_ends_with_the_name_and_the_price() {
    let (fields, _) = notices(&Venue::start(config(23)).unwrap());
    let stock = &fields["H0STCNI0"];
    assert_eq!((stock.len(), &*stock[18], &*stock[21], &*stock[22]), (23, "삼성전자", "삼성전자", "000070000"));
    assert_eq!(fields["H0GSCNI0"].len(), 21, "those of overseas stocks were narrower then too");
    let refused = config(24).check().unwrap_err().to_string();
    assert!(refused.contains("notices.width") && refused.contains("23"), "{refused}");
}

#[test]
fn notices_are_counted_and_written_to_the_ledger_as_data_frames_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.tsv");
    let venue = Venue::start(SimConfig { ledger: Some(path.clone()), ..config(26) }).unwrap();
    let (_, messages) = notices(&venue);
    let counts = venue.join().counts;
    assert!(messages.len() > 20);
    assert_eq!(counts.frames_sent, messages.len() as u64);
    assert_eq!(counts.frames_by_tr.keys().map(|tr| &tr[..]).collect::<Vec<_>>().len(), 5);
    let ledger = std::fs::read(path).unwrap();
    let lines = ledger.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
    let sent: Vec<String> = lines
        .map(|line| unescape(line.splitn(3, |byte| *byte == b'\t').nth(2).unwrap()).unwrap())
        .map(|text| String::from_utf8(text).unwrap())
        .collect();
    assert_eq!(sent, messages);
}
