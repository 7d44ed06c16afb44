//! How long it takes to spread registrations over app keys: 10,000 pairs over 250 of them, from nothing and as a change of a
//! tenth of the list, beside the plan by the first thought (at a tenth of the size: it is quadratic).
//!
//! Goal: at most 50 ms for all. Not measured: registering, which the broker paces.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hoga::config::KisSubscription;
use hoga::feed::kis::session::ledger::{Registration, Wanted};
use hoga::feed::kis::session::plan::{Plan, plan, wanted};

/// Registrations an app key may hold.
const MAX: usize = 41;

/// Trades and books of symbols, the first half of them more important.
fn pairs(symbols: std::ops::Range<usize>) -> Vec<Wanted> {
    let middle = (symbols.start + symbols.end) / 2;
    let part = |symbols: std::ops::Range<usize>, priority| {
        let keys: Vec<String> = symbols.map(|symbol| format!("{symbol:06}")).collect();
        ["H0STCNT0", "H0STASP0"].map(|tr| KisSubscription {
            tr: tr.to_owned(),
            keys: keys.clone(),
            priority,
            ..KisSubscription::default()
        })
    };
    let (end, start) = (symbols.end, symbols.start);
    wanted(&[part(start..middle, 1), part(middle..end, 0)].concat())
}

/// The plan by the first thought: each pair beside its key, else on the emptiest line.
fn plan_naive(lines: usize, wanted: Vec<Wanted>, max: usize) -> Plan {
    let mut plan = Plan { lines: vec![Vec::new(); lines], left_out: Vec::new() };
    let mut wanted = wanted;
    wanted.sort_by_key(|pair| Reverse(pair.priority));
    for pair in wanted {
        let taken = plan.lines.iter().flatten().any(|other| other.registration == pair.registration);
        let home = plan.lines.iter().position(|line| {
            line.len() < max && line.iter().any(|other| other.registration.tr_key == pair.registration.tr_key)
        });
        let least =
            || (0..lines).filter(|line| plan.lines[*line].len() < max).min_by_key(|line| plan.lines[*line].len());
        match home.or_else(least) {
            Some(line) if !taken => plan.lines[line].push(pair),
            Some(_) => {}
            None => plan.left_out.push(pair),
        }
    }
    plan
}

/// What a plan places, whatever the line.
fn placed(plan: &Plan) -> HashSet<&Registration> {
    plan.lines.iter().flatten().map(|pair| &pair.registration).collect()
}

fn plans(c: &mut Criterion) {
    let mut group = c.benchmark_group("plan");
    group.sample_size(20);
    let (all, tenth) = (pairs(0..5000), pairs(0..500));
    let (nothing, few) = (vec![Vec::new(); 250], vec![Vec::new(); 25]);
    group.bench_function("10_000_over_250", |b| {
        b.iter_batched(|| all.clone(), |all| black_box(plan(&nothing, all, MAX)), BatchSize::LargeInput);
    });
    let (clever, naive) = (plan(&few, tenth.clone(), MAX), plan_naive(25, tenth.clone(), MAX));
    assert_eq!(placed(&clever), placed(&naive), "both place the same pairs");
    let planned = plan(&nothing, all.clone(), MAX);
    assert_eq!(planned.lines.iter().map(Vec::len).sum::<usize>(), 10_000);
    let current: Vec<Vec<Registration>> =
        planned.lines.iter().map(|line| line.iter().map(|pair| pair.registration.clone()).collect()).collect();
    let changed = pairs(500..5500);
    group.bench_function("10_000_over_250_changed_by_a_tenth", |b| {
        b.iter_batched(|| changed.clone(), |all| black_box(plan(&current, all, MAX)), BatchSize::LargeInput);
    });
    group.bench_function("1_000_over_25", |b| {
        b.iter_batched(|| tenth.clone(), |all| black_box(plan(&few, all, MAX)), BatchSize::LargeInput);
    });
    group.bench_function("1_000_over_25_naive", |b| {
        b.iter_batched(|| tenth.clone(), |all| black_box(plan_naive(25, all, MAX)), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, plans);
criterion_main!(benches);
