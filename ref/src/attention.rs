//! Scaled-dot-product attention.

use rayon::prelude::*;

/// Which tokens attend to each other, of a token axis that is frames of places.
#[derive(Debug, Clone, Copy)]
pub enum Over {
    /// All.
    All,
    /// Those of the same frame; the number is of places in a frame.
    Space(usize),
    /// Those at the same place; the number is of places in a frame.
    Time(usize),
}

/// Sizes and attributes.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Tokens of the query in one batch element.
    pub queries: usize,
    /// Tokens of key and value in one batch element.
    pub keys: usize,
    /// Heads.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// Whether all three are `[N, tokens, 3·C]`, one after the other along the last axis.
    pub fused: bool,
    /// What products are multiplied by.
    pub scale: f64,
    /// Whether a key behind the query's position is masked.
    pub causal: bool,
    /// Who attends to whom.
    pub over: Over,
    /// How far, in positions, a query sees to both sides, if not everywhere; and how many of the first queries and
    /// keys see and are seen by all none the less.
    pub window: Option<(usize, usize)>,
    /// The grid `[T, H, W]` that the last keys fill, if the bias is one of its axes.
    pub grid: Option<[usize; 3]>,
}

/// Query, key or value.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// The query.
    Query,
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Attention {
    /// A token's channels of one head.
    pub fn channels<'a>(&self, x: &'a [f32], part: Part, n: usize, token: usize, head: usize) -> &'a [f32] {
        let tokens = if matches!(part, Part::Query) { self.queries } else { self.keys };
        let all = self.heads * self.width;
        let (row, offset) = if self.fused { (3 * all, part as usize * all) } else { (all, 0) };
        let at = (n * tokens + token) * row + offset + head * self.width;
        &x[at..at + self.width]
    }

    /// A query token's position in its sequence, and the tokens of the keys of that sequence.
    pub fn sequence(&self, token: usize) -> (usize, Vec<usize>) {
        match self.over {
            Over::All => (token, (0..self.keys).collect()),
            Over::Space(places) => {
                let first = token / places * places;
                (token - first, (first..first + places).collect())
            }
            Over::Time(places) => (token / places, (token % places..self.keys).step_by(places).collect()),
        }
    }

    /// Whether a query at one position looks at a key at another.
    fn sees(&self, query: usize, key: usize) -> bool {
        let near = match self.window {
            Some((reach, everyone)) => query.abs_diff(key) <= reach || query < everyone || key < everyone,
            None => true,
        };
        near && !(self.causal && key > query)
    }

    /// What is added to the products of one query with the keys of its sequence; −∞ where it does not see them.
    ///
    /// The bias is `[queries, keys]` of a sequence, and may have an axis of heads before that, and one of batch elements
    /// before that. With a grid it is `[N, queries, heads, T + H + W]`: a key of the grid gets the sum of the three
    /// that stand for its place on each axis.
    pub fn added(
        &self,
        bias: Option<&[f32]>,
        n: usize,
        position: usize,
        keys: usize,
        head: usize,
    ) -> Vec<f64> {
        let plain = |j: usize| self.of_mask(bias, [n, head], position, keys, j);
        let of_grid = |j: usize, grid: [usize; 3]| self.of_grid(bias, [n, head], position, j, grid);
        let own = |j: usize| self.grid.map_or_else(|| plain(j), |grid| of_grid(j, grid));
        (0..keys).map(|j| if self.sees(position, j) { own(j) } else { f64::NEG_INFINITY }).collect()
    }

    fn of_mask(
        &self,
        mask: Option<&[f32]>,
        [n, head]: [usize; 2],
        position: usize,
        keys: usize,
        j: usize,
    ) -> f64 {
        let queries = match self.over {
            Over::All => self.queries,
            _ => keys,
        };
        let plane = queries * keys;
        let planes = mask.map_or(1, |m| m.len() / plane);
        let row = ((n * self.heads + head) % planes * queries + position) * keys;
        mask.map_or(0.0, |m| f64::from(m[row + j]))
    }

    fn of_grid(
        &self,
        bias: Option<&[f32]>,
        [n, head]: [usize; 2],
        position: usize,
        j: usize,
        [t, h, w]: [usize; 3],
    ) -> f64 {
        let (Some(bias), Some(place)) = (bias, (j + t * h * w).checked_sub(self.keys)) else { return 0.0 };
        let row = &bias[((n * self.queries + position) * self.heads + head) * (t + h + w)..];
        let of = [place / (h * w), t + place / w % h, t + h + place % w];
        of.iter().map(|&i| f64::from(row[i])).sum()
    }

    /// The products of one query with the keys of its sequence, scaled.
    pub fn products(&self, q: &[f32], k: &[f32], n: usize, token: usize, head: usize) -> Vec<f64> {
        let q = self.channels(q, Part::Query, n, token, head);
        let dot = |k: &[f32]| q.iter().zip(k).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>();
        let keys = self.sequence(token).1.into_iter();
        keys.map(|j| self.scale * dot(self.channels(k, Part::Key, n, j, head))).collect()
    }

    /// The products with what is added to them; −∞ where that is −∞, whatever the product.
    pub fn scores(&self, inputs: [&[f32]; 2], mask: Option<&[f32]>, at: [usize; 3]) -> Vec<f64> {
        let [n, token, head] = at;
        let products = self.products(inputs[0], inputs[1], n, token, head);
        let added = self.added(mask, n, self.sequence(token).0, products.len(), head);
        let sum = |(p, a): (f64, f64)| if a == f64::NEG_INFINITY { a } else { p + a };
        products.into_iter().zip(added).map(sum).collect()
    }
}

/// The weights of a row of scores, their softmax: zeros where all are −∞, NaN where one is NaN or +∞.
pub fn weights(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().fold(f64::NEG_INFINITY, |m, &s| if m.is_nan() || m > s { m } else { s });
    if largest == f64::NEG_INFINITY {
        return vec![0.0; scores.len()];
    }
    let sum: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
    scores.iter().map(|s| (s - largest).exp() / sum).collect()
}

/// Every query's mean of the values, weighted with [`weights`]; `[N, queries, heads·width]`. A value whose score is
/// −∞ is not looked at.
pub fn attention(q: &[f32], k: &[f32], v: &[f32], mask: Option<&[f32]>, a: &Attention) -> Vec<f32> {
    let all = a.heads * a.width;
    let batch = q.len() / (a.queries * all * if a.fused { 3 } else { 1 });
    let mut out = vec![0.0; batch * a.queries * all];
    out.par_chunks_mut(a.width).enumerate().for_each(|(row, out)| {
        let (n, token, head) = (row / a.heads / a.queries, row / a.heads % a.queries, row % a.heads);
        let scores = a.scores([q, k], mask, [n, token, head]);
        let weights = weights(&scores);
        let mut sums = vec![0f64; a.width];
        for (j, key) in a.sequence(token).1.into_iter().enumerate() {
            if scores[j] == f64::NEG_INFINITY && !weights[j].is_nan() {
                continue;
            }
            for (s, v) in sums.iter_mut().zip(a.channels(v, Part::Value, n, key, head)) {
                *s += weights[j] * f64::from(*v);
            }
        }
        for (o, s) in out.iter_mut().zip(sums) {
            *o = s as f32;
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Attention = Attention {
        queries: 1,
        keys: 2,
        heads: 1,
        width: 1,
        fused: false,
        scale: 1.0,
        causal: false,
        over: Over::All,
        window: None,
        grid: None,
    };

    #[test]
    fn one_query_and_two_keys() {
        let ln2 = std::f32::consts::LN_2;
        // Scores 0 and ln 2: weights 1/3 and 2/3.
        let y = attention(&[ln2], &[0.0, 1.0], &[3.0, 6.0], None, &PLAIN);
        assert!((y[0] - 5.0).abs() < 1e-6, "{y:?}");
        let y = attention(&[ln2], &[0.0, 1.0], &[3.0, 6.0], Some(&[ln2, 0.0]), &PLAIN);
        assert!((y[0] - 4.5).abs() < 1e-6, "{y:?}");
    }

    #[test]
    fn masked_keys_are_not_looked_at() {
        let low = f32::NEG_INFINITY;
        let y = attention(&[1.0], &[0.0, f32::NAN], &[3.0, f32::NAN], Some(&[0.0, low]), &PLAIN);
        assert_eq!(y, [3.0]);
        assert_eq!(attention(&[1.0], &[0.0, 1.0], &[3.0, 6.0], Some(&[low, low]), &PLAIN), [0.0]);
        assert!(attention(&[1.0], &[0.0, f32::INFINITY], &[3.0, 6.0], None, &PLAIN)[0].is_nan());
        let causal = Attention { queries: 2, causal: true, ..PLAIN };
        let y = attention(&[0.0, 0.0], &[1.0, 1.0], &[2.0, 4.0], None, &causal);
        assert_eq!(y, [2.0, 3.0]);
    }

    #[test]
    fn frames_and_places() {
        // Two frames of three places; equal scores give means.
        let v = [1.0, 2.0, 3.0, 11.0, 12.0, 13.0];
        let zeros = [0.0; 6];
        let a = Attention { queries: 6, keys: 6, over: Over::Space(3), ..PLAIN };
        assert_eq!(attention(&zeros, &zeros, &v, None, &a), [2.0, 2.0, 2.0, 12.0, 12.0, 12.0]);
        let a = Attention { over: Over::Time(3), ..a };
        assert_eq!(attention(&zeros, &zeros, &v, None, &a), [6.0, 7.0, 8.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn a_window_and_one_for_everyone() {
        // Equal scores give means. Query 0 and key 0 see and are seen by all.
        let v = [1.0, 10.0, 100.0, 1000.0];
        let a = Attention { queries: 4, keys: 4, window: Some((0, 1)), ..PLAIN };
        assert_eq!(attention(&[0.0; 4], &[0.0; 4], &v, None, &a), [277.75, 5.5, 50.5, 500.5]);
    }

    #[test]
    fn a_bias_of_the_axes_of_a_grid() {
        // A key before a grid of 1 × 1 × 2; the bias adds ln 2 to what lies at w = 1.
        let bias = [0.0, 0.0, 0.0, std::f32::consts::LN_2];
        let a = Attention { keys: 3, grid: Some([1, 1, 2]), ..PLAIN };
        let y = attention(&[0.0], &[0.0; 3], &[4.0, 8.0, 2.0], Some(&bias), &a);
        assert!((y[0] - 4.0).abs() < 1e-6, "{y:?}");
    }

    #[test]
    fn a_fused_buffer() {
        let a = Attention { queries: 2, heads: 2, fused: true, ..PLAIN };
        // Per token: query 0 0, key 0 0, value of head 0 and of head 1.
        let x = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 8.0];
        assert_eq!(attention(&x, &x, &x, None, &a), [2.0, 5.0, 2.0, 5.0]);
    }
}
