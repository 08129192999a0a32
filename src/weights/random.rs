//! Weights by chance: the same for the same seed, name and shape, on every machine and in any order.

use rayon::prelude::*;

use crate::error::Result;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Elements one task fills.
const CHUNK: usize = 1 << 16;

/// A weight scaled as its name and shape ask for, so that activations neither vanish nor explode: He's scale
/// for the weights of layers, values about 1 for those of norms, positive variances, small everything else.
pub(super) fn tensor(seed: u64, name: &str, shape: &Shape) -> Result<Tensor> {
    let key = key(seed, name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let fan_in: usize = shape.iter().skip(1).product();
    let (centre, spread) = match last {
        "running_var" => {
            return fill(shape, move |i| 0.5 + (bits(key, i) >> 40) as f32 / (1u64 << 24) as f32);
        }
        "running_mean" => (0.0, 0.1),
        "weight" | "gamma" if shape.rank() <= 1 => (1.0, 0.1),
        _ if shape.rank() <= 1 => (0.0, 0.05),
        _ => (0.0, (2.0 / fan_in as f32).sqrt()),
    };
    fill(shape, move |i| centre + spread * normal(key, i))
}

fn fill(shape: &Shape, value: impl Fn(u64) -> f32 + Sync) -> Result<Tensor> {
    let mut data = vec![0.0; shape.elements()];
    data.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
        let start = (chunk * CHUNK) as u64;
        out.iter_mut().zip(start..).for_each(|(x, i)| *x = value(i));
    });
    Tensor::new(shape, data)
}

/// Nearly normal, of mean 0 and deviation 1: the sum of four uniform 16-bit numbers. Being integers, they
/// give the same bits everywhere, which logarithms and cosines do not.
fn normal(key: u64, i: u64) -> f32 {
    const MEAN: i32 = 2 * 65_535;
    const DEVIATION: f32 = 37_837.227; // √(4·(65536² − 1)/12)
    let bits = bits(key, i);
    let sum: i32 = [0, 16, 32, 48].iter().map(|shift| ((bits >> shift) & 0xffff) as i32).sum();
    (sum - MEAN) as f32 / DEVIATION
}

/// SplitMix64 (Steele, Lea and Flood 2014) at position `i` of the sequence `key`.
fn bits(key: u64, i: u64) -> u64 {
    let mut z = key.wrapping_add(i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence for each seed and name: FNV-1a, mixed.
fn key(seed: u64, name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    bits(hash, bits(seed, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(seed: u64, name: &str, shape: &[usize]) -> Vec<f32> {
        tensor(seed, name, &Shape::new(shape).unwrap()).unwrap().f32s().unwrap().to_vec()
    }

    fn moments(v: &[f32]) -> (f64, f64) {
        let n = v.len() as f64;
        let mean = v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        (mean, (v.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn values_depend_on_seed_and_name_only() {
        let a = make(1, "conv1.weight", &[64, 48]);
        assert_eq!(a, make(1, "conv1.weight", &[64, 48]));
        assert_ne!(a, make(2, "conv1.weight", &[64, 48]));
        assert_ne!(a, make(1, "conv2.weight", &[64, 48]));
        let (x, y) = (make(0, "a.weight", &[4, 4]), make(0, "a.weight", &[4, 4, 1]));
        assert_eq!(x, y);
    }

    #[test]
    fn scales_are_those_of_the_role() {
        let (mean, deviation) = moments(&make(7, "conv1.weight", &[256, 32, 3, 3, 3]));
        let he = (2.0f64 / (32 * 27) as f64).sqrt();
        assert!(mean.abs() < he / 100.0 && (deviation / he - 1.0).abs() < 0.01, "{mean} {deviation} {he}");
        let (mean, deviation) = moments(&make(7, "bn.weight", &[1 << 16]));
        assert!((mean - 1.0).abs() < 0.01 && (deviation - 0.1).abs() < 0.01);
        assert!(make(7, "bn.running_var", &[1 << 16]).iter().all(|&x| (0.5..=1.5).contains(&x)));
        assert!(make(7, "fc.bias", &[1 << 16]).iter().all(|&x| x.abs() < 0.2));
    }

    #[test]
    fn known_bits_never_change() {
        let bits: Vec<u32> = make(42, "conv1.weight", &[2, 2]).iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, [3204459956, 1062763187, 1068590466, 3213029252]);
    }
}
