//! What a download tells at its end.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::units::{count, nanos};
use crate::feed::kis::rest::Client;
use crate::feed::kis::rest::quotations::Prices;
use crate::fetch::{Outcome, Plan, Request, What};

/// Failed symbols named one by one; of more, only how many there are.
const NAMED_MAX: usize = 20;

pub(super) struct Shown<'a> {
    pub request: &'a Request,
    pub plan: &'a Plan,
    pub outcome: &'a Outcome,
    pub client: &'a Client,
}

impl Shown<'_> {
    pub(super) fn print(&self, elapsed: Duration, out: &Path, as_json: bool) {
        self.print_troubles();
        if as_json {
            say!("{}", self.to_json(elapsed));
        } else {
            self.print_text(elapsed, out);
        }
    }

    fn print_troubles(&self) {
        for (symbol, failure) in self.outcome.failures.iter().take(NAMED_MAX) {
            eprintln!("hoga fetch: {symbol}: {} units not downloaded: {}", failure.units, failure.error);
        }
        let more = self.outcome.failures.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            eprintln!("hoga fetch: and {more} more symbols; --json names them all");
        }
        if let Some(fatal) = &self.outcome.fatal {
            eprintln!("hoga fetch: {fatal}; run the same command again to go on");
        } else if self.outcome.is_interrupted {
            eprintln!("hoga fetch: stopped; run the same command again to go on");
        }
    }

    fn print_text(&self, elapsed: Duration, out: &Path) {
        let (outcome, calls) = (self.outcome, self.client.report().counts.requests);
        say!(
            "{}: {} of {} units, {} rows, {} calls in {}; {} units were done before; in {}",
            self.request.what.name(),
            outcome.resumed + outcome.units,
            self.plan.units.len(),
            count(outcome.rows),
            count(calls),
            nanos(elapsed.as_nanos() as u64),
            outcome.resumed,
            out.display(),
        );
        if let Some(records) = outcome.journal_records {
            say!("{} records in {}", count(records), out.join("journal").display());
        }
        if outcome.missing > 0 {
            let of = "that the broker did not show one by one; they are marked where they are missing";
            say!("{} shares {of}", count(outcome.missing));
        }
        if outcome.partial > 0 {
            let units = outcome.partial;
            let until = if self.request.what == What::Ticks { ", on the same day" } else { "" };
            say!("{units} units are of a day or period that is not over: run the same command again when it is{until}");
        }
        if let What::Daily { prices: Prices::Raw, .. } = self.request.what {
            say!("prices are raw, as they were paid; --prices adjusted asks for those comparable with today's");
        }
        if self.request.what == What::Ticks && outcome.units > 0 {
            say!(
                "trades have price, quantity, volume of the day, best bid and ask; who took liquidity the broker does not say"
            );
        }
    }

    fn to_json(&self, elapsed: Duration) -> Value {
        let (outcome, report) = (self.outcome, self.client.report());
        let errors: Vec<Value> = outcome
            .failures
            .iter()
            .map(|(symbol, failure)| json!({ "symbol": symbol, "units": failure.units, "error": failure.error }))
            .collect();
        json!({
            "what": self.request.what.name(),
            "from": self.request.from.to_string(),
            "to": self.request.to.to_string(),
            "prices": self.request.describe().get("prices"),
            "units": self.plan.units.len(),
            "units_done": outcome.resumed + outcome.units,
            "resumed": outcome.resumed,
            "partial": outcome.partial,
            "calls": report.counts.requests,
            "too_fast": report.counts.too_fast,
            "rows": outcome.rows,
            "errors": errors,
            "missing_qty": outcome.missing,
            "journal_records": outcome.journal_records,
            "interrupted": outcome.is_interrupted,
            "fatal": outcome.fatal,
            "seconds": elapsed.as_secs_f64(),
        })
    }
}
