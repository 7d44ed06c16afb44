//! The journal's reader for C and C++.
