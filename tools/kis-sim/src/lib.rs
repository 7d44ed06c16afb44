//! A KIS venue on loopback.
