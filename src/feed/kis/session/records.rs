//! What of the sessions is journaled: `Session` records through the inbox of the one writer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use crossbeam::queue::ArrayQueue;

use super::super::control::is_notice;
use super::ledger::Registration;
use crate::clock::wall_ns;
use crate::metrics::{Counter, Counters};
use crate::tick::{Header, Publisher, RType, Session, SessionEvent, boxed_record, tr_number};

/// Longest the manager waits for room in the journal's inbox.
const INBOX_WAIT: Duration = Duration::from_millis(200);
/// Its pause meanwhile.
const INBOX_PAUSE: Duration = Duration::from_micros(500);

/// What a cold thread needs to be seen: records for the journal's inbox, counters.
#[derive(Debug)]
pub struct Cold {
    /// Finished records waiting for the one writer.
    pub inbox: Arc<ArrayQueue<Box<[u64]>>>,
    /// The manager's own block.
    pub counters: Counters,
}

impl Cold {
    /// Something happened to a line (0: to none in particular).
    pub(in crate::feed::kis) fn tell(&self, line: u16, event: SessionEvent, value: u64, code: &str, text: &str) {
        self.write(session(line, event, value, code, text));
    }

    /// Something happened to a pair.
    pub(super) fn tell_pair(&self, line: u16, event: SessionEvent, pair: &Registration, value: u64, text: &str) {
        let mut record = session(line, event, value, "", text);
        record.tr = tr_number(&pair.tr_id).unwrap_or_default();
        // The key of account notices names the account.
        if !is_notice(&pair.tr_id) {
            copy(&mut record.tr_key, &pair.tr_key);
        }
        self.write(record);
    }

    /// Hands the record to the writer. Waits while the inbox is full, [`INBOX_WAIT`] at most: beyond, the record is given up
    /// and counted.
    fn write(&self, session: Session) {
        let begun = Instant::now();
        let mut record = boxed_record(session, RType::Session);
        while let Err(back) = self.inbox.push(record) {
            if begun.elapsed() > INBOX_WAIT {
                self.counters.add(Counter::InboxFull, 1);
                return;
            }
            record = back;
            std::thread::sleep(INBOX_PAUSE);
        }
    }
}

fn session(line: u16, event: SessionEvent, value: u64, code: &str, text: &str) -> Session {
    let mut session = Session {
        header: Header { ts_recv: wall_ns(), line, publisher: Publisher::Hoga as u16, ..Header::zeroed() },
        value,
        event: event as u8,
        ..Session::zeroed()
    };
    copy(&mut session.code, code);
    copy(&mut session.text, text);
    session
}

/// Copies text into a zero-padded field, cut at a character's end.
fn copy(field: &mut [u8], text: &str) {
    let end = text.floor_char_boundary(text.len().min(field.len()));
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
}

/// A pair for logs.
pub(super) fn shown(pair: &Registration) -> String {
    let key = if is_notice(&pair.tr_id) { "***" } else { &pair.tr_key };
    format!("{} {key}", pair.tr_id)
}
