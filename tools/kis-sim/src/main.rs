//! Runs one venue.

fn main() {}
