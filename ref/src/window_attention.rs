//! Attention within shifted windows.

use rayon::prelude::*;

/// Sizes and attributes; three numbers are for the axes T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct WindowAttention {
    /// Tokens along each axis.
    pub grid: [usize; 3],
    /// Those of a window.
    pub window: [usize; 3],
    /// How far the grid is rolled back before it is cut.
    pub shift: [usize; 3],
    /// The window that the table is for.
    pub table_window: [usize; 3],
    /// Heads.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// What products are multiplied by.
    pub scale: f64,
}

/// The three coordinates of an index, the last running fastest.
fn unravel(i: usize, [_, h, w]: [usize; 3]) -> [usize; 3] {
    [i / (h * w), i / w % h, i % w]
}

impl WindowAttention {
    /// A token's channels of one head of the query (part 0), key (1) or value (2) in `[N, T, H, W, 3·heads·width]`.
    pub fn channels<'a>(
        &self,
        qkv: &'a [f32],
        part: usize,
        n: usize,
        token: usize,
        head: usize,
    ) -> &'a [f32] {
        let places: usize = self.grid.iter().product();
        let at = (((n * places + token) * 3 + part) * self.heads + head) * self.width;
        &qkv[at..at + self.width]
    }

    /// The position of a token in its window, and all tokens of that window in order.
    pub fn window_of(&self, token: usize) -> (usize, Vec<usize>) {
        let at = unravel(token, self.grid);
        let roll = |axis: usize, x: usize| (x + self.grid[axis] - self.shift[axis]) % self.grid[axis];
        let back = |axis: usize, x: usize| (x + self.shift[axis]) % self.grid[axis];
        let first: [usize; 3] = std::array::from_fn(|a| roll(a, at[a]) / self.window[a] * self.window[a]);
        let count = self.window.iter().product();
        let members: Vec<usize> = (0..count)
            .map(|i| {
                let inside = unravel(i, self.window);
                let [t, h, w]: [usize; 3] = std::array::from_fn(|a| back(a, first[a] + inside[a]));
                (t * self.grid[1] + h) * self.grid[2] + w
            })
            .collect();
        (members.iter().position(|&m| m == token).unwrap_or(0), members)
    }

    /// The region of the rolled grid that a token lies in, as published: along each axis before the last window, in it
    /// before what the roll brought from the front, and that.
    pub fn region(&self, token: usize) -> [usize; 3] {
        let at = unravel(token, self.grid);
        std::array::from_fn(|a| {
            let (grid, shift) = (self.grid[a], self.shift[a]);
            let rolled = (at[a] + grid - shift) % grid;
            usize::from(rolled >= grid - self.window[a]) + usize::from(rolled >= grid - shift)
        })
    }

    /// What is added to the products of one token with those of its window; −∞ for those of another region.
    pub fn added(&self, table: Option<&[f32]>, token: usize, head: usize) -> Vec<f64> {
        let (position, members) = self.window_of(token);
        let [_, bh, bw] = self.table_window;
        let q = unravel(position, self.table_window);
        let bias = |j: usize| {
            let k = unravel(j, self.table_window);
            let d: [usize; 3] = std::array::from_fn(|a| q[a] + self.table_window[a] - 1 - k[a]);
            let row = (d[0] * (2 * bh - 1) + d[1]) * (2 * bw - 1) + d[2];
            table.map_or(0.0, |table| f64::from(table[row * self.heads + head]))
        };
        let same = |other: usize| self.region(other) == self.region(token);
        let own = |(j, &member): (usize, &usize)| if same(member) { bias(j) } else { f64::NEG_INFINITY };
        members.iter().enumerate().map(own).collect()
    }

    /// The products of one token's query with the keys of its window, scaled.
    pub fn products(&self, qkv: &[f32], n: usize, token: usize, head: usize) -> Vec<f64> {
        let q = self.channels(qkv, 0, n, token, head);
        let dot = |k: &[f32]| q.iter().zip(k).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>();
        let members = self.window_of(token).1.into_iter();
        members.map(|m| self.scale * dot(self.channels(qkv, 1, n, m, head))).collect()
    }

    /// The products with what is added to them; −∞ where that is −∞, whatever the product.
    pub fn scores(
        &self,
        qkv: &[f32],
        table: Option<&[f32]>,
        n: usize,
        token: usize,
        head: usize,
    ) -> Vec<f64> {
        let added = self.added(table, token, head);
        let sum = |(p, a): (f64, f64)| if a == f64::NEG_INFINITY { a } else { p + a };
        self.products(qkv, n, token, head).into_iter().zip(added).map(sum).collect()
    }
}

/// `[N, T, H, W, heads·width]`: every token's mean of the values of its window, weighted with the softmax of the scores.
/// A value whose score is −∞ is not looked at; where all are, the result is zero.
pub fn window_attention(qkv: &[f32], table: Option<&[f32]>, a: &WindowAttention) -> Vec<f32> {
    let places: usize = a.grid.iter().product();
    let mut out = vec![0.0; qkv.len() / 3];
    out.par_chunks_mut(a.width).enumerate().for_each(|(row, out)| {
        let (n, token, head) = (row / a.heads / places, row / a.heads % places, row % a.heads);
        let scores = a.scores(qkv, table, n, token, head);
        let members = a.window_of(token).1;
        let seen: Vec<usize> = (0..scores.len()).filter(|&j| scores[j] != f64::NEG_INFINITY).collect();
        let largest = seen.iter().fold(f64::NEG_INFINITY, |m, &j| m.max(scores[j]));
        let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
        let total: f64 = seen.iter().map(|&j| weights[j]).sum();
        for (d, out) in out.iter_mut().enumerate() {
            let value = |j: usize| f64::from(a.channels(qkv, 2, n, members[j], head)[d]);
            let sum: f64 = seen.iter().map(|&j| weights[j] * value(j)).sum();
            *out = if seen.is_empty() { 0.0 } else { (sum / total) as f32 };
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: WindowAttention = WindowAttention {
        grid: [1, 1, 4],
        window: [1, 1, 2],
        shift: [0; 3],
        table_window: [1, 1, 2],
        heads: 1,
        width: 1,
        scale: 1.0,
    };

    /// Query and key zero: equal scores give means.
    fn of(values: [f32; 4]) -> Vec<f32> {
        values.iter().flat_map(|&v| [0.0, 0.0, v]).collect()
    }

    #[test]
    fn windows_of_two() {
        let x = of([1.0, 3.0, 10.0, 20.0]);
        assert_eq!(window_attention(&x, None, &PLAIN), [2.0, 2.0, 15.0, 15.0]);
        // Rolled by one: 3 and 10 meet; 20 and 1 come together from both ends and do not see each other.
        let shifted = WindowAttention { shift: [0, 0, 1], ..PLAIN };
        assert_eq!(window_attention(&x, None, &shifted), [1.0, 6.5, 6.5, 20.0]);
    }

    #[test]
    fn a_bias_by_difference_in_place() {
        // Rows: query before the key, at it, behind it. Only the first weighs three times as much.
        let table = [3f32.ln(), 0.0, 0.0];
        let y = window_attention(&of([4.0, 8.0, 0.0, 4.0]), Some(&table), &PLAIN);
        for (y, wanted) in y.iter().zip([7.0, 6.0, 3.0, 2.0]) {
            assert!((y - wanted).abs() < 1e-5, "{y}");
        }
    }
}
