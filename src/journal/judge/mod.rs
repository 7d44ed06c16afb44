//! What the bytes of a journal are: the walk over a segment, the decision table, and its two users: the opening that puts
//! a stream in order and finds what was not decoded yet, and `verify`, which changes nothing.

pub(super) mod decision;
pub(super) mod examine;
pub(super) mod quarantine;
pub(super) mod recent;
pub(super) mod recovery;
pub(super) mod undecoded;
pub(super) mod verify;
pub(super) mod walk;
