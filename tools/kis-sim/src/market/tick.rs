//! Tick sizes in force since 2023-01-25 and daily price limits.

/// The price step at a price.
pub fn tick_size(price: i64) -> i64 {
    match price {
        ..2_000 => 1,
        2_000..5_000 => 5,
        5_000..20_000 => 10,
        20_000..50_000 => 50,
        50_000..200_000 => 100,
        200_000..500_000 => 500,
        _ => 1_000,
    }
}

/// The next price above on the grid.
pub fn up(price: i64) -> i64 {
    price + tick_size(price)
}

/// The next price below on the grid: the step is that of the band below.
pub fn down(price: i64) -> i64 {
    price - tick_size(price - 1)
}

/// Whether a price lies on the grid.
pub fn on_grid(price: i64) -> bool {
    price > 0 && price % tick_size(price) == 0
}

/// Lower and upper limit of a day: 30 % of the base price cut to the base's tick, then cut to the tick at the result.
pub fn price_limits(base: i64) -> (i64, i64) {
    let amount = base * 3 / 10;
    let amount = amount - amount % tick_size(base);
    let cut = |price: i64| price - price % tick_size(price);
    (cut(base - amount), cut(base + amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_changes_at_the_edges_of_the_bands() {
        for (edge, below, above) in [
            (2_000, 1, 5),
            (5_000, 5, 10),
            (20_000, 10, 50),
            (50_000, 50, 100),
            (200_000, 100, 500),
            (500_000, 500, 1_000),
        ] {
            assert_eq!(edge - down(edge), below);
            assert_eq!(up(edge) - edge, above);
            assert_eq!(up(down(edge)), edge);
        }
    }

    #[test]
    fn limits_follow_the_example_of_the_exchange() {
        assert_eq!(price_limits(9_940), (6_960, 12_920));
    }

    #[test]
    fn limits_lie_on_the_grid_and_within_30_percent() {
        let mut base = 100;
        while base < 1_500_000 {
            let (lower, upper) = price_limits(base);
            assert!(on_grid(lower) && on_grid(upper), "{base}");
            assert!(lower < base && base < upper, "{base}");
            assert!(upper * 10 <= base * 13, "{base}");
            base = up(base);
        }
    }
}
