//! How a matrix product is cut into tiles of workgroup memory, the host's side of `kernels/lib/tiles.wgsl`, and into those of
//! software adapters, of `kernels/lib/matmul.wgsl`.

use rayon::prelude::*;

use crate::error::Result;
use crate::gpu::Matrices;
use crate::graph::{Dispatch, MOST_TURNS, Traits};
use crate::tensor::Tensor;

/// Products along the sum that one step of a tile makes, as the kernel has it.
const TILE_DEPTH: usize = 8;

/// The shape of a tile: `x × y` invocations, each of so many rows and vec4 columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tile {
    x: usize,
    y: usize,
    rows_each: usize,
    columns_each: usize,
    /// Thousandths of the arithmetic that the largest tile reaches: what a tile reads from memory and workgroup memory
    /// goes with its circumference, what it computes with its area.
    yield_: usize,
}

impl Tile {
    const fn new(x: usize, y: usize, rows_each: usize, columns_each: usize, yield_: usize) -> Tile {
        Tile { x, y, rows_each, columns_each, yield_ }
    }

    const fn lanes(&self) -> usize {
        self.x * self.y
    }

    const fn rows(&self) -> usize {
        self.y * self.rows_each
    }

    const fn columns(&self) -> usize {
        4 * self.x * self.columns_each
    }
}

/// From large to small. In each, invocations fetch equal shares of both sides, and the two halves of both tiles fit the
/// 16 KiB of workgroup memory that WebGPU grants.
const TILES: [Tile; Traits::TILES as usize] = [
    Tile::new(16, 16, 8, 2, 1000),
    Tile::new(8, 16, 8, 2, 950),
    Tile::new(16, 8, 8, 2, 950),
    Tile::new(16, 8, 8, 1, 800),
    Tile::new(16, 4, 8, 1, 650),
    Tile::new(8, 8, 8, 1, 650),
];

/// Products along the sum that one step of a tile of cooperative matrices makes, as the kernel has it.
const COOPERATIVE_DEPTH: usize = 32;

/// For each size of matrices and subgroups, tiles of 2 × 2 subgroups with 4 × 4, 2 × 2 or one matrix each.
const COOPERATIVE: [(Matrices, [Tile; 3]); 2] = [
    (
        Matrices { size: 16, subgroup: 32 },
        [Tile::new(16, 8, 16, 2, 1000), Tile::new(16, 8, 8, 1, 700), Tile::new(8, 16, 2, 1, 400)],
    ),
    (
        Matrices { size: 8, subgroup: 8 },
        [Tile::new(8, 4, 16, 2, 1000), Tile::new(8, 4, 8, 1, 700), Tile::new(4, 8, 2, 1, 400)],
    ),
];

/// Compute units taken for granted, each busy with 256 invocations: a graphics card's. Smaller devices lose a little by
/// tiles that are smaller, or slices that are more, than they need.
const UNITS: usize = 128;
const UNIT_LANES: usize = 256;

/// What a second dispatch costs, and reading or writing one vec4 of sums, in multiply-adds that one unit could have made.
const DISPATCH: usize = 600_000;
const MOVE: usize = 120;

/// The most slices, the least products of one, and the most vec4s of sums that wait.
const MOST_SLICES: usize = 32;
const LEAST_SLICE: usize = 128;
const MOST_WAITING: usize = 1 << 22;

/// How one product, or several alike, is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    tile: Tile,
    /// Tiles of all problems in one slice.
    tiles: usize,
    /// Into how many slices the sums are cut, to be added up by a second dispatch if there are more than one.
    pub(super) slices: usize,
    /// Products of one slice: a multiple of the tiles' depth if there are several.
    pub(super) slice_depth: usize,
    /// Sums of one slice, in vec4s.
    sums: usize,
    /// The cooperative matrices that make the tiles, if any do.
    matrices: Option<Matrices>,
}

impl Tiling {
    /// Chooses by an estimate of how long the busiest unit takes, for `problems` products of `rows × depth` by
    /// `depth × columns`; in slices only if `may_slice`. The same answer on every device, and only the slices are chosen
    /// if a `tile` is given.
    pub(super) fn choose(
        problems: usize,
        [rows, columns, depth]: [usize; 3],
        may_slice: bool,
        tile: Option<u8>,
    ) -> Tiling {
        let given = tile.and_then(|t| TILES.get(usize::from(t)));
        let tiles = given.map_or(&TILES[..], std::slice::from_ref);
        let whole =
            Tiling { tile: TILES[3], tiles: 1, slices: 1, slice_depth: depth, sums: 0, matrices: None };
        Tiling::best(tiles, problems, [rows, columns, depth], may_slice, TILE_DEPTH).unwrap_or(whole)
    }

    /// By the device's cooperative matrices where they are of use, else by [`Tiling::choose`].
    pub(super) fn of(traits: Traits, problems: usize, lengths: [usize; 3], may_slice: bool) -> Tiling {
        let cooperative =
            traits.matrices.and_then(|m| Tiling::cooperative(problems, lengths, may_slice, m, traits.tile));
        cooperative.unwrap_or_else(|| Tiling::choose(problems, lengths, may_slice, traits.tile))
    }

    /// Whether cooperative matrices make the tiles, by entry points of their own.
    pub(super) fn is_cooperative(&self) -> bool {
        self.matrices.is_some()
    }

    /// The same in tiles of cooperative matrices; none where most of the smallest tile would be empty, or for matrices that
    /// there are no tiles of.
    fn cooperative(
        problems: usize,
        lengths: [usize; 3],
        may_slice: bool,
        matrices: Matrices,
        tile: Option<u8>,
    ) -> Option<Tiling> {
        let all = COOPERATIVE.iter().find(|(m, _)| *m == matrices).map(|(_, tiles)| tiles)?;
        let tiles = tile.map_or(&all[..], |t| std::slice::from_ref(&all[usize::from(t) % all.len()]));
        let size = usize::from(matrices.size);
        let fills = lengths.iter().all(|l| *l >= size);
        let best =
            fills.then(|| Tiling::best(tiles, problems, lengths, may_slice, COOPERATIVE_DEPTH)).flatten()?;
        Some(Tiling { matrices: Some(matrices), ..best })
    }

    /// The tile and the slices, multiples of `step` long, that take the least time.
    fn best(
        candidates: &[Tile],
        problems: usize,
        [rows, columns, depth]: [usize; 3],
        may_slice: bool,
        step: usize,
    ) -> Option<Tiling> {
        let most = if may_slice { (depth / LEAST_SLICE).clamp(1, MOST_SLICES) } else { 1 };
        let mut best: Option<(u128, Tiling)> = None;
        for tile in candidates.iter().copied() {
            let tiles = problems * rows.div_ceil(tile.rows()) * columns.div_ceil(tile.columns());
            let mut wanted = 1;
            while wanted <= most {
                let slice_depth = depth.div_ceil(wanted).next_multiple_of(step);
                let slices = if wanted == 1 { 1 } else { depth.div_ceil(slice_depth) };
                let sums = problems * rows * columns.div_ceil(4);
                let tiling = Tiling {
                    tile,
                    tiles,
                    slices,
                    slice_depth: if slices == 1 { depth } else { slice_depth },
                    sums,
                    matrices: None,
                };
                wanted *= 2;
                if slices > 1 && slices * sums > MOST_WAITING {
                    break;
                }
                let cost = tiling.cost();
                // The first of equals: larger tiles, fewer slices.
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, tiling));
                }
            }
        }
        best.map(|(_, tiling)| tiling)
    }

    /// Multiply-adds of the busiest unit.
    fn cost(&self) -> u128 {
        let share = UNIT_LANES / self.tile.lanes();
        let waves = (self.tiles * self.slices).div_ceil(UNITS * share);
        // Filling the first tiles and storing the sums takes as long as some steps.
        let depth = self.slice_depth.next_multiple_of(TILE_DEPTH) + 4 * TILE_DEPTH;
        let wave = share * self.tile.rows() * self.tile.columns() * depth;
        let products = waves as u128 * wave as u128 * 1000 / self.tile.yield_ as u128;
        let moved = if self.slices == 1 { 0 } else { DISPATCH + self.sums * 2 * self.slices * MOVE / UNITS };
        products + moved as u128
    }

    /// Words of working memory that slices wait in.
    pub(super) fn scratch(&self) -> Vec<u64> {
        if self.slices == 1 { Vec::new() } else { vec![(4 * self.slices * self.sums) as u64] }
    }

    /// A dispatch of the entry point that makes tiles, or slices of them.
    pub(super) fn tiles(&self, dispatch: Dispatch) -> Dispatch {
        let number = |n: usize| format!("{n}u");
        let shaped = match self.matrices {
            Some(matrices) => self.of_matrices(dispatch, matrices),
            None => dispatch
                .tune("TILE_X", number(self.tile.x))
                .tune("TILE_Y", number(self.tile.y))
                .tune("ROWS_EACH", number(self.tile.rows_each))
                .tune("COLUMNS_EACH", number(self.tile.columns_each)),
        };
        shaped
            // Of all slices: the kernel divides depths below 2²⁰ by way of floats.
            .turns((self.slices * self.slice_depth).div_ceil(TILE_DEPTH))
            .groups((self.tiles * self.slices) as u64)
    }

    fn of_matrices(&self, dispatch: Dispatch, matrices: Matrices) -> Dispatch {
        let number = |n: usize| format!("{n}u");
        let size = matrices.size;
        let each = self.tile.rows() / 2 / usize::from(size);
        let matrix = |elem: &str, role: &str| format!("coop_mat{size}x{size}<{elem}, {role}>");
        dispatch
            .tune("Elem", "f16")
            .tune("MatrixA", matrix("f16", "A"))
            .tune("MatrixB", matrix("f16", "B"))
            .tune("MatrixC", matrix("f32", "C"))
            .tune("SIZE", number(size.into()))
            .tune("LANES", number(matrices.subgroup.into()))
            .tune("MATRICES_Y", number(each))
            .tune("MATRICES_X", number(each))
    }

    /// A dispatch of the entry point that adds slices up, 64 vec4s a workgroup.
    pub(super) fn sum(&self, dispatch: Dispatch) -> Dispatch {
        dispatch.turns(self.slices).groups(self.sums.div_ceil(64) as u64)
    }

    /// Every how many rows the next of so many lies that one invocation takes the largest of: of its own in registers, or
    /// those of one cooperative matrix.
    pub(super) fn pool_step(&self, members: usize) -> usize {
        self.matrices.map_or(self.tile.y, |m| usize::from(m.size) / members)
    }
}

/// Weights of the uniform entry points, of which a tile's columns lie together: element `k` of the sum and column `c` of a
/// group at `[group, c / width, k, c % width]`. In rows as long as all columns together those of one tile lie so far apart
/// that each is of another page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panels {
    /// How wide each is, in vec4s: as a tile of the uniform entry points, with as few columns beyond the last as can be.
    pub(super) width4: usize,
    /// How many a group has.
    each: usize,
}

impl Panels {
    /// Of groups of so many columns, for tiles of so many members as [`Uniform`] has them.
    pub(super) fn of(columns: usize, members: usize, traits: Traits) -> Panels {
        // What is loaded by each for itself costs more the more columns there are.
        let most = (if traits.subgroups { 8 } else { 4 }).min(32 / members);
        let width4 = columns.div_ceil(4).next_power_of_two().min(most);
        Panels { width4, each: columns.div_ceil(4 * width4) }
    }

    /// Of rows of groups of so many columns, which are filled up with zeros.
    pub(super) fn pack(&self, weight: &Tensor, columns: usize) -> Result<Tensor> {
        let row = weight.shape().last().copied().unwrap_or(0);
        let (groups, depth, width) = (row / columns, weight.shape().elements() / row, 4 * self.width4);
        let from = weight.f32s()?;
        let mut packed = vec![0.0; groups * self.each * depth * width];
        packed.par_chunks_mut(depth * width).enumerate().for_each(|(panel, packed)| {
            let first = panel % self.each * width;
            let some = width.min(columns - first);
            let rows = from.chunks_exact(row).zip(packed.chunks_exact_mut(width));
            rows.for_each(|(from, to)| {
                to[..some].copy_from_slice(&from[panel / self.each * columns + first..][..some]);
            });
        });
        Tensor::new(&[groups * self.each, depth, width], packed)
    }

    /// From one row of weights to the next, from one group to the next and from one panel to the next, in vec4s, of sums of
    /// so many products.
    pub(super) fn steps(&self, depth: usize) -> [usize; 3] {
        [self.width4, self.each * depth * self.width4, depth * self.width4]
    }
}

/// What the eight invocations of a workgroup of the uniform entry points make, as `kernels/lib/matmul.wgsl` and
/// `kernels/matmul.wgsl` have it.
pub(super) struct Uniform {
    /// How many products there are.
    pub(super) problems: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Every sum is of so many runs of so many products.
    pub(super) segments: usize,
    pub(super) length: usize,
    /// How many rows, every eighth, are those of which only the largest sum is stored. The rows are whole eights of them.
    pub(super) members: usize,
}

impl Uniform {
    /// Sets a dispatch's tiles, with as few rows beyond the last as can be.
    pub(super) fn tiles(&self, dispatch: Dispatch, traits: Traits) -> Dispatch {
        let &Uniform { problems, rows, columns, segments, length, members } = self;
        let columns4 = Panels::of(columns, members, traits).width4;
        let rows_each = members * eights_each(rows / members, (32 / columns4).min(8) / members);
        let turns = |step: usize| segments * (length / step + 1);
        // Sums are read and written again every turn.
        let step = [4, 3, 2, 1].into_iter().find(|s| length.is_multiple_of(*s)).unwrap_or(1);
        sharing(dispatch, traits)
            .tune("UNIFORM_ROWS", format!("{rows_each}u"))
            .tune("UNIFORM_COLUMNS4", format!("{columns4}u"))
            .tune("UNIFORM_STEP", format!("{step}u"))
            .tune("UNIFORM_LOADS", format!("{}u", (step * columns4).div_ceil(8)))
            .turns(turns(step))
            .groups((problems * rows.div_ceil(8 * rows_each) * columns.div_ceil(4 * columns4)) as u64)
    }
}

/// The most rows of an invocation, such as queries, that shares its loads with seven others.
pub(super) const MOST_SHARED: usize = 4;

/// How many rows, at most so many, each of eight invocations takes at a time for the fewest beyond the last.
pub(super) fn eights_each(rows: usize, most: usize) -> usize {
    let eights = rows.div_ceil(8);
    eights.div_ceil(eights.div_ceil(most))
}

/// How the eight invocations of a uniform entry point come to what they all need: `kernels/lib/shuffled.wgsl` or, as
/// kernels are written, `kernels/lib/apart.wgsl`.
pub(super) fn sharing(dispatch: Dispatch, traits: Traits) -> Dispatch {
    if traits.subgroups { dispatch.tune("SHARING", "shuffled") } else { dispatch }
}

/// How tiles are stored of groups of so many channels: `kernels/lib/store_four.wgsl` or, as kernels are written,
/// `kernels/lib/store_one.wgsl`.
pub(super) fn storing(dispatch: Dispatch, columns: usize) -> Dispatch {
    if columns.is_multiple_of(4) { dispatch.tune("STORING", "store_four") } else { dispatch }
}

/// The tune lines of `kernels/lib/matmul.wgsl` for segments of this length.
pub(super) fn runs(dispatch: Dispatch, length: usize) -> Dispatch {
    if length.is_multiple_of(4) {
        return dispatch;
    }
    dispatch.tune("RUN", "1u").tune("Run", "Elem").tune("WideRun", "f32")
}

// `quotient` of `kernels/lib/matmul.wgsl` holds below 2²⁰.
const _: () = assert!((MOST_TURNS + 2) * TILE_DEPTH < 1 << 20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Family, Precision};

    fn choose(problems: usize, lengths: [usize; 3], may_slice: bool) -> Tiling {
        Tiling::choose(problems, lengths, may_slice, None)
    }

    fn shape(t: Tiling) -> (usize, usize, usize) {
        (t.tile.rows(), t.tile.columns(), t.slices)
    }

    #[test]
    fn tiles_fit_what_every_device_grants() {
        for t in TILES {
            let (a, b) = (t.rows() * TILE_DEPTH / 4, t.columns() / 4 * TILE_DEPTH);
            assert!(a % t.lanes() == 0 && b % t.lanes() == 0, "{t:?}");
            assert!(2 * (a + b) * 16 <= 16 << 10, "{t:?}");
            assert!(t.lanes() <= 256 && UNIT_LANES.is_multiple_of(t.lanes()), "{t:?}");
        }
    }

    #[test]
    fn tiles_of_matrices_are_those_of_their_subgroups() {
        for (m, tiles) in COOPERATIVE {
            let (size, lanes) = (usize::from(m.size), 4 * usize::from(m.subgroup));
            for (t, each) in tiles.into_iter().zip([4, 2, 1]) {
                assert_eq!(
                    (t.rows(), t.columns(), t.lanes()),
                    (2 * size * each, 2 * size * each, lanes),
                    "{t:?}"
                );
                let parts = [t.rows() * COOPERATIVE_DEPTH / 4, t.columns() / 4 * COOPERATIVE_DEPTH];
                assert!(parts.iter().all(|p| p.is_multiple_of(lanes)), "{t:?}");
            }
        }
        let m = Matrices { size: 16, subgroup: 32 };
        let shape = |lengths| Tiling::cooperative(1, lengths, true, m, None).map(shape);
        assert_eq!(shape([4096, 4096, 4096]), Some((128, 128, 1)));
        assert!(shape([98, 512, 13824]).is_some_and(|(_, _, slices)| slices > 1));
        assert_eq!(shape([4096, 4096, 8]), None);
    }

    #[test]
    fn large_products_take_large_tiles_and_small_ones_slices() {
        let of = |rows, columns, depth| shape(choose(1, [rows, columns, depth], true));
        assert_eq!(of(4096, 4096, 4096), (128, 128, 1));
        // C3D's first and last convolutions.
        assert_eq!(of(16 * 112 * 112, 64, 81).1, 64);
        let (_, _, slices) = of(2 * 7 * 7, 512, 13824);
        assert!(slices >= 8, "{slices}");
        assert_eq!(shape(choose(1, [98, 512, 13824], false)).2, 1);
    }

    #[test]
    fn a_given_tile_is_taken() {
        for (i, tile) in TILES.iter().enumerate() {
            let t = Tiling::choose(1, [98, 512, 13824], true, Some(i as u8));
            assert_eq!(t.tile, *tile);
        }
        // A cache of another version may name what is not there.
        assert_eq!(Tiling::choose(1, [98, 512, 99], true, Some(200)), choose(1, [98, 512, 99], true));
    }

    /// The named cases of `linear` and `conv3d` that are there for this.
    #[test]
    fn cases_reach_every_shape() {
        let of = |rows, columns, depth| shape(choose(1, [rows, columns, depth], true));
        assert_eq!(of(1025, 1025, 12), (128, 128, 1));
        assert_eq!(of(4 * 64 * 65, 60, 6), (128, 64, 1));
        assert_eq!(of(60, 16_390, 4), (64, 128, 1));
        assert_eq!(of(70, 36, 1000), (64, 64, 4));
        assert_eq!(of(20, 17_000, 4), (32, 64, 1));
        assert_eq!(of(17_000, 20, 4), (64, 32, 1));
    }

    #[test]
    fn panels_hold_every_weight_once() {
        let traits = Traits { subgroups: true, ..Traits::new(Family::Uniform, Precision::F32) };
        for (groups, columns, depth, width) in [(1, 40, 3, 32), (3, 6, 5, 8), (2, 64, 1, 32), (1, 1, 7, 4)] {
            let panels = Panels::of(columns, 1, traits);
            let weight = Tensor::from_fn(&[depth, groups * columns], |i| 1.0 + i as f32).unwrap();
            let packed = panels.pack(&weight, columns).unwrap();
            let [row, group, panel] = panels.steps(depth).map(|s| 4 * s);
            assert_eq!(row, width);
            let packed = packed.f32s().unwrap();
            assert_eq!(packed.len(), groups * group);
            assert_eq!(packed.iter().filter(|w| **w != 0.0).count(), depth * groups * columns);
            for (i, w) in weight.f32s().unwrap().iter().enumerate() {
                let (k, g, c) = (i / columns / groups, i / columns % groups, i % columns);
                assert_eq!(packed[g * group + c / width * panel + k * row + c % width], *w);
            }
        }
    }

    #[test]
    fn slices_cover_the_depth() {
        for depth in [1, 7, 128, 129, 1000, 1027, 13824, 479_999] {
            for rows in [1, 33, 98, 5000] {
                let t = choose(2, [rows, 96, depth], true);
                assert!(t.slices * t.slice_depth >= depth && (t.slices - 1) * t.slice_depth < depth, "{t:?}");
                assert!(t.slices == 1 || t.slice_depth.is_multiple_of(TILE_DEPTH), "{t:?}");
                assert_eq!(t.scratch().is_empty(), t.slices == 1);
            }
        }
    }
}
