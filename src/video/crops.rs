//! Which parts of a frame the views of a clip show.

use std::fmt;
use std::str::FromStr;

use super::Rounding;
use crate::error::{Error, Result};

/// The crops of each clip over which a network's answers are averaged.
///
/// ```
/// # use kinetograph::video::Crops;
/// assert_eq!("3".parse::<Crops>()?, Crops::Three);
/// assert_eq!(Crops::Ten.count(), 10);
/// # Ok::<(), kinetograph::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Crops {
    /// The centre.
    #[default]
    One,
    /// Both ends of the longer side and its middle; in the middle of the shorter side.
    Three,
    /// The four corners and the centre.
    Five,
    /// [`Crops::Five`] and each of them mirrored.
    Ten,
}

/// Where a crop begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corner {
    pub(crate) top: usize,
    pub(crate) left: usize,
    /// Whether left and right are exchanged.
    pub(crate) mirrored: bool,
}

impl Crops {
    /// All of them.
    pub const ALL: [Crops; 4] = [Crops::One, Crops::Three, Crops::Five, Crops::Ten];

    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            Crops::One => 1,
            Crops::Three => 3,
            Crops::Five => 5,
            Crops::Ten => 10,
        }
    }

    /// Where they begin, in frames that are by `margins` (rows, columns) larger than a crop.
    ///
    /// Margins rounded down are cut into halves, or quarters for five and ten crops, whose multiples the places are: the
    /// last may then lie before the end. That is how mmaction2 and temporal-segment-networks count.
    pub(crate) fn corners(self, margins: [usize; 2], rounding: Rounding) -> Vec<Corner> {
        let parts = if matches!(self, Crops::Five | Crops::Ten) { 4 } else { 2 };
        let [middle, end] = [1, 2].map(|half| {
            margins.map(|m| match rounding {
                Rounding::Down if self != Crops::One => m / parts * (parts / 2 * half),
                _ => rounding.divide(m * half, 2),
            })
        });
        let at = |top, left| Corner { top, left, mirrored: false };
        let [top, left] = middle;
        let [bottom, right] = end;
        match self {
            Crops::One => vec![at(top, left)],
            Crops::Three if margins[0] > margins[1] => vec![at(0, left), at(top, left), at(bottom, left)],
            Crops::Three => vec![at(top, 0), at(top, left), at(top, right)],
            Crops::Five => vec![at(0, 0), at(0, right), at(bottom, 0), at(bottom, right), at(top, left)],
            Crops::Ten => {
                let five = Crops::Five.corners(margins, rounding);
                let mirrored = five.iter().map(|&c| Corner { mirrored: true, ..c });
                five.iter().copied().chain(mirrored).collect()
            }
        }
    }
}

impl fmt::Display for Crops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count())
    }
}

impl FromStr for Crops {
    type Err = Error;

    fn from_str(text: &str) -> Result<Crops> {
        Crops::ALL.into_iter().find(|c| c.to_string() == text).ok_or_else(|| {
            Error::usage(format!(
                "{text}: there are 1 (the centre), 3 (along the longer side), 5 (corners and centre) and 10 crops (those \
                 and their mirrors)"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(crops: Crops, margins: [usize; 2], rounding: Rounding) -> Vec<(usize, usize)> {
        crops.corners(margins, rounding).iter().map(|c| (c.top, c.left)).collect()
    }

    #[test]
    fn three_lie_along_the_longer_side() {
        assert_eq!(places(Crops::Three, [0, 85], Rounding::Up), [(0, 0), (0, 43), (0, 85)]);
        assert_eq!(places(Crops::Three, [0, 85], Rounding::Down), [(0, 0), (0, 42), (0, 84)]);
        assert_eq!(places(Crops::Three, [0, 85], Rounding::Nearest), [(0, 0), (0, 42), (0, 85)]);
        assert_eq!(places(Crops::Three, [85, 32], Rounding::Up), [(0, 16), (43, 16), (85, 16)]);
        assert_eq!(places(Crops::Three, [0, 0], Rounding::Down), [(0, 0); 3]);
    }

    #[test]
    fn five_and_ten() {
        let five = [(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)];
        assert_eq!(places(Crops::Five, [32, 116], Rounding::Down), five);
        assert_eq!(places(Crops::Five, [33, 117], Rounding::Down), five);
        assert_eq!(places(Crops::Five, [33, 117], Rounding::Nearest)[3..], [(33, 117), (16, 58)]);
        let ten = Crops::Ten.corners([32, 116], Rounding::Down);
        assert_eq!(ten.len(), 10);
        assert_eq!(ten.iter().filter(|c| c.mirrored).count(), 5);
        assert_eq!(Crops::One.corners([3, 5], Rounding::Up)[0], Corner { top: 2, left: 3, mirrored: false });
        assert_eq!(
            Crops::One.corners([3, 5], Rounding::Down)[0],
            Corner { top: 1, left: 2, mirrored: false }
        );
    }

    #[test]
    fn numbers_name_them() {
        for crops in Crops::ALL {
            assert_eq!(crops.to_string().parse::<Crops>().unwrap(), crops);
            assert_eq!(crops.corners([7, 9], Rounding::Nearest).len(), crops.count());
        }
        assert!("2".parse::<Crops>().unwrap_err().to_string().contains("10 crops"));
    }
}
