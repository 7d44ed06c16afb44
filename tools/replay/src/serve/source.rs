//! Frames of stream `raw` as the venue's source: read ahead on a thread of its own, since the venue's must not wait for a
//! disk or for the unpacking of a segment.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};

use hoga::feed::kis::LayoutTable;
use hoga::journal::{Filter, TailState, Tailer};
use hoga::tick::{Flags, RecordView, view};
use kis_sim::{Demand, FrameSource, Next, TimedFrame};

/// Frames read ahead.
const AHEAD: usize = 4096;
/// Frames read in one go.
const BATCH: usize = 256;
/// How soon to ask again when the reader is behind, ns.
const AGAIN_NS: u64 = 500_000;
/// After the last frame of a venue that stays: never.
const NEVER_NS: u64 = u64::MAX / 4;

/// What was read; plain counts.
#[derive(Debug, Default)]
pub struct SourceCounts {
    /// Data frames.
    pub data: AtomicU64,
    /// Control frames.
    pub control: AtomicU64,
    /// Data frames that can't be served.
    pub unservable: AtomicU64,
    /// Why reading ended before the journal did.
    pub failure: OnceLock<String>,
}

/// Hands the venue the frames of a journal.
pub(super) struct RawSource {
    frames: Receiver<TimedFrame>,
    stay: bool,
}

impl RawSource {
    /// Starts to read. `speed`: recorded seconds a second; `None` = as fast as can be.
    pub(super) fn start(
        tailer: Tailer,
        wanted: Wanted,
        first_ns: u64,
        speed: Option<f64>,
        stay: bool,
    ) -> io::Result<(RawSource, Arc<SourceCounts>)> {
        let (send, frames) = sync_channel(AHEAD);
        let counts = Arc::new(SourceCounts::default());
        let reader = Reader { tailer, wanted, counts: Arc::clone(&counts), first_ns, speed, at_ns: 0, send };
        std::thread::Builder::new().name("raw-reader".to_owned()).spawn(move || reader.run())?;
        Ok((RawSource { frames, stay }, counts))
    }
}

impl FrameSource for RawSource {
    fn next(&mut self, demand: &Demand<'_>, frame: &mut TimedFrame) -> Next {
        match self.frames.try_recv() {
            Ok(next) => {
                *frame = next;
                Next::Frame
            }
            Err(TryRecvError::Empty) => Next::IdleUntil(demand.now_ns + AGAIN_NS),
            Err(TryRecvError::Disconnected) if self.stay => Next::IdleUntil(NEVER_NS),
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }
}

/// Which data frames are served.
pub(super) struct Wanted {
    keys: Vec<String>,
    /// Names of transactions; `None` = all.
    trs: Option<Vec<String>>,
}

impl Wanted {
    /// The frames of a filter's symbols, kinds and venues, by the built-in table of transactions.
    pub(super) fn new(filter: &Filter) -> Wanted {
        let trs = (!filter.kinds.is_empty() || !filter.venues.is_empty()).then(|| {
            let table = LayoutTable::builtin();
            let of_kind = |name: &str| filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind.name() == name);
            let of_venue =
                |name: &str| filter.venues.is_empty() || filter.venues.iter().any(|venue| venue.name() == name);
            let wanted = table.transactions.iter().filter(|tr| of_kind(&tr.kind) && of_venue(&tr.publisher));
            wanted.map(|layout| layout.tr.clone()).collect()
        });
        Wanted { keys: filter.symbols.clone(), trs }
    }

    /// Whether a data frame is served; all are where nothing was asked for.
    pub(super) fn takes(&self, payload: &[u8]) -> bool {
        if self.keys.is_empty() && self.trs.is_none() {
            return true;
        }
        parts(payload).is_some_and(|(tr, _, key)| {
            (self.keys.is_empty() || self.keys.iter().any(|wanted| wanted.as_bytes() == key))
                && self.trs.as_ref().is_none_or(|trs| trs.iter().any(|wanted| wanted.as_bytes() == tr))
        })
    }
}

struct Reader {
    tailer: Tailer,
    wanted: Wanted,
    counts: Arc<SourceCounts>,
    first_ns: u64,
    speed: Option<f64>,
    at_ns: u64,
    send: SyncSender<TimedFrame>,
}

impl Reader {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let (counts, speed, first_ns, at_ns) = (&self.counts, self.speed, self.first_ns, &mut self.at_ns);
            let wanted = &self.wanted;
            let add = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
            let polled = self.tailer.poll(BATCH, |record| {
                let Some(RecordView::Raw(prefix, payload)) = view(record.bytes) else { return };
                if !is_data(payload) {
                    add(&counts.control);
                    return;
                }
                if !wanted.takes(payload) {
                    return;
                }
                add(&counts.data);
                if let Some(times) = speed {
                    let since = prefix.header.ts_recv.saturating_sub(first_ns) as f64 / times;
                    *at_ns = (*at_ns).max(since as u64);
                }
                let redacted = prefix.header.flags & Flags::REDACTED != 0;
                match timed_frame(*at_ns, payload).filter(|_| !redacted) {
                    Some(frame) => batch.push(frame),
                    None => _ = add(&counts.unservable),
                }
            });
            for frame in batch.drain(..) {
                // The venue is gone: nobody waits for more.
                if self.send.send(frame).is_err() {
                    return;
                }
            }
            match polled {
                Ok(polled) if polled.state == TailState::More && !self.tailer.is_past() => {}
                Ok(_) => return,
                Err(error) => {
                    let _ = self.counts.failure.set(error.to_string());
                    return;
                }
            }
        }
    }
}

/// Whether a frame carries market data, and not an answer or keep-alive of the broker.
pub(super) fn is_data(payload: &[u8]) -> bool {
    matches!(payload.first(), Some(b'0' | b'1'))
}

/// Transaction, count and key of a data frame.
fn parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut parts = text.splitn(4, |byte| *byte == b'|');
    let (_, tr_id, count, payload) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some((tr_id, count, payload.split(|byte| *byte == b'^').next()?))
}

/// A frame with its transaction and key; the count of records is for the venue's books alone, 0 where it can't be read.
fn timed_frame(at_ns: u64, text: &[u8]) -> Option<TimedFrame> {
    let (tr_id, count, key) = parts(text)?;
    let name = |bytes: &[u8]| std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(str::to_owned);
    let records = std::str::from_utf8(count).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    Some(TimedFrame { at_ns, tr_id: name(tr_id)?, tr_key: name(key)?, records, text: text.to_vec() })
}

#[cfg(test)]
mod tests {
    use hoga::journal::Venue;
    use hoga::tick::RType;

    use super::*;

    #[test]
    fn frames_are_chosen_by_key_and_by_kind_and_venue_of_their_transaction() {
        let takes = |filter: &Filter, text: &[u8]| Wanted::new(filter).takes(text);
        let (trade, book) = (b"0|H0STCNT0|001|005930^1", b"0|H0NXASP0|001|000660^1");
        let by_key = Filter { symbols: vec!["005930".to_owned()], ..Filter::default() };
        assert!(takes(&by_key, trade) && !takes(&by_key, book));
        let by_kind = Filter { kinds: vec![RType::Book], ..Filter::default() };
        assert!(!takes(&by_kind, trade) && takes(&by_kind, book));
        let by_venue = Filter { venues: vec![Venue::Krx], ..Filter::default() };
        assert!(takes(&by_venue, trade) && !takes(&by_venue, book));
        assert!(takes(&Filter::default(), b"0|x") && !takes(&by_key, b"0|x"));
    }

    #[test]
    fn a_frame_with_an_unreadable_count_is_served_and_one_without_a_key_is_not() {
        let frame = timed_frame(7, b"0|H0STCNT0|0x2|005930^1").unwrap();
        assert_eq!((frame.tr_id.as_str(), frame.tr_key.as_str(), frame.records), ("H0STCNT0", "005930", 0));
        for text in [&b"0|H0STCNT0|001|"[..], b"0|H0STCNT0|001", b"0||001|005930", b"0|H0\xff|001|005930^1"] {
            assert!(timed_frame(7, text).is_none());
        }
        assert!(is_data(b"1|H0STCNI0|001|x") && !is_data(b"{\"header\":{}}") && !is_data(b""));
    }
}
