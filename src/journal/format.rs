//! The format on disk: byte map, rules of evolution, version history. Enough to read a journal without this program
//! (`tests/read_journal.py` does).
//!
//! All integers are little-endian. "crc32c" is CRC-32C (Castagnoli, reflected polynomial `82F63B78`, start and final
//! exclusive-or `FFFFFFFF`; of `"123456789"` it is `E3069283`).
//!
//! # Files
//!
//! ```text
//! DIR/lock                                 held (F_OFD_SETLK) by the writer; its text is the writer's process id
//! DIR/ticks/0000000001.seg ...             stream `ticks`, segments named by ordinal, ten digits, from 1
//! DIR/ticks/0000000002.seg.tmp             a segment being made; not part of the journal
//! DIR/ticks/control                        control page of the stream
//! DIR/raw/...                              the same for stream `raw` (may be missing: switched off)
//! DIR/ticks/0000000001.seg.zst             in place of 0000000001.seg: the segment compressed
//! DIR/ticks/0000000001.idx                 summary and index of a sealed segment
//! DIR/ticks/*.part                         files of a sealing under way, or of one that died; not part of the journal
//! DIR/seals/2026-11-23.json                manifest of a sealed day
//! DIR/holds/2026-11-23.json                the day is under legal hold
//! DIR/audit.log                            deletions, holds and releases, one JSON object a line
//! DIR/maintenance.lock                     held (F_OFD_SETLK) by who seals, compresses or deletes
//! DIR/quarantine/ticks-0000000001-8192.bin bytes of a torn tail, moved there by an opening, with a `.json` beside it
//! DIR/quarantine/ticks-0000000003.seg      a damaged segment, whole, that a repair wrote anew; so, too, a control page
//! DIR/quarantine/ticks-0000000002.seg      a whole segment that stood behind a torn tail, the same
//! DIR/quarantine/ticks-control.bin         a damaged control page that was made anew
//! ```
//!
//! # Segment
//!
//! A file of a fixed size, a multiple of 4096: a header of 4096 bytes, then records. Bytes without meaning are zero.
//!
//! ```text
//! offset size  field
//!      0    8  magic               "hogaSEG" and a zero byte
//!      8    2  format_major        1; a reader refuses a higher one
//!     10    2  format_minor        1; a reader ignores what a higher one adds
//!     12    4  header_bytes        4096; records begin here
//!     16    4  stream              1 = ticks, 2 = raw
//!     20    4  salt                random, of this segment
//!     24    8  ordinal             as in the file's name
//!     32    8  epoch               opening of the journal that made it, from 1
//!     40    8  segment_bytes       size of the file
//!     48   16  boot_id             of the kernel that made it (16 bytes of the UUID in reading order)
//!     64    8  anchor_realtime_ns  \ the clocks CLOCK_REALTIME and CLOCK_MONOTONIC of that host,
//!     72    8  anchor_monotonic_ns / read together when the segment was made
//!     80    4  restated_bytes      records put at the front when it was made (definitions of instruments)
//!     84    4  restated_count      how many
//!     88    4  zero
//!     92    4  prepared_crc        crc32c of bytes 0..92
//!     96   32  zero
//!    128    8  base_sequence       sequence of the segment's first numbered record
//!    136    4  trading_date        decimal YYYYMMDD, date of trading in Korea; 0 = not told
//!    140    4  activation_crc      crc32c of bytes 92..96 followed by bytes 128..140
//!    144   48  zero
//!    192    4  state               "PREP" made, not in use: 128..144 have no meaning yet; "ACTV" in use
//!    196 3900  zero
//!   4096       records
//! ```
//!
//! # Record
//!
//! Records begin at multiples of 8, one right behind the other; the bytes from a record's end to the next multiple of 8
//! are zero. A record's first 40 bytes are the header (see [`crate::tick::Header`]):
//!
//! ```text
//! offset size  field
//!      0    4  length         bytes of the record, header included; 0 = no record here (yet). Stored last of all
//!      4    4  crc32c         over: salt (4 bytes), length (4 bytes), then the record's bytes 8..length
//!      8    8  sequence       of the stream, from 1, +1 each, over all segments; 0 = not numbered, see below
//!     16    8  ts_recv        nanoseconds since the UNIX epoch
//!     24    4  instrument_id
//!     28    4  flags          bit 14: restated
//!     32    2  publisher
//!     34    2  line
//!     36    1  rtype          kind of the record: 32 = Instrument, 38 = End, 64 = Raw, others: `tick::RType`
//!     37    1  version        of the kind's layout
//!     38    2  zero
//! ```
//!
//! Not numbered are restated definitions of instruments (rtype 32 with flag bit 14: what the journal knew before this
//! segment, said again so that each segment can be read alone), `End` (rtype 38) and `Hole` (rtype 39). Every other
//! record is numbered.
//!
//! A `Hole` stands where committed records were lost to damage and a repair cut them out, or where a journal made of
//! another one leaves records out: offset 40 `first_sequence` (8 bytes; the sequence that would have followed), 48
//! `last_sequence` (8 bytes; the next numbered record has this + 1; `first_sequence` - 1: bytes were lost, but no record
//! is known to be), 56 `bytes` (8 bytes; 0: not known), 64 `reason` (1 byte, see
//! [`HoleReason`](crate::tick::HoleReason)).
//!
//! The last record of a segment that is not the newest is `End`: offset 40 `next_ordinal` (8 bytes; 0: the journal was
//! closed and the ordinal that follows, if one does, is this one + 1), 48 `market_records` (8 bytes, records with rtype
//! below 32), 56 `reason` (1 byte, see [`EndReason`](crate::tick::EndReason)). Room for one is kept in every segment.
//! A reader goes on to the next segment only past an `End`.
//!
//! Layouts of the kinds and the registries of kinds, publishers, transactions, flags and findings: [`crate::tick`].
//!
//! # Control page
//!
//! Two pages of 4096 bytes a stream (one, before 1.1), in groups of 64 bytes with one writing thread each. A hint for
//! those who watch a live journal and no evidence about its records, but for the durable slots. What the sync thread
//! writes is in the second page: a page that is synced is write-protected, and the next store to it pays for that.
//!
//! ```text
//! offset size  field
//!      0    8  magic             "hogaCTL" and a zero byte
//!      8    2  format_major      1
//!     10    2  format_minor      1
//!     12    4  stream            1 = ticks, 2 = raw
//!     16   44  zero
//!     60    4  crc               crc32c of bytes 0..60
//!     64    8  epoch             of the present or last writer             \
//!     72    8  active_ordinal    segment written                            | at openings, rolls and closing
//!     80    4  state             1 = open, 2 = closed                      /
//!    128    8  last_sequence     last committed, as of the last batch      \
//!    136    8  position          end of the last record in the segment      | by the writer, once a batch
//!    144    8  beats             batches so far: a writer that lives adds   |
//!    152    8  stalls            rolls that had to wait for the helper     /
//!    192    8  helper_ns         monotonic clock when the helper was last awake  \
//!    200    8  writer_ns         when it last saw `beats` change                  | by the helper
//!    208    8  prepared_ordinal  newest segment prepared                          |
//!    216    4  failure           why the next can't be: 0 none, 1 system error    |
//!    220    4  errno             the error                                        |
//!    224    8  free_bytes        room of the file system, for who has no privileges |
//!    232    8  low_space_bytes   watermark configured; 0 = none                     |
//!    240    4  space_state       0 not known, 1 enough, 2 low                      /
//!    256   64  durable slot 0, before 1.1; zero since
//!    320   64  durable slot 1, before 1.1; zero since
//!   4096   64  durable slot 0                                                    \
//!   4160   64  durable slot 1                                                     |
//!   4224    4  level             0 process, 1 periodic, 2 group                   |
//!   4228    4  period_ms         of level periodic                                |
//!   4232    4  sync_state        0 nothing to say, 1 good, 2 a sync failed and    | by the sync thread;
//!                                is tried again, 3 it failed for good: the        | slots also at closing
//!                                mark moves no more in this epoch                 |
//!   4236    4  sync_errno        the error of 2 and 3                             |
//!   4240    8  syncs             rounds in which the mark moved                   |
//!   4248    8  sync_ns           monotonic clock of the last one                 /
//! ```
//!
//! A durable slot says that everything up to a record has reached the disk. The valid one with the higher (epoch,
//! sequence, ordinal, position) counts; they are written in turn, so a torn one leaves the other. All zero: never
//! written.
//!
//! ```text
//!      0    8  epoch
//!      8    8  sequence     last record that is durable
//!     16    8  ordinal      its segment
//!     24    8  position     durable bytes of that segment
//!     32   16  boot_id
//!     48    8  time_ns      when, nanoseconds since the UNIX epoch
//!     56    4  zero
//!     60    4  crc          crc32c of bytes 0..60
//! ```
//!
//! # Compressed segment
//!
//! `0000000001.seg.zst` holds the *committed bytes* of `0000000001.seg`, from its first byte to the end of its `End` record
//! (padding included; the zeros behind are not stored), in the seekable form of zstd: frames, then a skippable frame with
//! their sizes, so any zstd tool unpacks it (`zstd -dc`). Frames are cut at records: the first begins with the segment's
//! header, every other one with a record, and no record straddles two. Readers refuse other cuts. It is whole before the
//! `.seg` is unlinked; for a moment both are there and hold the same. A reader looks for `.seg` first, then `.seg.zst`.
//!
//! # Seal
//!
//! A segment that has an `End` may be sealed. Its *digest* is the SHA-256 of its committed bytes, so compressing does not
//! change it: `head -c BYTES 0000000001.seg | sha256sum` and `zstd -dc 0000000001.seg.zst | sha256sum` print it. Its *seal*
//! is the SHA-256 of this text, each line ended by one `\n`, digests in lower-case hexadecimal, numbers decimal:
//!
//! ```text
//! hoga-seal 1
//! <seal of the segment sealed before it in the stream; 64 zeros for the first>
//! <ticks or raw>
//! <ordinal>
//! <trading_date of the header>
//! <sequence of the first numbered record, or the one that would follow>
//! <sequence of the last; the first - 1 when there is none>
//! <committed bytes>
//! <digest>
//! ```
//!
//! The manifest of a day is a JSON object: `format` ("hoga-seals"), `version` (1), `day`, `sealed_ns`, `segments`, `digest`.
//! An entry of `segments` has `stream`, `ordinal`, `epoch`, `trading_date`, `first_sequence`, `last_sequence`, `records`,
//! `bytes` (committed), `segment_bytes`, `ts_recv_first`, `ts_recv_last`, `kinds`, `venues` (records of each),
//! `instruments` (symbols by market), `digest`, `previous`, `seal`. The manifest's own `digest`, its last 64 hexadecimal
//! digits, is the SHA-256 of the file with those digits as zeros. Segments without a trading date belong to the day (from
//! 07:00 in Korea) on which they were made.
//!
//! A line of `audit.log`: `time`, `time_ns`, `action` ("prune", "hold", "release"), `day`, `why`, `segments` (of a
//! deletion: `stream`, `ordinal`, `first_sequence`, `last_sequence`, `bytes`, `digest`, `seal`), `previous` (SHA-256 of the
//! line before without its `\n`; 64 zeros in the first). A line cut short by a death is ended by the next one. It is on the
//! disk before the first file of the deletion goes; manifests stay. Segments that are missing are explained by it, or lost.
//!
//! # Index
//!
//! Made when a segment is sealed; a hint that is checked, and made anew by a scan where it is missing or wrong.
//!
//! ```text
//! offset size  field
//!      0    8  magic           "hogaIDX" and a zero byte
//!      8    4  version         1; another one is not used
//!     12    4  stream          \
//!     16    4  salt             | of the segment
//!     20    4  grain           65536: bytes between two entries, about
//!     24    8  ordinal         /
//!     32    8  committed bytes
//!     40    8  first sequence, as in the seal
//!     48    8  last sequence
//!     56    8  numbered records
//!     64    8  earliest ts_recv of these; 2^64 - 1 without
//!     72    8  latest ts_recv; 0 without
//!     80   20  rows of the five tables below, 4 bytes each
//!    100   24  zero
//!    124    4  crc             crc32c of bytes 0..124
//!    128       entries: sequence (8), offset (8), latest ts_recv of the numbered records before it in the segment (8)
//!              kinds: rtype (8), records (8); without restated records and the `End`
//!              publishers: number (8), records (8)
//!              instruments of which there are records: id (8), market (16), symbol (32)
//!              offsets of the numbered definitions of instruments (4 each)
//!    end    4  crc             crc32c of the tables
//! ```
//!
//! # Evolution
//!
//! Fields are only appended, numbers never reused. A reader meeting a shorter record fills sentinels in, meeting a
//! longer one ignores its tail, skips kinds it does not know. A new meaning of old bytes is a new major; magic,
//! `format_major` and `prepared_crc` stay where they are, so that a damaged number is not taken for a newer one.
//!
//! # Assumptions
//!
//! - Pages written through a shared map outlive the process (`kill -9` loses nothing that was stored).
//! - They reach the disk in any order: what a dying *host* leaves behind the durable slots may have holes.
//! - The file system overwrites allocated blocks in place (ext4, XFS, tmpfs). On one that copies on write (Btrfs, ZFS)
//!   a full disk can still kill the writer.
//! - Every byte of a segment, a control page and `metrics` has its block before it is mapped. A copy with holes in place of
//!   zeros may be read, but on a full tmpfs (reading a hole takes a page there), and gets its blocks when it is opened for
//!   writing.
//! - Files never shrink and are never used again; going away they are unlinked, so a map of one stays good.
//!
//! # History
//!
//! - 1.0: first.
//! - 1.1: holes, sync words of the control page, seals, compressed segments.

mod slot;

use bytemuck::{Pod, Zeroable};

pub use self::slot::DurableSlot;
pub use super::packed::PackedError;

use crate::simd::crc32c::crc32c;

const _: () = assert!(cfg!(target_endian = "little"), "records are stored as they lie in memory");

/// Major number of the format written, and the highest one read.
pub const FORMAT_MAJOR: u16 = 1;
/// Minor number of the format written.
pub const FORMAT_MINOR: u16 = 1;
/// First bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"hogaSEG\0";
/// First bytes of a control page.
pub const CONTROL_MAGIC: [u8; 8] = *b"hogaCTL\0";
/// Bytes of a segment's header; records begin here.
pub const SEGMENT_HEADER_BYTES: usize = 4096;
/// Bytes of a control page, both of its pages.
pub const CONTROL_BYTES: usize = 8192;
/// Bytes of a control page before 1.1.
pub const CONTROL_BYTES_MIN: usize = 4096;
/// Bytes of an `End` record: what every segment keeps free.
pub const END_BYTES: usize = size_of::<crate::tick::End>();
/// Segments are a multiple of this.
pub const SEGMENT_GRAIN: u64 = 4096;
/// Smallest segment.
pub const SEGMENT_BYTES_MIN: u64 = 2 * SEGMENT_GRAIN;
/// Largest segment: offsets within a segment fit 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 31;
/// State word of a segment made and not in use.
pub const STATE_PREPARED: u32 = u32::from_le_bytes(*b"PREP");
/// State word of a segment in use or ended.
pub const STATE_ACTIVE: u32 = u32::from_le_bytes(*b"ACTV");

const _: () = assert!(END_BYTES.is_multiple_of(8) && END_BYTES == 64);

/// A stream of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Ticks and service records.
    Ticks,
    /// Inbound frames verbatim.
    Raw,
}

impl Stream {
    /// Number in headers.
    pub const fn number(self) -> u32 {
        match self {
            Stream::Ticks => 1,
            Stream::Raw => 2,
        }
    }

    /// Name of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Ticks => "ticks",
            Stream::Raw => "raw",
        }
    }
}

/// Bytes 0..96 of a segment: written when it is made. Bytes read from a file are *unchecked*; [`UncheckedHeader::check`]
/// makes a [`SegmentHeader`] of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Prepared {
    /// [`SEGMENT_MAGIC`].
    pub magic: [u8; 8],
    /// [`FORMAT_MAJOR`].
    pub format_major: u16,
    /// [`FORMAT_MINOR`].
    pub format_minor: u16,
    /// [`SEGMENT_HEADER_BYTES`].
    pub header_bytes: u32,
    /// [`Stream::number`].
    pub stream: u32,
    /// Random, part of every record's CRC.
    pub salt: u32,
    /// As in the file's name.
    pub ordinal: u64,
    /// Opening of the journal that made the segment, from 1.
    pub epoch: u64,
    /// Bytes of the file.
    pub segment_bytes: u64,
    /// Boot of the kernel that made it.
    pub boot_id: [u8; 16],
    /// CLOCK_REALTIME when it was made, ns since the UNIX epoch.
    pub anchor_realtime_ns: u64,
    /// CLOCK_MONOTONIC at the same instant, ns.
    pub anchor_monotonic_ns: u64,
    /// Bytes of the records restated when it was made.
    pub restated_bytes: u32,
    /// How many they are.
    pub restated_count: u32,
    /// Zero.
    pub reserved: u32,
    /// crc32c of the bytes before.
    pub prepared_crc: u32,
}

/// Bytes 128..144 of a segment: written when it is activated.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Activation {
    /// Sequence of the first numbered record.
    pub base_sequence: u64,
    /// Decimal YYYYMMDD; 0 = not told.
    pub trading_date: u32,
    /// crc32c of `prepared_crc` and the bytes before.
    pub activation_crc: u32,
}

/// Offset of [`Activation`] in a segment.
pub const ACTIVATION_OFFSET: usize = 128;
/// Offset of the state word in a segment.
pub const STATE_OFFSET: usize = 192;

const _: () = assert!(size_of::<Prepared>() == 96 && std::mem::offset_of!(Prepared, prepared_crc) == 92);
const _: () = assert!(std::mem::offset_of!(Prepared, stream) == 16 && std::mem::offset_of!(Prepared, ordinal) == 24);
const _: () = assert!(std::mem::offset_of!(Prepared, boot_id) == 48);
const _: () = assert!(std::mem::offset_of!(Prepared, restated_bytes) == 80);
const _: () = assert!(size_of::<Activation>() == 16 && std::mem::offset_of!(Activation, activation_crc) == 12);
const _: () = assert!(ACTIVATION_OFFSET + size_of::<Activation>() <= STATE_OFFSET && STATE_OFFSET.is_multiple_of(64));

impl Prepared {
    /// The CRC these bytes should carry.
    pub fn crc(&self) -> u32 {
        crc32c(0, &bytemuck::bytes_of(self)[..std::mem::offset_of!(Prepared, prepared_crc)])
    }
}

impl Activation {
    /// The CRC these bytes should carry in a segment with that header.
    pub fn crc(&self, prepared: &Prepared) -> u32 {
        let seed = crc32c(0, &prepared.prepared_crc.to_le_bytes());
        crc32c(seed, &bytemuck::bytes_of(self)[..std::mem::offset_of!(Activation, activation_crc)])
    }
}

/// The first bytes of a segment as they lie in the file: nothing is known about them yet.
#[derive(Clone, Copy, Debug)]
pub struct UncheckedHeader {
    /// Bytes 0..96.
    pub prepared: Prepared,
    /// Bytes 128..144.
    pub activation: Activation,
    /// State word, loaded with Acquire before the activation.
    pub state: u32,
}

/// A segment's header whose magic, version, CRCs, state, stream, ordinal and sizes were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// What was written when the segment was made.
    pub prepared: Prepared,
    /// What was written when it was activated; `None`: it is not in use yet.
    pub activation: Option<Activation>,
}

/// Why the first bytes of a file are no header of that segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The file is shorter than a header.
    #[error("the file has {0} bytes, fewer than a header")]
    Short(u64),
    /// Not a segment at all.
    #[error("the file does not begin as a segment does")]
    Magic,
    /// Written by a newer program.
    #[error("format {0} is newer than this program reads ({FORMAT_MAJOR}): read it with a newer hoga")]
    Version(u16),
    /// The CRC of the part written first does not match.
    #[error("header checksum {found:08x}, computed {expected:08x}")]
    PreparedCrc {
        /// Computed.
        expected: u32,
        /// In the file.
        found: u32,
    },
    /// The CRC of the part written at activation does not match.
    #[error("activation checksum {found:08x}, computed {expected:08x}")]
    ActivationCrc {
        /// Computed.
        expected: u32,
        /// In the file.
        found: u32,
    },
    /// The state word is none of the two.
    #[error("state word {0:08x} is neither prepared nor active")]
    State(u32),
    /// A segment of another stream or ordinal under this name.
    #[error("it says stream {stream}, segment {ordinal}: not what its name says")]
    Misplaced {
        /// Stream in the header.
        stream: u32,
        /// Ordinal in the header.
        ordinal: u64,
    },
    /// Sizes that can't be.
    #[error("header of {header_bytes} and segment of {segment_bytes} bytes can't be")]
    Sizes {
        /// Of the header.
        header_bytes: u32,
        /// Of the segment.
        segment_bytes: u64,
    },
    /// The compressed file can't be read from its front.
    #[error("{0}")]
    Packed(PackedError),
}

impl UncheckedHeader {
    /// Checks everything that can be told from the header alone.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self, stream: Stream, ordinal: u64) -> Result<SegmentHeader, HeaderError> {
        let p = &self.prepared;
        if p.magic != SEGMENT_MAGIC {
            return Err(HeaderError::Magic);
        }
        if p.format_major > FORMAT_MAJOR {
            return Err(HeaderError::Version(p.format_major));
        }
        if p.prepared_crc != p.crc() {
            return Err(HeaderError::PreparedCrc { expected: p.crc(), found: p.prepared_crc });
        }
        if p.stream != stream.number() || p.ordinal != ordinal {
            return Err(HeaderError::Misplaced { stream: p.stream, ordinal: p.ordinal });
        }
        let sizes = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        if p.header_bytes as usize != SEGMENT_HEADER_BYTES
            || !sizes.contains(&p.segment_bytes)
            || !p.segment_bytes.is_multiple_of(SEGMENT_GRAIN)
        {
            return Err(HeaderError::Sizes { header_bytes: p.header_bytes, segment_bytes: p.segment_bytes });
        }
        let activation = match self.state {
            STATE_PREPARED => None,
            STATE_ACTIVE => {
                let expected = self.activation.crc(p);
                if self.activation.activation_crc != expected {
                    let found = self.activation.activation_crc;
                    return Err(HeaderError::ActivationCrc { expected, found });
                }
                Some(self.activation)
            }
            other => return Err(HeaderError::State(other)),
        };
        Ok(SegmentHeader { prepared: *p, activation })
    }
}

/// Start of a record's CRC: salt and length, 8 bytes.
#[inline]
pub fn crc_head(salt: u32, length: u32) -> [u8; 8] {
    (u64::from(salt) | u64::from(length) << 32).to_le_bytes()
}

/// CRC of a whole record of a segment with that salt. At least 8 bytes.
pub fn record_crc(salt: u32, record: &[u8], length: u32) -> u32 {
    crc32c(crc32c(0, &crc_head(salt, length)), &record[8..])
}

/// Bytes a record of that length takes.
#[inline]
pub const fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// File name of a segment.
pub fn segment_name(ordinal: u64) -> String {
    format!("{ordinal:010}.seg")
}

/// File name of a compressed segment.
pub fn packed_name(ordinal: u64) -> String {
    format!("{ordinal:010}.seg.zst")
}

/// File name of a segment's index.
pub fn index_name(ordinal: u64) -> String {
    format!("{ordinal:010}.idx")
}

/// Ordinal of a file name, if it is a segment's, compressed or not.
pub fn segment_ordinal(name: &str) -> Option<u64> {
    let name = name.strip_suffix(".zst").unwrap_or(name);
    let digits = name.strip_suffix(".seg")?;
    let plain = digits.len() >= 10 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let ordinal = if plain { digits.parse().ok()? } else { return None };
    (segment_name(ordinal) == name && ordinal > 0).then_some(ordinal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_go_both_ways() {
        assert_eq!(segment_name(42), "0000000042.seg");
        assert_eq!(segment_ordinal("0000000042.seg"), Some(42));
        assert_eq!(segment_ordinal(&packed_name(42)), Some(42));
        assert_eq!(segment_ordinal("12345678901.seg"), Some(12_345_678_901));
        for wrong in [
            "42.seg",
            "0000000042.seg.tmp",
            "0000000000.seg",
            "control",
            "00000000042.seg",
            "+000000042.seg",
            "0000000042.idx",
            "0000000042.seg.zst.part",
        ] {
            assert_eq!(segment_ordinal(wrong), None, "{wrong}");
        }
    }
}
