//! What an engine is built with, from its configuration and the market's clock.

use bytemuck::Zeroable as _;

use crate::clock::{MarketClock, wall_ns};
use crate::config::Config;
use crate::feed::kis::session::{Account, LineState};
use crate::journal::JournalConfig;
use crate::market::kst;
use crate::metrics::ConnectionState;
use crate::net::ReaderConfig;
use crate::secret::Secret;
use crate::stage::WaitStrategy;
use crate::tick::{Clock, Header, Publisher};

/// Segments of stream `raw` when it keeps rejected frames only.
const REJECTS_SEGMENT_BYTES: u64 = 8 << 20;

pub(super) fn journal_config(config: &Config, market: &MarketClock) -> JournalConfig {
    let segment_bytes = u64::from(config.journal.segment_mib) << 20;
    let sized = JournalConfig::with_segment_bytes(segment_bytes);
    let rejects = {
        let message_bytes_max = u64::from(config.engine.max_message_kib) << 10;
        JournalConfig::with_segment_bytes(
            segment_bytes.min(REJECTS_SEGMENT_BYTES.max((message_bytes_max * 2 + 65_536).next_multiple_of(4096))),
        )
    };
    JournalConfig {
        raw: if config.journal.raw { sized.raw } else { rejects.raw },
        trading_date: trading_date(market.market_ns(wall_ns())),
        instruments_max: config.engine.max_instruments as usize,
        low_space_bytes: config.journal.low_space_mib << 20,
        durability: config.journal.durability,
        ..sized
    }
}

/// The trading date of a market time, decimal YYYYMMDD: the KST date, a day beginning at 07:00.
pub(super) fn trading_date(market_ns: u64) -> u32 {
    kst::number_of(kst::trading_date(market_ns))
}

pub(super) fn reader_config(config: &Config) -> ReaderConfig {
    // Asking for events first lets a parked thread sleep; a spinning one reads a few sockets straight away.
    let direct_reads_max =
        if config.engine.wait == WaitStrategy::Park { 0 } else { ReaderConfig::default().direct_reads_max };
    ReaderConfig { direct_reads_max, ..ReaderConfig::default() }
}

pub(super) fn secrets_of(account: &Account) -> [Secret; 2] {
    [account.credentials.app_key.clone(), account.credentials.app_secret.clone()]
}

pub(super) fn connection_state(state: LineState) -> ConnectionState {
    match state {
        LineState::Backoff => ConnectionState::BackingOff,
        LineState::Connecting => ConnectionState::Connecting,
        LineState::Subscribing | LineState::Live => ConnectionState::Live,
        LineState::Closed => ConnectionState::Closed,
    }
}

pub(super) fn clock_record(market: &MarketClock) -> Clock {
    let now = wall_ns();
    Clock {
        header: Header { ts_recv: now, publisher: Publisher::Hoga as u16, ..Header::zeroed() },
        offset_ns: 0,
        error_ns: u64::MAX,
        anchor_wall_ns: now,
        anchor_market_ns: market.market_ns(now),
        scale_ppb: market.scale_ppb(),
        source: 0,
        reserved: [0; 7],
    }
}
