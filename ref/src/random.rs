//! Random numbers: Philox 4x32-10, and what is made of its words.

use std::f64::consts::TAU;

/// The four words of a counter and a key (Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3).
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = 0xd251_1f53 * u64::from(counter[0]);
        let b = 0xcd9e_8d57 * u64::from(counter[2]);
        let (a_high, b_high) = ((a >> 32) as u32, (b >> 32) as u32);
        counter = [b_high ^ counter[1] ^ key[0], b as u32, a_high ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

/// The first `count` words of a seed: four of each counter from `offset` on.
pub fn words(seed: u64, offset: u64, count: usize) -> Vec<u32> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut out = Vec::new();
    let mut counter = offset;
    while out.len() < count {
        out.extend(philox([counter as u32, (counter >> 32) as u32, 0, 0], key));
        counter = counter.wrapping_add(1);
    }
    out.truncate(count);
    out
}

/// From 0 to 1, without 1: the 24 low bits.
pub fn uniform(word: u32) -> f32 {
    f64::from(word & 0xff_ffff) as f32 / 16_777_216.0
}

/// Two normal numbers (Box & Muller 1958): a radius of the 24 leading bits of one word, as a fraction of 2³², and an
/// angle of the 26 high bits of the other.
pub fn normals([a, b]: [u32; 2]) -> [f64; 2] {
    let a = a.max(1);
    let dropped = 8u32.saturating_sub(a.leading_zeros());
    let u = f64::from(a >> dropped << dropped) / 4_294_967_296.0;
    let angle = TAU * f64::from(b >> 6) / 67_108_864.0;
    let radius = (-2.0 * u.ln()).sqrt();
    [radius * angle.cos(), radius * angle.sin()]
}

/// From `low` on, `range` of them; all 2³² if `range` is 0.
pub fn integer(word: u32, low: i32, range: u32) -> i32 {
    let drawn = if range == 0 { word } else { word % range };
    low.wrapping_add(drawn as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of Random123 (kat_vectors, philox4x32 10).
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = u32::MAX;
        assert_eq!(philox([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn words_walk_through_counters() {
        let long = words(5, u64::from(u32::MAX), 9);
        assert_eq!(long[4..8], philox([0, 1, 0, 0], [5, 0]));
        assert_eq!(long[8], philox([1, 1, 0, 0], [5, 0])[0]);
        assert_eq!(words(5, 1 << 32, 5), long[4..]);
        assert_ne!(words(5 + (1 << 32), 1 << 32, 5), long[4..]);
    }

    #[test]
    fn ends_of_the_ranges() {
        assert_eq!((uniform(0), uniform(u32::MAX)), (0.0, 1.0 - 1.0 / 16_777_216.0));
        // The smallest fraction is 2⁻³², the largest 1 − 2⁻²⁴; a quarter turn swaps the two.
        let far = (64.0 * 2f64.ln()).sqrt();
        for a in [0, 1] {
            assert!((normals([a, 0])[0] - far).abs() < 1e-12);
            assert!((normals([a, 1 << 30])[1] - far).abs() < 1e-12);
        }
        let near = normals([u32::MAX, 1 << 31])[0];
        assert!((near + (2.0f64 / 16_777_216.0).sqrt()).abs() < 1e-10, "{near}");
        assert_eq!((integer(17, -3, 10), integer(17, -3, 0)), (4, 14));
        assert_eq!(
            (integer(u32::MAX, i32::MIN, 0), integer(u32::MAX - 1, i32::MIN, u32::MAX)),
            (i32::MAX, i32::MAX - 1)
        );
    }
}
