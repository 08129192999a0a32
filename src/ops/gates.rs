//! What the cells of recurrent networks share: where gates lie, and how far they may be off.

use crate::error::{Error, Result};
use crate::graph::{Activation, UNIT_ROUNDOFF};

/// The axes of gates: `[N, …, k·C]`, or `[N, T, …, k·C]` of which one time is looked at.
#[derive(Debug, Clone)]
pub(super) struct GateLayout {
    pub(super) samples: usize,
    /// T, and 1 if there is no axis of time.
    pub(super) steps: usize,
    pub(super) step: usize,
    /// The product of the axes between.
    pub(super) places: usize,
    pub(super) channels: usize,
    /// The shape of the state, `[N, …, C]`.
    pub(super) state: Vec<usize>,
}

impl GateLayout {
    /// The axes of `count` gates.
    pub(super) fn of(shape: &[usize], count: usize, step: Option<usize>) -> Result<GateLayout> {
        let time = usize::from(step.is_some());
        if shape.len() < 2 + time {
            let wanted = if step.is_some() { "[N, T, …, C]" } else { "[N, …, C]" };
            return Err(Error::bad_input(format!("the gates must be {wanted}, their shape is {shape:?}")));
        }
        let (steps, step) = step.map_or((1, 0), |step| (shape[1], step));
        if step >= steps {
            return Err(Error::bad_input(format!("step {step} of {steps}: the first is 0")));
        }
        let (samples, width) = (shape[0], shape[shape.len() - 1]);
        if !width.is_multiple_of(count) {
            return Err(Error::bad_input(format!("{width} channels of gates are no multiple of {count}")));
        }
        let inner = &shape[1 + time..shape.len() - 1];
        let channels = width / count;
        let state = [&[samples], inner, &[channels]].concat();
        Ok(GateLayout { samples, steps, step, places: inner.iter().product(), channels, state })
    }

    /// That a shape is `[N, …, count·C]`, or, for what is the same everywhere, `[count·C]`.
    pub(super) fn check_gates(&self, what: &str, shape: &[usize], count: usize) -> Result<()> {
        let mut whole = self.state.clone();
        if let Some(last) = whole.last_mut() {
            *last *= count;
        }
        let shared = [count * self.channels];
        if shape == whole || shape == shared {
            return Ok(());
        }
        Err(Error::bad_input(format!("{what} must be {whole:?} or {shared:?}, its shape is {shape:?}")))
    }

    /// That a shape is the state's.
    pub(super) fn check_state(&self, what: &str, shape: &[usize]) -> Result<()> {
        if shape == self.state {
            return Ok(());
        }
        Err(Error::bad_input(format!("{what} must be {:?}, its shape is {shape:?}", self.state)))
    }
}

/// A value, and how far a device's f32 may be from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) value: f64,
    pub(super) off: f64,
}

impl Gate {
    /// An activation of `x`, which may be off by this much.
    pub(super) fn of(activation: Activation, x: f64, off: f64) -> Gate {
        let (stretch, relative, absolute) = activation.error();
        let value = activation.apply(x);
        // What overflows saturates the gate on both sides.
        let off = if off.is_finite() { stretch * off } else { 0.0 };
        Gate { value, off: off + relative * value.abs() + absolute }
    }

    /// The product, rounded once.
    pub(super) fn times(self, other: Gate) -> Gate {
        let off = self.value.abs() * other.off + other.value.abs() * self.off + self.off * other.off;
        let value = self.value * other.value;
        Gate { value, off: off + 2.0 * UNIT_ROUNDOFF * (value.abs() + off) }
    }

    /// The sum, rounded once.
    pub(super) fn plus(self, other: Gate) -> Gate {
        let (value, off) = (self.value + other.value, self.off + other.off);
        Gate { value, off: off + 2.0 * UNIT_ROUNDOFF * (value.abs() + off) }
    }

    /// What is known exactly.
    pub(super) fn exact(value: f64) -> Gate {
        Gate { value, off: 0.0 }
    }
}
