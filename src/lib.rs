//! hoga.
