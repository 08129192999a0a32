//! Cutting rows of workgroups to what a device takes at once.

/// A part of a row of workgroups: `x·y` of them from `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) first: u64,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) work: u64,
}

/// Cuts a row of workgroups so that no part has more than `limit` of the work or a dimension above `widest`.
pub(super) fn cut(groups: u64, work: u64, limit: u64, widest: u64) -> Vec<Cut> {
    let parts = work.div_ceil(limit.max(1)).clamp(1, groups.max(1));
    let step = groups.div_ceil(parts).max(1);
    let mut cuts = Vec::new();
    let mut first = 0;
    while first < groups {
        let len = step.min(groups - first);
        // Whole rows of the widest dimension, then what is left of the last.
        let (x, y) = if len <= widest { (len, 1) } else { (widest, (len / widest).min(widest)) };
        let share = (u128::from(work) * u128::from(x * y) / u128::from(groups)) as u64;
        cuts.push(Cut { first, x: x as u32, y: y as u32, work: share });
        first += x * y;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cuts_cover_the_row_once(groups in 1u64..10_000_000, work in 0u64..1 << 40, limit in 1u64..1 << 40) {
            let cuts = cut(groups, work, limit, 65_535);
            prop_assume!(cuts.len() < 100_000);
            let mut next = 0;
            for c in &cuts {
                prop_assert_eq!(c.first, next);
                prop_assert!(c.x <= 65_535 && c.y <= 65_535);
                next += u64::from(c.x) * u64::from(c.y);
            }
            prop_assert_eq!(next, groups);
        }
    }

    #[test]
    fn wide_rows_are_folded_and_long_work_is_cut() {
        let rows = |c: Vec<Cut>| c.iter().map(|c| (c.first, c.x, c.y)).collect::<Vec<_>>();
        assert_eq!(rows(cut(65_535, 0, 1, 65_535)), [(0, 65_535, 1)]);
        assert_eq!(rows(cut(65_536, 0, 1, 65_535)), [(0, 65_535, 1), (65_535, 1, 1)]);
        assert_eq!(rows(cut(10, 100, 30, 65_535)), [(0, 3, 1), (3, 3, 1), (6, 3, 1), (9, 1, 1)]);
    }
}
