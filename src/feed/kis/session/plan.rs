//! Which pair of transaction and key goes to which line.
//!
//! The most important pairs first, those of one key on one line where they fit (so that trade and book of a symbol share its
//! order), lines filled evenly. What is registered already stays where it is: a change of the list is its least difference.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::ledger::{Registration, Wanted};
use crate::config::KisSubscription;

/// The pairs of each line, and those for which there is no place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By line.
    pub lines: Vec<Vec<Wanted>>,
    /// The least important ones, which did not fit.
    pub left_out: Vec<Wanted>,
}

/// All pairs of a configuration, in its order, each once: a pair named twice has the higher priority.
pub fn wanted(subscriptions: &[KisSubscription]) -> Vec<Wanted> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut all: Vec<Wanted> = Vec::new();
    for subscription in subscriptions {
        for key in &subscription.keys {
            let place = *places.entry((&subscription.tr, key)).or_insert(all.len());
            if place == all.len() {
                let registration = Registration { tr_id: subscription.tr.clone(), tr_key: key.clone() };
                all.push(Wanted { registration, priority: subscription.priority });
            }
            all[place].priority = all[place].priority.max(subscription.priority);
        }
    }
    all
}

/// Spreads `wanted` over as many lines as `current` has, at most `max` on each.
pub fn plan(current: &[Vec<Registration>], mut wanted: Vec<Wanted>, max: usize) -> Plan {
    // Stable: what is equally important goes by the order of the configuration.
    wanted.sort_by_key(|pair| Reverse(pair.priority));
    let left_out = wanted.split_off(wanted.len().min(current.len() * max));

    let on_line: HashMap<&Registration, usize> =
        current.iter().enumerate().flat_map(|(line, pairs)| pairs.iter().map(move |pair| (pair, line))).collect();
    let mut lines: Vec<Vec<Wanted>> = vec![Vec::new(); current.len()];
    // Lines that carry a key already.
    let mut homes: HashMap<String, HashSet<usize>> = HashMap::new();
    let mut groups: Vec<Vec<Wanted>> = Vec::new();
    let mut group_of: HashMap<String, usize> = HashMap::new();
    for pair in wanted {
        match on_line.get(&pair.registration).copied().filter(|line| lines[*line].len() < max) {
            Some(line) => {
                homes.entry(pair.registration.tr_key.clone()).or_default().insert(line);
                lines[line].push(pair);
            }
            None => {
                let next = groups.len();
                let group = *group_of.entry(pair.registration.tr_key.clone()).or_insert(next);
                if group == next {
                    groups.push(Vec::new());
                }
                groups[group].push(pair);
            }
        }
    }
    let mut by_load: BTreeSet<(usize, usize)> = lines.iter().enumerate().map(|(line, on)| (on.len(), line)).collect();
    for mut group in groups {
        while !group.is_empty() {
            let room = |line: &usize| max - lines[*line].len();
            let home =
                homes.get(&group[0].registration.tr_key).into_iter().flatten().copied().find(|line| room(line) > 0);
            let Some(line) = home.or_else(|| by_load.first().map(|(_, line)| *line)) else { break };
            let fits = max - lines[line].len();
            by_load.remove(&(lines[line].len(), line));
            let rest = group.split_off(group.len().min(fits));
            lines[line].append(&mut group);
            by_load.insert((lines[line].len(), line));
            group = rest;
        }
    }
    Plan { lines, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(trs: &[&str], keys: std::ops::Range<usize>) -> Vec<Wanted> {
        let keys: Vec<String> = keys.map(|key| format!("{key:06}")).collect();
        let subscription =
            |tr: &&str| KisSubscription { tr: (*tr).to_owned(), keys: keys.clone(), ..KisSubscription::default() };
        wanted(&trs.iter().map(subscription).collect::<Vec<_>>())
    }

    fn lines_of(plan: &Plan) -> Vec<Vec<Registration>> {
        plan.lines.iter().map(|line| line.iter().map(|pair| pair.registration.clone()).collect()).collect()
    }

    #[test]
    fn registrations_are_spread_evenly_and_none_is_left_out() {
        let spread = plan(&vec![Vec::new(); 10], pairs(&["H0STCNT0", "H0STASP0"], 0..200), 41);
        assert_eq!(spread.lines.iter().map(Vec::len).collect::<Vec<_>>(), [40; 10]);
        assert!(spread.left_out.is_empty());
        let mut home = HashMap::new();
        for (line, pairs) in spread.lines.iter().enumerate() {
            for pair in pairs {
                assert_eq!(
                    *home.entry(&pair.registration.tr_key).or_insert(line),
                    line,
                    "a symbol's feeds share a line"
                );
            }
        }
    }

    #[test]
    fn where_there_is_no_room_to_keep_feeds_together_every_place_is_used() {
        let full = plan(&vec![Vec::new(); 3], pairs(&["H0STCNT0", "H0STASP0", "H0STANC0"], 0..41), 41);
        assert_eq!(full.lines.iter().map(Vec::len).collect::<Vec<_>>(), [41, 41, 41]);
        assert!(full.left_out.is_empty());
    }

    #[test]
    fn the_least_important_pairs_are_those_left_out_and_none_goes_missing() {
        let mut all = pairs(&["H0STASP0"], 0..50);
        all.extend(pairs(&["H0STCNT0"], 0..50).into_iter().map(|pair| Wanted { priority: 5, ..pair }));
        let plan = plan(&[Vec::new(), Vec::new()], all, 41);
        assert_eq!(plan.lines.iter().map(Vec::len).sum::<usize>(), 82);
        assert_eq!(plan.left_out.len(), 18);
        assert!(plan.left_out.iter().all(|pair| pair.registration.tr_id == "H0STASP0"));
        assert!(plan.left_out.iter().any(|pair| pair.registration.tr_key == "000049"), "the last of its list first");
    }

    #[test]
    fn a_change_of_the_list_moves_nothing_that_stays() {
        let trs = ["H0STCNT0", "H0STASP0"];
        let before = plan(&vec![Vec::new(); 6], pairs(&trs, 0..100), 41);
        let after = plan(&lines_of(&before), pairs(&trs, 10..115), 41);
        assert!(after.left_out.is_empty());
        let wanted: HashSet<Registration> = pairs(&trs, 10..115).into_iter().map(|pair| pair.registration).collect();
        let mut placed = HashSet::new();
        for (old, new) in lines_of(&before).iter().zip(lines_of(&after)) {
            assert!(new.len() <= 41);
            assert!(old.iter().filter(|pair| wanted.contains(pair)).all(|pair| new.contains(pair)), "it stays");
            placed.extend(new);
        }
        assert_eq!(placed, wanted);
    }

    #[test]
    fn a_new_feed_joins_the_line_of_its_symbol() {
        let before = plan(&vec![Vec::new(); 3], pairs(&["H0STCNT0"], 0..30), 41);
        let after = plan(&lines_of(&before), pairs(&["H0STCNT0", "H0STASP0"], 0..30), 41);
        for line in &after.lines {
            let keys: HashSet<&String> = line.iter().map(|pair| &pair.registration.tr_key).collect();
            assert_eq!(line.len(), keys.len() * 2);
        }
    }

    #[test]
    fn a_pair_named_twice_is_one_with_the_higher_priority() {
        let subscription = |priority| KisSubscription {
            tr: "H0STCNT0".to_owned(),
            keys: vec!["005930".to_owned()],
            priority,
            ..KisSubscription::default()
        };
        let all = wanted(&[subscription(1), subscription(7), subscription(3)]);
        assert_eq!((all.len(), all[0].priority), (1, 7));
    }
}
