//! The durable slot of a control page.

use bytemuck::{Pod, Zeroable};

use crate::simd::crc32c::crc32c;

/// A durable slot of the control page.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct DurableSlot {
    /// Epoch of the writer.
    pub epoch: u64,
    /// Last durable record.
    pub sequence: u64,
    /// Its segment.
    pub ordinal: u64,
    /// Durable bytes of that segment.
    pub position: u64,
    /// Boot of the kernel.
    pub boot_id: [u8; 16],
    /// When, ns since the UNIX epoch.
    pub time_ns: u64,
    /// Zero.
    pub reserved: u32,
    /// crc32c of the bytes before.
    pub crc: u32,
}

const _: () = assert!(size_of::<DurableSlot>() == 64 && std::mem::offset_of!(DurableSlot, crc) == 60);

impl DurableSlot {
    /// The CRC these bytes should carry.
    pub fn expected_crc(&self) -> u32 {
        crc32c(0, &bytemuck::bytes_of(self)[..std::mem::offset_of!(DurableSlot, crc)])
    }

    /// What of two valid slots the later one is higher in.
    pub fn order(&self) -> (u64, u64, u64, u64) {
        (self.epoch, self.sequence, self.ordinal, self.position)
    }

    /// Whether it was written, wholly.
    pub fn is_valid(&self) -> bool {
        self.crc == self.expected_crc()
    }

    /// Whether it was never written.
    pub fn is_empty(&self) -> bool {
        *self == DurableSlot::zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slot_is_not_a_valid_one() {
        let mut slot = DurableSlot::zeroed();
        assert!(slot.is_empty() && !slot.is_valid());
        slot.epoch = 1;
        slot.crc = slot.expected_crc();
        assert!(slot.is_valid() && !slot.is_empty());
    }
}
