//! What an engine makes of what it was not told: volume traded while it did not run, frames it could not read with
//! stream `raw` switched off.
//!
//! Method: a venue plays handmade frames; the journal is read back.

mod rig;

use hoga::config::Placement;
use hoga::feed::kis::session::Leave;
use hoga::tick::{GapReason, RejectReason};
use kis_sim::TimedFrame;
use rig::{Stage, play_frames, wait_until};

const TRADES: &str = "H0STCNT0";

/// A trade of 005930 at 61,000 won: quantity, and the day's cumulative quantity with it.
fn trade(qty: u64, cum_qty: u64) -> String {
    let turnover = cum_qty * 61_000;
    format!(
        "0|H0STCNT0|001|005930^090501^61000^5^-1600^-2.56^61000.00^61000^61000^61000^61100^61000^{qty}^{cum_qty}^{turnover}\
         ^10^10^0^50.00^5^5^1^0.33^45.25^090004^5^-1500^090004^5^-1500^090004^2^100^20261120^20^N^10^10^100^100^0.13^1000\
         ^68.29^0^^62500^2"
    )
}

fn frames(texts: &[String]) -> Vec<TimedFrame> {
    let frame = |(place, text): (usize, &String)| TimedFrame::from_text(place as u64 * 1_000_000, text.as_bytes());
    texts.iter().enumerate().filter_map(frame).collect()
}

fn keys() -> Vec<String> {
    vec!["005930".to_owned()]
}

#[test]
fn volume_traded_while_no_engine_ran_is_a_gap_with_the_exact_quantity() {
    let first = play_frames(frames(&[trade(10, 10), trade(5, 15)]), &keys(), &[TRADES]);
    assert!(first.gaps().is_empty());

    let mut stage = Stage::with_frames(frames(&[trade(4, 40), trade(1, 41)]), &keys(), &[TRADES]);
    stage.config.journal.dir = first.dir.clone();
    let engine = stage.engine(Leave::WhenClosed);
    wait_until("the end of the run", || engine.is_finished());
    let second = stage.end(engine);

    let gaps = second.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let (symbol, gap) = &gaps[0];
    assert_eq!(symbol, "005930");
    assert_eq!((gap.cum_qty_before, gap.cum_qty_after, gap.missing_qty), (15, 36, 21));
    assert_eq!(gap.reason, GapReason::Disconnect as u8);
    assert_eq!(second.trades().len(), 4);
}

#[test]
fn with_raw_switched_off_only_rejected_frames_are_kept_verbatim() {
    for placement in [Placement::Fused, Placement::Split] {
        let wrong = trade(5, 15).replacen("|001|", "|002|", 1);
        let texts = [trade(10, 10), wrong.clone(), trade(1, 16)];
        let mut stage = Stage::with_frames(frames(&texts), &keys(), &[TRADES]);
        stage.config.journal.raw = false;
        stage.config.engine.placement = placement;
        let engine = stage.engine(Leave::WhenClosed);
        wait_until("the end of the run", || engine.is_finished());
        let played = stage.end(engine);

        assert_eq!(played.raw.len(), 1, "{placement:?}");
        assert_eq!(played.raw_payload(1), wrong.as_bytes());
        let rejects = played.rejects();
        assert_eq!(rejects.len(), 1);
        assert_eq!(rejects[0].0.reason, RejectReason::CountMismatch as u8);
        assert_eq!(played.trades().len(), 2);
        assert_eq!(played.gaps().len(), 1, "the rejected trade's quantity is missing");
    }
}
