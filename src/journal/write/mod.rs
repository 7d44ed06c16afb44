//! Writing a stream: the appending hot writer, and the cold threads that serve it: segments prepared and touched ahead,
//! syncs, what is wrong with the disk.

pub(super) mod ahead;
pub(super) mod dictionary;
pub(super) mod durability;
pub(super) mod helper;
pub(super) mod trouble;
pub(super) mod writer;
