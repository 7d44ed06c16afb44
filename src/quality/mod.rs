//! Quality rules, one file per family. A failing tick is journaled with its finding, never dropped.

pub mod continuity;
