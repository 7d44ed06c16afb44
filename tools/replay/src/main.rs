//! Plays recorded journals.
fn main() {}
