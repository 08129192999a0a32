//! One step of a long short-term memory, from the sums of its gates.

/// What one step reads. Gates of a place lie side by side in the order i, f, g, o.
#[derive(Debug, Clone, Copy)]
pub struct LstmCell<'a> {
    /// `[N, T, places, 4·C]`.
    pub gates: &'a [f32],
    /// `[N, places, 4·C]`, or `[4·C]`: the same everywhere.
    pub recurrent: Option<&'a [f32]>,
    /// `[N, places, C]`.
    pub cell: Option<&'a [f32]>,
    /// Weights of i, f, o: `[3, places, C]`, or `[3, C]`: the same everywhere.
    pub peephole: Option<&'a [f32]>,
    /// `N, T, places, C`.
    pub dims: [usize; 4],
    /// The time whose gates are looked at.
    pub step: usize,
}

/// What one element of the new state is made of; zeros for what is not there.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// For each of i, f, g, o.
    pub gates: [f64; 4],
    /// For each of i, f, g, o.
    pub recurrent: [f64; 4],
    /// The cell before, if any.
    pub cell: Option<f64>,
    /// For each of i, f, o; that of o alone without a cell.
    pub peephole: [f64; 3],
}

impl LstmCell<'_> {
    /// The elements of the state, `[N, places, C]`.
    pub fn elements(&self) -> Vec<Element> {
        let [samples, steps, places, channels] = self.dims;
        let mut out = Vec::new();
        for sample in 0..samples {
            for place in 0..places {
                for channel in 0..channels {
                    let row = sample * places + place;
                    let row_of_gates = (sample * steps + self.step) * places + place;
                    let gate = |k: usize| self.gates[(row_of_gates * 4 + k) * channels + channel];
                    let recurrent = |k: usize| {
                        self.recurrent.map_or(0.0, |r| r[((row * 4 + k) * channels + channel) % r.len()])
                    };
                    let peephole = |k: usize| {
                        let at = |p: &[f32]| k * (p.len() / 3) + (place * channels + channel) % (p.len() / 3);
                        self.peephole.filter(|_| self.cell.is_some() || k == 2).map_or(0.0, |p| p[at(p)])
                    };
                    out.push(Element {
                        gates: std::array::from_fn(|k| gate(k).into()),
                        recurrent: std::array::from_fn(|k| recurrent(k).into()),
                        cell: self.cell.map(|c| c[row * channels + channel].into()),
                        peephole: std::array::from_fn(|k| peephole(k).into()),
                    });
                }
            }
        }
        out
    }
}

impl Element {
    /// The new `h` and `c`.
    pub fn next(&self) -> [f64; 2] {
        let sum = |k: usize| self.gates[k] + self.recurrent[k];
        let [pi, pf, po] = self.peephole;
        let mut c = sigmoid(sum(0) + self.cell.map_or(0.0, |cell| pi * cell)) * sum(2).tanh();
        if let Some(cell) = self.cell {
            c += sigmoid(sum(1) + pf * cell) * cell;
        }
        let o = sigmoid(sum(3) + po * c);
        [o * c.tanh(), c]
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gates so large that each is 0 or 1.
    #[test]
    fn open_and_closed_gates() {
        let gates = [90.0, -90.0, 90.0, 90.0, -90.0, 90.0, 90.0, -90.0];
        // C = 2: i = (1, 0), f = (1, 1), g = (0.5, …), o = (1, 0).
        let gates = [gates[0], gates[1], gates[2], gates[3], 0.5, 7.0, gates[6], gates[7]];
        let step = LstmCell {
            gates: &gates,
            recurrent: None,
            cell: Some(&[2.0, 3.0]),
            peephole: None,
            dims: [1, 1, 1, 2],
            step: 0,
        };
        let [first, second] = step.elements()[..] else { panic!() };
        let c = 2.0 + 0.5f64.tanh();
        assert!((first.next()[1] - c).abs() < 1e-12 && (first.next()[0] - c.tanh()).abs() < 1e-12);
        assert!((second.next()[1] - 3.0).abs() < 1e-12 && second.next()[0].abs() < 1e-12);
    }

    #[test]
    fn the_step_the_place_and_the_peephole_are_found() {
        // N = 1, T = 2, two places, C = 1.
        let gates: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let peephole: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let step = LstmCell {
            gates: &gates,
            recurrent: Some(&[10.0, 20.0, 30.0, 40.0]),
            cell: None,
            peephole: Some(&peephole),
            dims: [1, 2, 2, 1],
            step: 1,
        };
        let last = step.elements()[1];
        assert_eq!(last.gates, [12.0, 13.0, 14.0, 15.0]);
        assert_eq!(last.recurrent, [10.0, 20.0, 30.0, 40.0]);
        assert_eq!(last.peephole, [0.0, 0.0, 5.0]);
        let cell = [7.0, 8.0];
        let last = LstmCell { cell: Some(&cell), ..step }.elements()[1];
        assert_eq!((last.peephole, last.cell), ([1.0, 3.0, 5.0], Some(8.0)));
    }
}
