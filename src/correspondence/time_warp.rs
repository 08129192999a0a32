//! Which moments of two clips belong together, one by one: nearest neighbours and dynamic time warping.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The distances `[T, S]` between the frames of two clips with embeddings `first` `[T, C]` and `second` `[S, C]`: the roots
/// of the sums of squared differences.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the embeddings have not the same channels, or there are none.
pub fn distances(first: &Tensor, second: &Tensor) -> Result<Tensor> {
    let [t, channels] = first.shape().dims("the first clip's embeddings", "[T, C]")?;
    let [s, others] = second.shape().dims("the second clip's embeddings", "[S, C]")?;
    if channels != others || channels == 0 {
        let text = format!("the clips' embeddings have {channels} and {others} channels");
        return Err(Error::bad_input(text));
    }
    let (a, b) = (first.f32s()?, second.f32s()?);
    let squares = |u: &[f32], v: &[f32]| u.iter().zip(v).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
    let rows = a.chunks_exact(channels);
    let all = rows.flat_map(|u| b.chunks_exact(channels).map(|v| squares(u, v).sqrt() as f32));
    Tensor::new(&[t, s], all.collect::<Vec<f32>>())
}

/// The nearest frame of the second clip for each of the first, by their distances `[T, S]`; of several as near, the first.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when a clip has no frames.
pub fn nearest_frames(distances: &Tensor) -> Result<Vec<usize>> {
    let [_, s] = frames(distances)?;
    let rows = distances.f32s()?.chunks_exact(s);
    let nearest = |row: &[f32]| (0..s).min_by(|&i, &j| row[i].total_cmp(&row[j])).unwrap_or(0);
    Ok(rows.map(nearest).collect())
}

/// The path through the distances `[T, S]`, from the first frames of both clips to their last ones, whose sum is least: one
/// step goes to the next frame of either clip or of both.
///
/// ```
/// # use kinetograph::{Tensor, correspondence::time_warp};
/// let distances = Tensor::new(&[3, 2], vec![0.0, 9.0, 1.0, 7.0, 9.0, 0.0])?;
/// assert_eq!(time_warp(&distances)?, [(0, 0), (1, 0), (2, 1)]);
/// # Ok::<(), kinetograph::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when a clip has no frames.
pub fn time_warp(distances: &Tensor) -> Result<Vec<(usize, usize)>> {
    let [t, s] = frames(distances)?;
    let costs = distances.f32s()?;
    let mut sums = vec![f64::INFINITY; t * s];
    for i in 0..t {
        for j in 0..s {
            let before = steps(i, j).map(|(i, j)| sums[i * s + j]).fold(f64::INFINITY, f64::min);
            sums[i * s + j] = f64::from(costs[i * s + j]) + if i + j == 0 { 0.0 } else { before };
        }
    }
    let (mut i, mut j) = (t - 1, s - 1);
    let mut path = vec![(i, j)];
    while let Some(step) = steps(i, j).min_by(|a, b| sums[a.0 * s + a.1].total_cmp(&sums[b.0 * s + b.1])) {
        (i, j) = step;
        path.push(step);
    }
    path.reverse();
    Ok(path)
}

/// Where a step to this place can come from, both clips' frames first.
fn steps(i: usize, j: usize) -> impl Iterator<Item = (usize, usize)> {
    let both = (i > 0 && j > 0).then(|| (i - 1, j - 1));
    let one = (i > 0).then(|| (i - 1, j));
    let other = (j > 0).then(|| (i, j - 1));
    [both, one, other].into_iter().flatten()
}

fn frames(distances: &Tensor) -> Result<[usize; 2]> {
    let [t, s] = distances.shape().dims("the distances", "[T, S]")?;
    if t * s == 0 {
        return Err(Error::bad_input("a clip without frames"));
    }
    Ok([t, s])
}

/// Kendall's tau of frames matched in turn: 1 where all keep their order, −1 where all lie the other way round; equal ones
/// count as neither. `None` for fewer than two.
///
/// ```
/// # use kinetograph::correspondence::kendalls_tau;
/// assert_eq!(kendalls_tau(&[0, 2, 5]), Some(1.0));
/// assert_eq!(kendalls_tau(&[1, 1, 0]), Some(-2.0 / 3.0));
/// ```
pub fn kendalls_tau(matched: &[usize]) -> Option<f64> {
    let pairs = matched.len() * matched.len().saturating_sub(1) / 2;
    let mut order = 0_i64;
    for (i, a) in matched.iter().enumerate() {
        order += matched[i + 1..].iter().map(|b| b.cmp(a) as i64).sum::<i64>();
    }
    (pairs > 0).then(|| order as f64 / pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    /// The least sum of all paths, tried one by one.
    fn least(costs: &[f32], s: usize, i: usize, j: usize) -> f64 {
        let before = steps(i, j).map(|(i, j)| least(costs, s, i, j)).fold(f64::INFINITY, f64::min);
        f64::from(costs[i * s + j]) + if i + j == 0 { 0.0 } else { before }
    }

    #[test]
    fn no_path_is_shorter() {
        for seed in 0..8 {
            let (t, s) = (2 + seed % 4, 2 + seed / 2);
            let distances = Generator::new(seed as u64).uniform(&[t, s]).unwrap();
            let (costs, path) = (distances.f32s().unwrap(), time_warp(&distances).unwrap());
            assert_eq!((path[0], path[path.len() - 1]), ((0, 0), (t - 1, s - 1)));
            assert!(path.windows(2).all(|p| steps(p[1].0, p[1].1).any(|from| from == p[0])));
            let sum: f64 = path.iter().map(|(i, j)| f64::from(costs[i * s + j])).sum();
            approx::assert_relative_eq!(sum, least(costs, s, t - 1, s - 1), max_relative = 1e-9);
        }
    }

    #[test]
    fn embeddings_far_and_near() {
        let first = Tensor::new(&[2, 2], vec![0.0, 0.0, 3.0, 4.0]).unwrap();
        let second = Tensor::new(&[3, 2], vec![3.0, 4.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        let all = distances(&first, &second).unwrap();
        assert_eq!(all.f32s().unwrap()[..3], [5.0, 1.0, 1.0]);
        assert_eq!(nearest_frames(&all).unwrap(), [1, 0]);
        let e = distances(&first, &Tensor::new(&[1, 3], vec![0.0; 3]).unwrap()).unwrap_err();
        assert!(e.to_string().contains("have 2 and 3 channels"), "{e}");
    }

    #[test]
    fn order() {
        assert_eq!(kendalls_tau(&[3, 2, 1, 0]), Some(-1.0));
        assert_eq!(kendalls_tau(&[4]), None);
    }
}
