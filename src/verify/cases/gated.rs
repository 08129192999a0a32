use super::{super::Fill, Case};
use crate::ops::{Gate, Gated};

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for mode in Gate::ALL {
        for (name, shape, gate_first) in
            [("", [3, 5, 24], false), ("-odd", [2, 7, 14], false), ("-first", [2, 3, 16], true)]
        {
            let a = Gated { mode, gate_first };
            let name = format!("gated/{mode:?}{name}").to_lowercase();
            list.push(Case::new(name, &[&shape], move |g, v| g.gated(v[0], &a)).fills([
                Fill::Integers,
                Fill::Normal,
                Fill::SomeNan,
                Fill::Scaled(30.0),
            ]));
        }
    }
    list
}
