//! The filter a command line means.

use std::path::Path;

use hoga::journal::{Filter, Venue, newest_day, parse_bound};
use hoga::tick::RType;

use super::source::Source;

/// Kinds by name.
pub(super) fn kinds_of(names: &[String]) -> Result<Vec<RType>, String> {
    let kind = |name: &String| {
        let kind = RType::ALL.into_iter().find(|kind| kind.name() == name.as_str());
        kind.ok_or_else(|| {
            let names: Vec<&str> = RType::ALL.iter().map(|kind| kind.name()).collect();
            format!("there is no kind `{name}`: one of {}", names.join(", "))
        })
    };
    names.iter().map(kind).collect()
}

/// Venues by name.
pub(super) fn venues_of(names: &[String]) -> Result<Vec<Venue>, String> {
    names.iter().map(|name| name.parse::<Venue>().map_err(|error| error.to_string())).collect()
}

/// The filter of a journal: a time without a date is of its newest day.
pub(super) fn filter_of(source: &Source, journal: &Path) -> Result<Filter, String> {
    let day = newest_day(journal);
    let bound = |text: &Option<String>, is_to| {
        text.as_deref().map(|text| parse_bound(text, day, is_to)).transpose().map_err(|error| error.to_string())
    };
    Ok(Filter {
        symbols: source.symbol.clone(),
        kinds: kinds_of(&source.kind)?,
        venues: venues_of(&source.venue)?,
        from: bound(&source.from, false)?,
        to: bound(&source.to, true)?,
    })
}
