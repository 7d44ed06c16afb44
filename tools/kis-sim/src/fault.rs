//! The fault script: what goes wrong, where and when.
//!
//! Each fault fires once for each connection it names. Frames and registrations are counted per connection from 1;
//! connections are numbered from 1 in the order in which they were accepted.

use serde::{Deserialize, Serialize};

/// Faults in any order.
pub type FaultScript = Vec<FaultSpec>;

/// One line of the script.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// When.
    pub at: At,
    /// On which connection. Default: on each.
    #[serde(default)]
    pub connection: Target,
    /// What.
    pub fault: Fault,
}

/// The moment of a fault.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// With the n-th data frame of the connection, from 1.
    Frame(u64),
    /// So many wall seconds after the opening of the market.
    Seconds(f64),
    /// With the n-th subscribe or unsubscribe message of the connection, from 1.
    Registration(u64),
}

/// Which connections a fault hits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum Target {
    /// The connection with this number, from 1.
    Number(u64),
    /// Each connection.
    Named(TargetName),
    /// Each connection, when nothing is said.
    #[default]
    All,
}

/// Words for connections.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum TargetName {
    /// Each connection.
    All,
}

impl Target {
    /// Whether the fault is for this connection.
    pub fn hits(self, connection: u64) -> bool {
        match self {
            Self::Number(n) => n == connection,
            Self::Named(TargetName::All) | Self::All => true,
        }
    }
}

/// What goes wrong. Set by another kind of moment than their own, faults that change a frame wait for the connection's
/// next data frame, and those of answers for its next registration.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Half a frame, then the end of the TCP stream. The frame does not count.
    CutMidFrame,
    /// No byte to the connection for a while; what was due comes late, none is lost.
    Stall {
        /// Milliseconds.
        ms: u64,
    },
    /// Frames are not sent and do not count; the ledger names each after `#`.
    Drop {
        /// How many, beginning with this one.
        n: u64,
    },
    /// The frame comes again; each copy counts.
    Duplicate {
        /// How many copies more.
        n: u64,
    },
    /// One byte of the frame is changed; it counts as sent, changed.
    Corrupt {
        /// Which byte.
        place: CorruptPlace,
    },
    /// A field of the frame becomes Hangul in CP949, which is not UTF-8.
    InvalidUtf8,
    /// The frame is padded in its last field.
    Oversize {
        /// Length of the message at least. Default 1 MiB and a byte.
        #[serde(default = "oversize_bytes")]
        bytes: usize,
    },
    /// The connection is reset.
    Rst,
    /// A Close frame.
    Close {
        /// Any code.
        code: u16,
        /// At most 123 bytes.
        #[serde(default)]
        reason: String,
    },
    /// The count of records says one more than there are.
    WrongCount,
    /// The registration is refused.
    Refuse {
        /// An OPSP code.
        code: String,
    },
    /// Bytes trickle.
    SlowDrip {
        /// Bytes at a time.
        bytes: usize,
        /// Milliseconds between them.
        every_ms: u64,
        /// For so long. Default: to the end.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// A protocol ping, which clients must answer.
    Ping {
        /// Payload, at most 125 bytes.
        #[serde(default)]
        payload: String,
    },
    /// A pong nobody asked for.
    Pong,
    /// The frame comes as a fragmented message; with more than one fragment a ping is put between.
    Fragmented {
        /// How many fragments, at least 2.
        parts: usize,
    },
    /// The frame is masked, which a server must not do.
    Masked,
    /// The frame has a reserved bit set.
    ReservedBits,
    /// No PINGPONG from here on.
    StopPingpong,
    /// The registration is done, its answer never comes.
    LoseAck,
    /// The answer comes late: behind data of the registration, and behind answers to later ones.
    DelayAck {
        /// Milliseconds.
        ms: u64,
    },
    /// The peer is gone without a word, as behind a router that forgot the connection: nothing is sent any more, what was due
    /// is left out, nothing is read, the socket stays open. The slot of its app key is held until the client ends the stream.
    HalfOpen,
    /// Every approval key becomes unknown, as after 24 hours; open sessions stay.
    ExpireApprovals,
    /// From here on each plain record has fields more at its end, as after a change overnight.
    Widen {
        /// How many, each a digit.
        fields: usize,
    },
    /// The registration is confirmed, and nothing of it ever comes.
    Dark,
    /// The end of the stream behind a whole frame, without a Close.
    End,
}

fn oversize_bytes() -> usize {
    (1 << 20) + 1
}

/// Which byte of a frame is changed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CorruptPlace {
    /// A letter of the TR id.
    Header,
    /// A digit of the payload becomes a letter.
    Digits,
    /// The first `^` becomes a blank.
    Separator,
}

impl Fault {
    /// Whether the fault is done to the answer to a registration and so waits for one.
    pub(crate) fn needs_registration(&self) -> bool {
        matches!(self, Self::Refuse { .. } | Self::LoseAck | Self::DelayAck { .. } | Self::Dark)
    }

    /// Whether the fault is done to a data frame and so waits for one.
    pub(crate) fn needs_frame(&self) -> bool {
        matches!(
            self,
            Self::CutMidFrame
                | Self::Drop { .. }
                | Self::Duplicate { .. }
                | Self::Corrupt { .. }
                | Self::InvalidUtf8
                | Self::Oversize { .. }
                | Self::WrongCount
                | Self::Fragmented { .. }
                | Self::Masked
                | Self::ReservedBits
        )
    }
}

/// Changes the text of a frame in place; faults that are not about the text leave it.
pub(crate) fn mutate(fault: &Fault, text: &mut Vec<u8>) {
    let payload = text.iter().enumerate().filter(|(_, b)| **b == b'|').map(|(i, _)| i + 1).nth(2).unwrap_or(0);
    match fault {
        Fault::Corrupt { place: CorruptPlace::Header } => {
            if let Some(byte) = text.get_mut(4) {
                *byte = if *byte == b'?' { b'!' } else { b'?' };
            }
        }
        Fault::Corrupt { place: CorruptPlace::Digits } => {
            // The first digit after the first separator, so that the symbol stays whole.
            let from = text[payload..].iter().position(|b| *b == b'^').map_or(payload, |i| payload + i);
            if let Some(i) = text[from..].iter().position(u8::is_ascii_digit) {
                text[from + i] = b'x';
            }
        }
        Fault::Corrupt { place: CorruptPlace::Separator } => {
            if let Some(i) = text[payload..].iter().position(|b| *b == b'^') {
                text[payload + i] = b' ';
            }
        }
        Fault::InvalidUtf8 => {
            // 0xB0 0xA1 0xB3 0xAA is two syllables in CP949; an empty field takes them, else the last one.
            let cp949 = [0xB0, 0xA1, 0xB3, 0xAA];
            match text.windows(2).position(|pair| pair == b"^^") {
                Some(i) => drop(text.splice(i + 1..i + 1, cp949)),
                None => text.extend(cp949),
            }
        }
        Fault::Oversize { bytes } => {
            let missing = bytes.saturating_sub(text.len());
            text.extend(std::iter::repeat_n(b'0', missing));
        }
        Fault::WrongCount => {
            if let Some(count) = text.get(payload.saturating_sub(4)..payload.saturating_sub(1))
                && let Some(n) = std::str::from_utf8(count).ok().and_then(|s| s.parse::<u32>().ok())
            {
                let wrong = format!("{:03}", (n + 1) % 1000);
                text[payload - 4..payload - 1].copy_from_slice(wrong.as_bytes());
            }
        }
        _ => {}
    }
}

/// Gives each record of a plain frame fields more at its end.
pub(crate) fn widen(text: &mut Vec<u8>, records: u32, fields: usize) {
    let Some(payload) = text.iter().enumerate().filter(|(_, b)| **b == b'|').map(|(i, _)| i + 1).nth(2) else { return };
    let width = text[payload..].split(|b| *b == b'^').count() / (records.max(1) as usize);
    if text[0] != b'0' || width == 0 {
        return;
    }
    let mut wide = text[..payload].to_vec();
    for (place, field) in text[payload..].split(|b| *b == b'^').enumerate() {
        if place > 0 {
            wide.push(b'^');
        }
        wide.extend_from_slice(field);
        if (place + 1) % width == 0 {
            (0..fields).for_each(|_| wide.extend_from_slice(b"^7"));
        }
    }
    *text = wide;
}

/// The faults of one connection that have not fired.
#[derive(Debug, Default)]
pub(crate) struct PendingFaults {
    frames: Vec<(u64, Fault)>,
    seconds: Vec<(u64, Fault)>,
    registrations: Vec<(u64, Fault)>,
    /// Faults set by seconds or by a registration that wait for a data frame.
    armed: Vec<Fault>,
}

impl PendingFaults {
    pub(crate) fn new(script: &FaultScript, connection: u64) -> Self {
        let mut pending = Self::default();
        for spec in script.iter().filter(|spec| spec.connection.hits(connection)) {
            match spec.at {
                At::Frame(n) => pending.frames.push((n, spec.fault.clone())),
                At::Seconds(s) => pending.seconds.push(((s.max(0.0) * 1e9) as u64, spec.fault.clone())),
                At::Registration(n) => pending.registrations.push((n, spec.fault.clone())),
            }
        }
        pending
    }

    /// Nothing is left that a data frame could meet; the common case, one branch.
    pub(crate) fn no_frame_faults(&self) -> bool {
        self.frames.is_empty() && self.armed.is_empty()
    }

    pub(crate) fn take_frame(&mut self, number: u64) -> Vec<Fault> {
        let mut due = std::mem::take(&mut self.armed);
        due.extend(take(&mut self.frames, number));
        due
    }

    pub(crate) fn take_registration(&mut self, number: u64) -> Vec<Fault> {
        take(&mut self.registrations, number)
    }

    /// Earliest moment in nanoseconds from the opening of a fault set by seconds.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.seconds.iter().map(|(at, _)| *at).min()
    }

    pub(crate) fn take_until(&mut self, now: u64) -> Vec<Fault> {
        take(&mut self.seconds, now)
    }

    pub(crate) fn arm(&mut self, fault: Fault) {
        self.armed.push(fault);
    }

    /// The registration with this number has this fault.
    pub(crate) fn arm_registration_at(&mut self, number: u64, fault: Fault) {
        self.registrations.push((number, fault));
    }

    /// The next registration has this fault.
    pub(crate) fn arm_registration(&mut self, fault: Fault) {
        self.registrations.push((0, fault));
    }
}

fn take(list: &mut Vec<(u64, Fault)>, reached: u64) -> Vec<Fault> {
    if list.is_empty() {
        return Vec::new();
    }
    list.extract_if(.., |(at, _)| *at <= reached).map(|(_, fault)| fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(fault: Fault) -> Vec<u8> {
        let mut text = b"0|H0STCNT0|001|005930^090000^100^^2".to_vec();
        mutate(&fault, &mut text);
        text
    }

    #[test]
    fn each_change_is_the_one_named() {
        assert_eq!(changed(Fault::WrongCount), b"0|H0STCNT0|002|005930^090000^100^^2");
        assert_eq!(changed(Fault::Corrupt { place: CorruptPlace::Separator }), b"0|H0STCNT0|001|005930 090000^100^^2");
        assert_eq!(changed(Fault::Corrupt { place: CorruptPlace::Digits }), b"0|H0STCNT0|001|005930^x90000^100^^2");
        assert!(std::str::from_utf8(&changed(Fault::InvalidUtf8)).is_err());
        assert_eq!(changed(Fault::Oversize { bytes: 4096 }).len(), 4096);
    }

    #[test]
    fn a_wider_frame_has_its_new_fields_at_the_end_of_each_record() {
        let mut text = b"0|H0STCNT0|002|A^1^B^2".to_vec();
        widen(&mut text, 2, 2);
        assert_eq!(text, b"0|H0STCNT0|002|A^1^7^7^B^2^7^7");
    }

    #[test]
    fn the_script_reads_from_toml() {
        #[derive(Deserialize)]
        struct File {
            faults: FaultScript,
        }
        let text = r#"
            faults = [
              { at = { frame = 100 }, connection = 2, fault = { kind = "drop", n = 3 } },
              { at = { seconds = 1.5 }, connection = "all", fault = { kind = "close", code = 1001 } },
              { at = { registration = 4 }, fault = { kind = "refuse", code = "OPSP0008" } },
            ]"#;
        let file: File = toml::from_str(text).unwrap();
        assert!(file.faults[0].connection.hits(2) && !file.faults[0].connection.hits(1));
        assert!(file.faults[1].connection.hits(9) && file.faults[2].connection.hits(9));
    }

    #[test]
    fn a_fault_fires_once() {
        let script = vec![FaultSpec { at: At::Frame(3), connection: Target::All, fault: Fault::Pong }];
        let mut pending = PendingFaults::new(&script, 1);
        assert!(pending.take_frame(2).is_empty());
        assert_eq!(pending.take_frame(3), vec![Fault::Pong]);
        assert!(pending.take_frame(3).is_empty());
    }
}
