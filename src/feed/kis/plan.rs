//! Plans: layouts compiled at start, found by the transaction id of a frame without a search.

use super::layout::{Form, KeyClass, Layout, LayoutTable};
use super::table::Steps;
use crate::tick::{Publisher, RType, tr_name, tr_number};

/// What the decoder does with a transaction's records.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The transaction id as a little-endian word.
    pub id: u64,
    /// Number of the transaction.
    pub tr: u16,
    pub publisher: u16,
    /// Place of the publisher in the continuity table, for transactions whose cumulative volume advances by quantity.
    pub continuity: Option<u8>,
    pub form: Form,
    pub kind: Kind,
    pub key_class: KeyClass,
    /// Fewest bytes of a key.
    pub key_min: u8,
    /// Field of a record's symbol.
    pub key: u16,
    /// Field of the time of day, or past the end.
    pub time: u16,
    pub market: [u8; 16],
    pub currency: [u8; 4],
    pub turnover_unit: u64,
    pub width_min: u16,
    pub width_max: u16,
    /// Known field counts; 0 = no more.
    pub widths: [u16; 4],
    /// Every record is delayed by the exchange's rule.
    pub delayed: bool,
    /// Empty but for form `table`.
    pub steps: Option<Steps>,
}

/// Kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Trade,
    Book,
    Expected,
    Status,
    Index,
    Nav,
    Program,
    Member,
    Other,
}

/// All plans and a perfect hash of their ids: as many slots as it takes for a multiplier to be found soon.
#[derive(Debug)]
pub(super) struct Plans {
    plans: Box<[Plan]>,
    multiplier: u64,
    /// Place of the plan; [`NONE`] = empty.
    slots: Box<[u8; SLOTS]>,
}

const SLOTS: usize = 512;
const NONE: u8 = u8::MAX;

impl Plans {
    /// Compiles a table.
    ///
    /// # Panics
    ///
    /// When the table contradicts itself, which tests rule out for the built-in one.
    pub fn new(table: &LayoutTable) -> Plans {
        let plans: Box<[Plan]> = table.transactions.iter().map(compile).collect();
        assert!(plans.len() < usize::from(NONE), "places are a byte");
        let mut multiplier = 0x9e37_79b9_7f4a_7c15_u64;
        loop {
            if let Some(slots) = place(&plans, multiplier) {
                return Plans { plans, multiplier, slots };
            }
            multiplier = multiplier.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(2) | 1;
        }
    }

    /// The plan of a transaction id.
    #[inline]
    pub fn find(&self, tr_id: &[u8]) -> Option<&Plan> {
        self.find_word(tr_id.try_into().ok()?)
    }

    /// The plan of a transaction id of eight bytes, as all are.
    #[inline]
    pub fn find_word(&self, tr_id: [u8; 8]) -> Option<&Plan> {
        let id = u64::from_le_bytes(tr_id);
        let plan = self.plans.get(usize::from(self.slots[slot(id, self.multiplier)]))?;
        (plan.id == id).then_some(plan)
    }
}

#[inline]
fn slot(id: u64, multiplier: u64) -> usize {
    (id.wrapping_mul(multiplier) >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}

/// The slots under a multiplier, if no two ids share one.
fn place(plans: &[Plan], multiplier: u64) -> Option<Box<[u8; SLOTS]>> {
    let mut slots = Box::new([NONE; SLOTS]);
    for (index, plan) in plans.iter().enumerate() {
        let slot = &mut slots[slot(plan.id, multiplier)];
        if *slot != NONE {
            return None;
        }
        *slot = index as u8;
    }
    Some(slots)
}

/// Place in the continuity table of a transaction whose cumulative volume advances by quantity.
pub(super) fn continuity_venue(tr: u16) -> Option<u8> {
    ["H0STCNT0", "H0NXCNT0", "H0UNCNT0"]
        .into_iter()
        .zip(0..)
        .find(|(name, _)| tr_name(tr) == Some(name))
        .map(|(_, venue)| venue)
}

/// Whether a plan can be made of a layout; what is wrong else.
pub(super) fn check(layout: &Layout) -> Result<(), String> {
    let venue = &layout.publisher;
    if !Publisher::ALL.iter().any(|publisher| publisher.venue() == venue) {
        return Err(format!("there is no publisher `{venue}`"));
    }
    if tr_number(&layout.tr).is_none() {
        return Err("this build has no number for it".to_owned());
    }
    if layout.market.len() > 16 || layout.currency.len() > 4 {
        return Err("a market has at most 16 characters, a currency 4".to_owned());
    }
    match layout.form {
        Form::Table => Steps::compile(layout).map(|_| ()).map_err(|name| format!("there is no field `{name}`")),
        _ => Ok(()),
    }
}

fn compile(layout: &Layout) -> Plan {
    let tr = &layout.tr;
    let wrong = |what: &str| -> ! { panic!("layout of {tr}: {what}") };
    let publisher = Publisher::ALL.into_iter().find(|publisher| publisher.venue() == layout.publisher);
    let publisher = publisher.unwrap_or_else(|| wrong("publisher"));
    let continuity = tr_number(tr).and_then(continuity_venue);
    let steps = match layout.form {
        Form::Table => Some(Steps::compile(layout).unwrap_or_else(|name| wrong(&name))),
        _ => None,
    };
    let mut widths = [0; 4];
    for (to, from) in widths.iter_mut().zip(&layout.widths) {
        *to = from.width;
    }
    Plan {
        id: u64::from_le_bytes(tr.as_bytes().try_into().unwrap_or_else(|_| wrong("id"))),
        tr: tr_number(tr).unwrap_or_else(|| wrong("number")),
        publisher: publisher as u16,
        continuity,
        form: layout.form,
        kind: kind(layout),
        key_class: layout.key_class,
        // A status read one field off begins with `Y` or `N`.
        key_min: if layout.form == Form::Status { 6 } else { 1 },
        key: layout.position(&layout.key).unwrap_or(0),
        time: layout.time.as_deref().and_then(|time| layout.position(time)).unwrap_or(u16::MAX),
        market: padded(layout.market.as_bytes()),
        currency: padded(layout.currency.as_bytes()),
        turnover_unit: layout.turnover_unit,
        width_min: layout.min_prefix,
        width_max: layout.width_max(),
        widths,
        delayed: tr == "HDFSASP1",
        steps,
    }
}

fn kind(layout: &Layout) -> Kind {
    let kinds = [
        (RType::Trade, Kind::Trade),
        (RType::Book, Kind::Book),
        (RType::Expected, Kind::Expected),
        (RType::Status, Kind::Status),
        (RType::Index, Kind::Index),
        (RType::Nav, Kind::Nav),
        (RType::Program, Kind::Program),
        (RType::Member, Kind::Member),
    ];
    kinds.into_iter().find(|(rtype, _)| rtype.name() == layout.kind).map_or(Kind::Other, |(_, kind)| kind)
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_is_found_and_nothing_else_is() {
        let table = LayoutTable::builtin();
        let plans = Plans::new(&table);
        assert_eq!(plans.plans.len(), table.transactions.len());
        for layout in &table.transactions {
            let plan = plans.find(layout.tr.as_bytes()).unwrap();
            assert_eq!(Some(plan.tr), tr_number(&layout.tr));
            let mut other = layout.tr.clone().into_bytes();
            other[7] = b'7';
            assert!(plans.find(&other).is_none());
            assert!(plans.find(&other[..7]).is_none());
        }
        assert!(plans.find(b"").is_none() && plans.find(b"H0STCNT01").is_none());
    }

    #[test]
    fn continuity_holds_for_the_three_trade_feeds_of_stocks_only() {
        let table = LayoutTable::builtin();
        let plans = Plans::new(&table);
        let lawful = |layout: &&Layout| plans.find(layout.tr.as_bytes()).unwrap().continuity.is_some();
        let mut lawful: Vec<&str> = table.transactions.iter().filter(lawful).map(|layout| layout.tr.as_str()).collect();
        lawful.sort_unstable();
        assert_eq!(lawful, ["H0NXCNT0", "H0STCNT0", "H0UNCNT0"]);
    }
}
