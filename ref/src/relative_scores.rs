//! Products of queries with embeddings of relative positions.

/// Sizes; three numbers are for the axes T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct RelativeScores {
    /// Queries of one batch element.
    pub queries: usize,
    /// Heads.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// The grid that the last queries fill.
    pub query_grid: [usize; 3],
    /// The grid of the keys.
    pub key_grid: [usize; 3],
}

/// A table's row for one distance of `wanted`, interpolated as `torch.nn.functional.interpolate(mode="linear")` does.
fn resampled(table: &[f32], width: usize, distance: usize, wanted: usize) -> Vec<f64> {
    let rows = table.len() / width;
    let row = |r: usize| table[r * width..][..width].iter().map(|&x| f64::from(x));
    if rows == wanted {
        return row(distance).collect();
    }
    let at = ((distance as f64 + 0.5) * rows as f64 / wanted as f64 - 0.5).max(0.0);
    let (low, share) = (at.floor() as usize, at.fract());
    if share == 0.0 {
        return row(low).collect();
    }
    row(low).zip(row((low + 1).min(rows - 1))).map(|(x, y)| (1.0 - share) * x + share * y).collect()
}

/// `[N, queries, heads, kT + kH + kW]` of `q` `[N, queries, heads·width]` and a table `[rows, width]` for each axis.
pub fn relative_scores(q: &[f32], tables: [&[f32]; 3], a: &RelativeScores) -> Vec<f32> {
    let [_, h, w] = a.query_grid;
    let before = a.queries - a.query_grid.iter().product::<usize>();
    let mut out = Vec::new();
    for (i, q) in q.chunks(a.width).enumerate() {
        let token = i / a.heads % a.queries;
        for axis in 0..3 {
            let (queries, keys) = (a.query_grid[axis], a.key_grid[axis]);
            let most = queries.max(keys);
            for b in 0..keys {
                let Some(token) = token.checked_sub(before) else {
                    out.push(0.0);
                    continue;
                };
                let own = [token / (h * w), token / w % h, token % w][axis];
                let distance = own * most / queries + (keys - 1 - b) * most / keys;
                let r = resampled(tables[axis], a.width, distance, 2 * most - 1);
                out.push(q.iter().zip(r).map(|(q, r)| f64::from(*q) * r).sum::<f64>() as f32);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_on_one_axis() {
        // A token before two queries along W, and four keys: a query's step is two of the keys'.
        let a = RelativeScores { queries: 3, heads: 1, width: 1, query_grid: [1, 1, 2], key_grid: [1, 1, 4] };
        let table: Vec<f32> = (0..7).map(|i| i as f32).collect();
        let y = relative_scores(&[1.0; 3], [&[10.0], &[20.0], &table], &a);
        assert_eq!(y[..6], [0.0; 6]);
        assert_eq!(y[6..], [10.0, 20.0, 3.0, 2.0, 1.0, 0.0, 10.0, 20.0, 5.0, 4.0, 3.0, 2.0]);
    }

    #[test]
    fn a_short_table_is_resampled() {
        assert_eq!(resampled(&[0.0, 4.0], 1, 0, 4), [0.0]);
        assert_eq!(resampled(&[0.0, 4.0], 1, 1, 4), [1.0]);
        assert_eq!(resampled(&[0.0, 4.0], 1, 2, 4), [3.0]);
        assert_eq!(resampled(&[0.0, 4.0], 1, 3, 4), [4.0]);
    }
}
