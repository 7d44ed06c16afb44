//! Feeds: from a broker's frames to records, one folder a broker.
//!
//! What this folder promises of its decoders: they are hot (no allocation after construction, no lock, no log, no
//! system call), they never panic whatever the bytes, and they never guess: a frame that can't be split comes out as a
//! `Reject` record with its bytes. Where records go is the caller's: a decoder hands them to a [`RecordSink`].

pub mod kis;

/// What is known of a frame besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameContext {
    /// `Header::ts_recv` of every record of the frame.
    pub ts_recv: u64,
    /// `Market::recv_window_ns`.
    pub recv_window_ns: u32,
    /// `Market::read_ns`.
    pub read_ns: u32,
    /// Sequence of the frame in stream `raw`; 0 = none.
    pub raw_sequence: u64,
    /// The connection.
    pub line: u16,
    /// Flags that every record of the frame gets, e.g. `RECV_TS_USER` or `RECOVERED`.
    pub flags: u32,
    /// Market time at receipt, ns since the UNIX epoch. `None` where it is not known: then a time without a date stays a
    /// time of day (flag `EVENT_TIME_ONLY`).
    pub market_now_ns: Option<u64>,
}

/// Takes the records of a decoder, in the order in which they belong in the journal.
///
/// Headers are complete but for `sequence`, `crc32c` and `committed_ns`, which are the journal's. The memory is the
/// decoder's and is reused after the call, so a sink copies what it keeps; it may write into it.
pub trait RecordSink {
    /// A record of fixed size. `header.length` says how many bytes of `words` are the record's; the rest is not part of
    /// it.
    fn record(&mut self, words: &mut [u64]);

    /// A record of a prefix (a whole number of words) and bytes behind it. `header.length` counts both.
    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]);
}
