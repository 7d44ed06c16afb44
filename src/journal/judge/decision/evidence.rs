//! Evidence, typed, and how it is gathered from a segment.

use super::{Case, decide};
use crate::journal::format::{DurableSlot, HeaderError};
use crate::journal::walk::{Reason, Tail, Walked};

/// Declares an enum of evidence with the list of all its values.
macro_rules! evidence {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $value:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::journal) enum $name { $($(#[$doc])* $value),+ }

        impl $name {
            #[cfg(test)]
            pub(super) const ALL: &[$name] = &[$($name::$value),+];
        }
    };
}

evidence! {
    /// The segment's header.
    HeaderIs {
        /// Whole, and of a segment in use.
        Good,
        /// Whole, but its page says that the segment is only prepared.
        Unused,
        /// There is no file where one must be.
        Missing,
        /// Checksums, sizes, name or state can't be right.
        Damaged,
        /// The file does not begin as a segment does.
        Foreign,
        /// A higher major.
        Newer,
    }
}

evidence! {
    /// The commit word at the first place where no good record stands.
    CommitWord {
        /// There is no such place: the good records lead to an `End`.
        Ended,
        /// Zero: nothing was committed there.
        Zero,
        /// A length that a record may have there.
        Length,
        /// A length that none can have there.
        Impossible,
    }
}

evidence! {
    /// The checksum of what that commit word names; without meaning for the other words.
    Checksum {
        /// It matches.
        Holds,
        /// It does not, or the padding behind the record is not zero.
        Fails,
    }
}

evidence! {
    /// The numbering: of the segment behind the one before, and of the record at that place.
    Continuity {
        /// It is the number that follows.
        Follows,
        /// It is another one.
        Breaks,
    }
}

evidence! {
    /// What stands behind that place; in a segment not in use: behind what was restated when it was prepared.
    Behind {
        /// Nothing.
        Zeros,
        /// Bytes, and no valid record among them.
        Bytes,
        /// A valid record of this segment.
        Record,
    }
}

evidence! {
    /// The file's size.
    Size {
        /// As the header says, or longer.
        Whole,
        /// Shorter.
        Short,
    }
}

evidence! {
    /// Where that place lies against what is promised: the durable mark, and for whole segments the seals.
    Watermark {
        /// There is no mark.
        None,
        /// At the mark or behind it: not promised.
        Above,
        /// Before it: promised to be there.
        Below,
    }
}

evidence! {
    /// Whether the kernel that made the segment still runs.
    Boot {
        /// It does.
        Same,
        /// It does not.
        Other,
    }
}

evidence! {
    /// The stream's control page.
    ControlPage {
        /// Good.
        Good,
        /// Not there.
        Absent,
        /// Its head is damaged, or every durable slot that was written.
        Damaged,
        /// A higher major.
        Newer,
    }
}

evidence! {
    /// The segment's place in the stream.
    Place {
        /// No later one is in use.
        Newest,
        /// A later one is in use.
        Earlier,
    }
}

/// Everything a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Evidence {
    pub(in crate::journal) header: HeaderIs,
    pub(in crate::journal) commit: CommitWord,
    pub(in crate::journal) checksum: Checksum,
    pub(in crate::journal) sequence: Continuity,
    pub(in crate::journal) behind: Behind,
    pub(in crate::journal) size: Size,
    pub(in crate::journal) watermark: Watermark,
    pub(in crate::journal) boot: Boot,
    pub(in crate::journal) control: ControlPage,
    pub(in crate::journal) place: Place,
}

impl Evidence {
    /// Whether something promised is touched.
    pub(in crate::journal) fn is_below_the_mark(&self) -> bool {
        self.watermark == Watermark::Below
    }
}

/// The file of a segment that was walked.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct FileFound {
    /// It is shorter than its header says.
    pub(in crate::journal) short: bool,
    /// It is compressed.
    pub(in crate::journal) packed: bool,
}

/// What the evidence depends on, besides the segment.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Circumstances {
    pub(in crate::journal) place: Place,
    pub(in crate::journal) boot_id: [u8; 16],
    pub(in crate::journal) control: ControlPage,
    pub(in crate::journal) durable: Option<DurableSlot>,
    /// The last segment of the stream that was sealed, 0 = none. Sealing waits for the disk, and takes the segments of a
    /// stream in order.
    pub(in crate::journal) sealed_to: u64,
}

impl Circumstances {
    /// Whether no later segment is in use.
    pub(in crate::journal) fn is_newest(&self) -> bool {
        self.place == Place::Newest
    }

    /// Whether a segment is sealed: then it is on the disk whole, wherever the durable mark is. `packed` = it is
    /// compressed, which only sealed ones are.
    pub(in crate::journal) fn is_sealed(&self, ordinal: u64, packed: bool) -> bool {
        packed || ordinal <= self.sealed_to
    }

    /// The case of the control page beside a complete segment.
    pub(in crate::journal) fn control_alone(&self) -> Case {
        let complete = Evidence { commit: CommitWord::Ended, ..self.without_header(HeaderIs::Good) };
        decide(&complete).case
    }

    fn boot(&self, of_segment: [u8; 16]) -> Boot {
        if of_segment == self.boot_id { Boot::Same } else { Boot::Other }
    }

    /// Evidence of a file that has no header to go by, or of none at all.
    pub(in crate::journal) fn without_header(&self, header: HeaderIs) -> Evidence {
        Evidence {
            header,
            commit: CommitWord::Zero,
            checksum: Checksum::Fails,
            sequence: Continuity::Follows,
            behind: Behind::Zeros,
            size: Size::Whole,
            watermark: Watermark::None,
            boot: Boot::Other,
            control: self.control,
            place: self.place,
        }
    }

    /// Evidence of a header that was refused.
    pub(in crate::journal) fn bad_header(&self, error: HeaderError) -> Evidence {
        self.without_header(match error {
            HeaderError::Magic => HeaderIs::Foreign,
            HeaderError::Version(_) => HeaderIs::Newer,
            _ => HeaderIs::Damaged,
        })
    }

    /// Evidence of a segment not in use; `behind` = what stands behind its restated records.
    pub(in crate::journal) fn unused(&self, ordinal: u64, boot_id: [u8; 16], behind: Behind, packed: bool) -> Evidence {
        let watermark = match self.durable {
            _ if self.is_sealed(ordinal, packed) => Watermark::Below,
            None => Watermark::None,
            Some(slot) if slot.ordinal >= ordinal => Watermark::Below,
            Some(_) => Watermark::Above,
        };
        Evidence { behind, watermark, boot: self.boot(boot_id), ..self.without_header(HeaderIs::Unused) }
    }

    /// Evidence of a segment that was walked. `follows` = it begins with the number that follows the segment before.
    pub(in crate::journal) fn walked(
        &self,
        ordinal: u64,
        boot_id: [u8; 16],
        walked: &Walked,
        follows: bool,
        file: FileFound,
    ) -> Evidence {
        let (commit, checksum, behind, sound) = match &walked.tail {
            Tail::Ended => (CommitWord::Ended, Checksum::Holds, Behind::Zeros, true),
            Tail::Open => (CommitWord::Zero, Checksum::Fails, Behind::Zeros, true),
            Tail::Bad { reason, followed, .. } => {
                let behind = if *followed { Behind::Record } else { Behind::Bytes };
                match reason {
                    Reason::AfterEnd => (CommitWord::Ended, Checksum::Holds, behind, true),
                    Reason::Uncommitted => (CommitWord::Zero, Checksum::Fails, behind, true),
                    Reason::Length(_) => (CommitWord::Impossible, Checksum::Fails, behind, true),
                    Reason::Sequence { .. } => (CommitWord::Length, Checksum::Holds, behind, false),
                    _ => (CommitWord::Length, Checksum::Fails, behind, true),
                }
            }
        };
        let position = walked.position as u64;
        let is_complete = walked.tail == Tail::Ended;
        let watermark = match self.durable {
            _ if !is_complete && self.is_sealed(ordinal, file.packed) => Watermark::Below,
            None => Watermark::None,
            Some(slot) if slot.ordinal == ordinal && position < slot.position => Watermark::Below,
            // There is at least an `End` behind any record of a segment before the mark's.
            Some(slot) if slot.ordinal > ordinal && !walked.ended => Watermark::Below,
            Some(_) => Watermark::Above,
        };
        Evidence {
            header: HeaderIs::Good,
            commit,
            checksum,
            sequence: if follows && sound { Continuity::Follows } else { Continuity::Breaks },
            behind,
            size: if file.short { Size::Short } else { Size::Whole },
            watermark,
            boot: self.boot(boot_id),
            control: self.control,
            place: self.place,
        }
    }
}
