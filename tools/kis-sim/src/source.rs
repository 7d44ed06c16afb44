//! Where frames come from: the simulated market is one [`FrameSource`], recorded frames are another.

use std::collections::HashMap;

/// A data frame and the moment at which it is to be sent.
///
/// The venue hands the same value to the source again and again, so that its buffers are reused.
#[derive(Clone, Debug, Default)]
pub struct TimedFrame {
    /// Nanoseconds of wall time from the opening; never less than that of the frame before.
    pub at_ns: u64,
    /// TR id, as `H0STCNT0`.
    pub tr_id: String,
    /// Key under which clients registered, as `005930`.
    pub tr_key: String,
    /// Records in the frame.
    pub records: u32,
    /// The whole text message: `0|H0STCNT0|001|005930^...`.
    pub text: Vec<u8>,
}

impl TimedFrame {
    /// Takes TR id, number of records and key (the first field) from a plain frame's own text.
    ///
    /// Returns `None` when the text has no three `|` or is not ASCII there. The key of an encrypted frame is not in
    /// its text: fill the fields by hand.
    pub fn from_text(at_ns: u64, text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(4, |b| *b == b'|');
        let (_, tr_id, count, payload) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let key = payload.split(|b| *b == b'^').next()?;
        Some(Self {
            at_ns,
            tr_id: std::str::from_utf8(tr_id).ok()?.to_owned(),
            tr_key: std::str::from_utf8(key).ok()?.to_owned(),
            records: std::str::from_utf8(count).ok()?.parse().ok()?,
            text: text.to_vec(),
        })
    }
}

/// What a source may look at when it is asked for a frame.
#[derive(Debug)]
pub struct Demand<'a> {
    /// Who is registered for what.
    pub registrations: &'a Registrations,
    /// Data frames given to connections so far, each copy counted, and those that faults left out.
    pub frames_sent: u64,
    /// Wall nanoseconds since the opening.
    pub now_ns: u64,
}

/// A source's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The frame has been filled.
    Frame,
    /// Nothing to send before this moment, in nanoseconds from the opening; ask again then, or after a registration.
    IdleUntil(u64),
    /// The run is over.
    End,
}

/// Frames in order of time. Called from the venue's thread only; must not block.
pub trait FrameSource: Send {
    /// Fills `frame`, or says when to ask again.
    fn next(&mut self, demand: &Demand<'_>, frame: &mut TimedFrame) -> Next;
}

/// Any iterator of timed frames as a source; frames nobody is registered for are passed over by the venue.
#[derive(Debug)]
pub struct IterSource<I>(pub I);

impl<I: Iterator<Item = TimedFrame> + Send> FrameSource for IterSource<I> {
    fn next(&mut self, _demand: &Demand<'_>, frame: &mut TimedFrame) -> Next {
        match self.0.next() {
            Some(next) => {
                *frame = next;
                Next::Frame
            }
            None => Next::End,
        }
    }
}

/// Who is registered for what: (TR id, key) to connections.
#[derive(Debug, Default)]
pub struct Registrations {
    feeds: HashMap<String, HashMap<String, Vec<usize>>>,
    version: u64,
    count: usize,
}

impl Registrations {
    /// Grows with each change; a source that keeps a plan rebuilds it when this moved.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Active registrations over all connections.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether anyone is registered.
    pub fn contains(&self, tr_id: &str, tr_key: &str) -> bool {
        !self.subscribers(tr_id, tr_key).is_empty()
    }

    /// Each registered pair once, in no particular order.
    pub fn feeds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.feeds.iter().flat_map(|(tr, keys)| {
            keys.iter().filter(|(_, slots)| !slots.is_empty()).map(move |(key, _)| (tr.as_str(), key.as_str()))
        })
    }

    pub(crate) fn subscribers(&self, tr_id: &str, tr_key: &str) -> &[usize] {
        self.feeds.get(tr_id).and_then(|keys| keys.get(tr_key)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, tr_id: &str, tr_key: &str, slot: usize) {
        self.feeds.entry(tr_id.to_owned()).or_default().entry(tr_key.to_owned()).or_default().push(slot);
        self.version += 1;
        self.count += 1;
    }

    pub(crate) fn remove(&mut self, tr_id: &str, tr_key: &str, slot: usize) {
        if let Some(slots) = self.feeds.get_mut(tr_id).and_then(|keys| keys.get_mut(tr_key)) {
            let before = slots.len();
            slots.retain(|s| *s != slot);
            self.count -= before - slots.len();
            self.version += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_names_its_own_feed() {
        let frame = TimedFrame::from_text(5, b"0|H0STCNT0|002|0074K0^1^0074K0^2").unwrap();
        assert_eq!((frame.tr_id.as_str(), frame.tr_key.as_str(), frame.records), ("H0STCNT0", "0074K0", 2));
        assert!(TimedFrame::from_text(5, b"{\"header\":{}}").is_none());
    }

    #[test]
    fn registrations_count_and_forget() {
        let mut r = Registrations::default();
        r.add("A", "1", 0);
        r.add("A", "1", 3);
        assert_eq!((r.count(), r.subscribers("A", "1")), (2, &[0, 3][..]));
        r.remove("A", "1", 0);
        r.remove("A", "1", 3);
        assert_eq!((r.count(), r.contains("A", "1"), r.feeds().count()), (0, false, 0));
    }
}
