//! Where intermediate tensors lie: offsets in a few buffers, by lifetime.
//!
//! wgpu tracks whole buffers: one dispatch may not read one range of a buffer and write another. So regions
//! are coloured, one buffer a colour, such that what a node writes never shares a buffer with what it reads.
//! Offsets are chosen greedily by size (Pisarchyk & Lee, arXiv:2001.03288); several orders are tried, the best is varied at
//! random for a fraction of a second, and the smallest sum is kept.

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

/// How many pairs of regions are looked at before the best order so far counts: for each region, and at most. The latter is
/// some tenths of a second.
const STEPS_EACH: u64 = 20_000;
const MOST_STEPS: u64 = 6_000_000;

/// Other orders are tried of regions of at least this part of what is alive at most: the others hardly matter.
const HEAVY: u64 = 64;

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
    let mut search = Search::new(regions, align, largest);
    let mut best: Option<(u64, Vec<usize>)> = None;
    for order in [by_size, in_time, by_life, by_area] {
        if let Some(bytes) =
            search.bytes(&order, best.as_ref().map_or(u64::MAX, |(least, _)| least.saturating_sub(1)))
        {
            best = Some((bytes, order));
        }
    }
    let Some(mut best) = best else {
        return Arena { places: vec![Place { buffer: 0, offset: 0 }; regions.len()], buffers: Vec::new() };
    };
    let peak = peak(regions);
    let heavy: Vec<usize> = (0..regions.len()).filter(|&i| regions[i].size > peak / HEAVY).collect();
    // Knuth's MMIX generator: the same layout on every run.
    let mut state = 1u64;
    let mut any = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut now = best.clone();
    let steps = MOST_STEPS.min(STEPS_EACH * regions.len() as u64);
    while best.0 > peak + peak / 100 && search.steps < steps && heavy.len() > 1 {
        let mut order = now.1.clone();
        for _ in 0..=any(3) {
            let [moved, before] = [heavy[any(heavy.len())], heavy[any(heavy.len())]];
            order.retain(|&i| i != moved);
            let at = order.iter().position(|&i| i == before).unwrap_or(0);
            order.insert(at, moved);
        }
        // A little worse is accepted at times, and given up when it leads nowhere.
        let most = now.0 + if any(8) == 0 { peak / 25 } else { 0 };
        if let Some(bytes) = search.bytes(&order, most) {
            now = (bytes, order);
        }
        if now.0 < best.0 {
            best = now.clone();
        } else if any(200) == 0 {
            now = best.clone();
        }
    }
    search.bytes(&best.1, u64::MAX);
    let places = search.places.iter().map(|p| p.unwrap_or(Place { buffer: 0, offset: 0 })).collect();
    Arena { places, buffers: search.buffers }
}

/// Places regions in one order after another.
struct Search<'a> {
    regions: &'a [Region],
    align: u64,
    largest: u64,
    /// Which regions are alive together with each.
    beside: Vec<Vec<usize>>,
    places: Vec<Option<Place>>,
    buffers: Vec<u64>,
    steps: u64,
}

impl<'a> Search<'a> {
    fn new(regions: &'a [Region], align: u64, largest: u64) -> Self {
        let beside = |i: usize| {
            let others = (0..regions.len()).filter(|&j| j != i && regions[j].size > 0);
            others.filter(|&j| overlap(&regions[i].life, &regions[j].life)).collect()
        };
        Search {
            regions,
            align,
            largest,
            beside: (0..regions.len()).map(beside).collect(),
            places: Vec::new(),
            buffers: Vec::new(),
            steps: 0,
        }
    }

    /// The bytes of all buffers with regions placed in this order, unless they are more than `most`.
    fn bytes(&mut self, order: &[usize], most: u64) -> Option<u64> {
        let Search { regions, align, largest, beside, places, buffers, steps } = self;
        places.clear();
        places.resize(regions.len(), None);
        buffers.clear();
        let mut total = 0;
        let mut taken: Vec<(usize, u64, u64)> = Vec::new();
        for &i in order.iter().filter(|&&i| regions[i].size > 0) {
            let region = &regions[i];
            taken.clear();
            taken.extend(
                beside[i].iter().filter_map(|&j| {
                    places[j].map(|p: Place| (p.buffer, p.offset, p.offset + regions[j].size))
                }),
            );
            taken.sort_unstable();
            *steps += beside[i].len() as u64 + 1;
            let mut best: Option<(u64, Place)> = None;
            for buffer in 0..=buffers.len() {
                if region.apart.iter().any(|&j| places[j].is_some_and(|p| p.buffer == buffer)) {
                    continue;
                }
                let mut offset = 0;
                for &(_, from, to) in taken.iter().filter(|(own, ..)| *own == buffer) {
                    if offset + region.size <= from {
                        break;
                    }
                    offset = offset.max(to.next_multiple_of(*align));
                }
                let have = buffers.get(buffer).copied().unwrap_or(0);
                if offset > 0 && offset + region.size > *largest {
                    continue;
                }
                let growth = (offset + region.size).saturating_sub(have);
                if best.is_none_or(|(least, _)| growth < least) {
                    best = Some((growth, Place { buffer, offset }));
                }
            }
            // A fresh buffer always takes a region, so there is a best.
            let (growth, place) = best?;
            if place.buffer == buffers.len() {
                buffers.push(0);
            }
            buffers[place.buffer] += growth;
            places[i] = Some(place);
            total += growth;
            if total > most {
                return None;
            }
        }
        Some(total)
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
