//! hoga.
fn main() {}
