//! Where intermediate tensors lie: offsets in a few buffers, by lifetime.
//!
//! wgpu tracks whole buffers: one dispatch may not read one range of a buffer and write another. So regions
//! are coloured, one buffer a colour, such that what a node writes never shares a buffer with what it reads.
//! Offsets are chosen greedily by size (Pisarchyk & Lee, arXiv:2001.03288); several orders are tried, the best is varied
//! while that helps, and the smallest sum is kept.

use std::ops::RangeInclusive;

/// A tensor to place.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    /// Bytes.
    pub(crate) size: u64,
    /// From the node that writes it to the last that reads it.
    pub(crate) life: RangeInclusive<usize>,
    /// Regions that must lie in other buffers.
    pub(crate) apart: Vec<usize>,
}

/// Where a region lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) buffer: usize,
    pub(crate) offset: u64,
}

/// How many other orders are tried at most, and how many pairs of regions are looked at for them.
const MOST_TRIES: usize = 300;
const MOST_STEPS: usize = 10_000_000;

/// A placement of all regions.
#[derive(Debug, Clone)]
pub(crate) struct Arena {
    pub(crate) places: Vec<Place>,
    pub(crate) buffers: Vec<u64>,
}

/// Places regions at multiples of `align`, no buffer larger than `largest`.
pub(crate) fn place(regions: &[Region], align: u64, largest: u64) -> Arena {
    let mut by_size: Vec<usize> = (0..regions.len()).collect();
    by_size.sort_by_key(|&i| std::cmp::Reverse(regions[i].size));
    let in_time: Vec<usize> = (0..regions.len()).collect();
    let mut by_life = in_time.clone();
    by_life.sort_by_key(|&i| std::cmp::Reverse(regions[i].life.end() - regions[i].life.start()));
    let mut by_area = in_time.clone();
    by_area.sort_by_key(|&i| {
        let Region { size, life, .. } = &regions[i];
        std::cmp::Reverse(size.saturating_mul((life.end() - life.start() + 1) as u64))
    });
    let place = |order: Vec<usize>| {
        let arena = place_in_order(regions, &order, align, largest);
        (arena.buffers.iter().sum::<u64>(), arena, order)
    };
    let tried = [by_size, in_time, by_life, by_area].map(place);
    let Some(mut best) = tried.into_iter().min_by_key(|(bytes, ..)| *bytes) else {
        return Arena { places: Vec::new(), buffers: Vec::new() };
    };
    let enough = peak(regions);
    let enough = enough + enough / 100;
    let n = regions.len().max(1);
    // Knuth's MMIX generator: the same layout on every run.
    let mut state = 1u64;
    let mut any = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..(MOST_STEPS / (n * n)).min(MOST_TRIES) {
        if best.0 <= enough {
            break;
        }
        let mut order = best.2.clone();
        let moved = order.remove(any());
        order.insert(any(), moved);
        let other = place(order);
        if other.0 <= best.0 {
            best = other;
        }
    }
    best.1
}

fn place_in_order(regions: &[Region], order: &[usize], align: u64, largest: u64) -> Arena {
    let mut places: Vec<Option<Place>> = vec![None; regions.len()];
    let mut buffers: Vec<u64> = Vec::new();
    for &i in order {
        let region = &regions[i];
        let mut best: Option<(u64, Place)> = None;
        for buffer in 0..=buffers.len() {
            if region.apart.iter().any(|&j| places[j].is_some_and(|p| p.buffer == buffer)) {
                continue;
            }
            let mut taken: Vec<(u64, u64)> = (0..regions.len())
                .filter_map(|j| {
                    let p = places[j]
                        .filter(|p| p.buffer == buffer && overlap(&regions[j].life, &region.life))?;
                    Some((p.offset, p.offset + regions[j].size))
                })
                .collect();
            taken.sort_unstable();
            let mut offset = 0;
            for (from, to) in taken {
                if offset + region.size <= from {
                    break;
                }
                offset = offset.max(to.next_multiple_of(align));
            }
            let have = buffers.get(buffer).copied().unwrap_or(0);
            if offset > 0 && offset + region.size > largest {
                continue;
            }
            let growth = (offset + region.size).saturating_sub(have);
            if best.is_none_or(|(g, _)| growth < g) {
                best = Some((growth, Place { buffer, offset }));
            }
        }
        // A fresh buffer always takes a region, so there is a best.
        let Some((_, place)) = best else { continue };
        if place.buffer == buffers.len() {
            buffers.push(0);
        }
        buffers[place.buffer] = buffers[place.buffer].max(place.offset + region.size);
        places[i] = Some(place);
    }
    Arena {
        places: places.into_iter().map(|p| p.unwrap_or(Place { buffer: 0, offset: 0 })).collect(),
        buffers,
    }
}

pub(crate) fn overlap(a: &RangeInclusive<usize>, b: &RangeInclusive<usize>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

/// The largest sum of sizes alive at once: no placement can be smaller.
pub(crate) fn peak(regions: &[Region]) -> u64 {
    let alive = |t: usize| regions.iter().filter(|r| r.life.contains(&t)).map(|r| r.size).sum();
    regions.iter().map(|r| alive(*r.life.start())).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_alive_overlaps_and_neighbours_lie_apart(
            list in prop::collection::vec((1u64..5000, 0usize..20, 0usize..6), 1..25),
        ) {
            let mut regions: Vec<Region> = list
                .iter()
                .map(|&(size, start, length)| Region { size, life: start..=start + length, apart: vec![] })
                .collect();
            for i in 1..regions.len() {
                if overlap(&regions[i].life, &regions[i - 1].life) {
                    regions[i].apart.push(i - 1);
                    regions[i - 1].apart.push(i);
                }
            }
            let arena = place(&regions, 256, 20_000);
            for i in 0..regions.len() {
                let (a, ra) = (arena.places[i], &regions[i]);
                prop_assert_eq!(a.offset % 256, 0);
                prop_assert!(a.offset + ra.size <= arena.buffers[a.buffer]);
                prop_assert!(arena.buffers[a.buffer] <= 20_000);
                for (j, (b, rb)) in arena.places.iter().zip(&regions).enumerate().take(i) {
                    let apart = a.buffer != b.buffer
                        || a.offset >= b.offset + rb.size
                        || b.offset >= a.offset + ra.size;
                    prop_assert!(apart || !overlap(&ra.life, &rb.life));
                    prop_assert!(!ra.apart.contains(&j) || a.buffer != b.buffer);
                }
            }
            prop_assert!(arena.buffers.iter().sum::<u64>() >= peak(&regions));
        }
    }

    #[test]
    fn a_chain_needs_two_buffers_and_no_more_than_its_peak() {
        let sizes = [64u64, 16, 32, 8, 16, 4];
        let regions: Vec<Region> = sizes
            .iter()
            .enumerate()
            .map(|(i, &s)| {
                let apart = [i.checked_sub(1), (i + 1 < sizes.len()).then_some(i + 1)];
                Region { size: s * 256, life: i..=i + 1, apart: apart.into_iter().flatten().collect() }
            })
            .collect();
        let arena = place(&regions, 256, u64::MAX);
        assert_eq!(arena.buffers.len(), 2);
        assert_eq!(arena.buffers.iter().sum::<u64>(), peak(&regions));
    }
}
