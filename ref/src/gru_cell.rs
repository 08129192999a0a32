//! One step of a gated recurrent unit, from the sums of its gates.

/// What one step reads. Gates of a place lie side by side in the order r, z, n.
#[derive(Debug, Clone, Copy)]
pub struct GruCell<'a> {
    /// `[N, T, places, 3·C]`.
    pub gates: &'a [f32],
    /// `[N, places, k·C]`, or `[k·C]`: the same everywhere. k is 3, or 2 without a gate n.
    pub recurrent: Option<&'a [f32]>,
    /// How many gates `recurrent` has.
    pub recurrent_gates: usize,
    /// `[N, places, C]`.
    pub state: Option<&'a [f32]>,
    /// `[N, places, C]`.
    pub candidate: Option<&'a [f32]>,
    /// `N, T, places, C`.
    pub dims: [usize; 4],
    /// The time whose gates are looked at.
    pub step: usize,
}

/// What one element of the new state is made of.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// For each of r, z, n.
    pub gates: [f64; 3],
    /// For each of r, z, n, zero for a gate that it does not have; none if nothing is recurrent.
    pub recurrent: Option<[f64; 3]>,
    /// The state before; zero if there is none.
    pub state: f64,
    /// What the state that was reset before the product gives to n; zero if there is none.
    pub candidate: f64,
}

impl GruCell<'_> {
    /// The elements of the state, `[N, places, C]`.
    pub fn elements(&self) -> Vec<Element> {
        let [samples, steps, places, channels] = self.dims;
        let mut out = Vec::new();
        for sample in 0..samples {
            for place in 0..places {
                for channel in 0..channels {
                    let row = sample * places + place;
                    let row_of_gates = (sample * steps + self.step) * places + place;
                    let gate = |k: usize| self.gates[(row_of_gates * 3 + k) * channels + channel];
                    let recurrent = |r: &[f32], k: usize| {
                        let at = (row * self.recurrent_gates + k) * channels + channel;
                        if k < self.recurrent_gates { r[at % r.len()].into() } else { 0.0 }
                    };
                    let of_state = |x: Option<&[f32]>| x.map_or(0.0, |x| x[row * channels + channel].into());
                    out.push(Element {
                        gates: std::array::from_fn(|k| gate(k).into()),
                        recurrent: self.recurrent.map(|r| std::array::from_fn(|k| recurrent(r, k))),
                        state: of_state(self.state),
                        candidate: of_state(self.candidate),
                    });
                }
            }
        }
        out
    }
}

impl Element {
    /// r.
    pub fn reset(&self) -> f64 {
        sigmoid(self.gates[0] + self.recurrent.map_or(0.0, |r| r[0]))
    }

    /// z.
    pub fn update(&self) -> f64 {
        sigmoid(self.gates[1] + self.recurrent.map_or(0.0, |r| r[1]))
    }

    /// n, where the product of state and weights is reset.
    pub fn new_reset_after(&self) -> f64 {
        let from_state = self.recurrent.map_or(0.0, |r| self.reset() * r[2]);
        (self.gates[2] + from_state).tanh()
    }

    /// n, where the state was reset before the product.
    pub fn new_reset_before(&self) -> f64 {
        (self.gates[2] + self.candidate).tanh()
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_found_and_reset() {
        // N = 1, T = 2, one place, C = 2: r open for channel 0, closed for channel 1.
        let gates = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 90.0, -90.0, 1.0, 2.0, 0.25, 0.5];
        let cell = GruCell {
            gates: &gates,
            recurrent: Some(&[0.0, 0.0, 3.0, 4.0, 0.5, 0.75]),
            recurrent_gates: 3,
            state: Some(&[5.0, 6.0]),
            candidate: Some(&[7.0, 8.0]),
            dims: [1, 2, 1, 2],
            step: 1,
        };
        let [a, b] = cell.elements()[..] else { panic!() };
        assert_eq!((a.state, b.state, a.candidate, b.candidate), (5.0, 6.0, 7.0, 8.0));
        assert!((a.new_reset_after() - 0.75f64.tanh()).abs() < 1e-12);
        assert!((b.new_reset_after() - 0.5f64.tanh()).abs() < 1e-12);
        assert!((b.new_reset_before() - 8.5f64.tanh()).abs() < 1e-12);
        assert!((a.update() - 1.0 / (1.0 + (-4.0f64).exp())).abs() < 1e-12);
        let two = GruCell { recurrent: Some(&[1.0, 2.0, 3.0, 4.0]), recurrent_gates: 2, ..cell };
        assert_eq!(two.elements()[1].recurrent, Some([2.0, 4.0, 0.0]));
        // Nothing recurrent: r is not looked at.
        let alone = [f32::NAN, 0.0, 1.0];
        let alone = GruCell { gates: &alone, recurrent: None, dims: [1; 4], step: 0, ..cell };
        assert_eq!(alone.elements()[0].new_reset_after(), 1f64.tanh());
    }
}
