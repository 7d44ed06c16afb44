//! Days that are over: seals and manifests, compressed segments, deletion by policy with its log.

pub(super) mod compress;
pub(super) mod manifest;
pub(super) mod packed;
pub(super) mod retention;
pub(super) mod seal;
pub(super) mod seal_verify;
