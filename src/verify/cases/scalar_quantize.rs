use super::{super::Fill, Case};
use crate::ops::{ScalarCode, ScalarQuantize};

fn case(name: &str, rows: &[usize], channels: usize, a: ScalarQuantize) -> Case {
    let shape = [rows, &[channels]].concat();
    Case::several(format!("scalar_quantize/{name}"), &[&shape], move |g, v| {
        let (indices, codes) = g.scalar_quantize(v[0], &a)?;
        Ok(vec![indices, codes])
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for mode in [ScalarCode::Fsq, ScalarCode::FsqPaper] {
        let levels: [(&str, &[u32]); 5] = [
            ("paper-levels", &[8, 5, 5, 5]),
            ("small", &[2, 3, 4]),
            ("eight", &[3, 2, 3, 2, 3, 2, 3, 2]),
            ("one", &[7]),
            ("thousand", &[1000, 2]),
        ];
        for (what, levels) in levels {
            let name = format!("{mode:?}-{what}").to_lowercase();
            let a = ScalarQuantize { mode, levels: levels.to_vec() };
            let case = case(&name, &[2, 70], levels.len(), a);
            list.push(match what {
                // At the ends of so many levels the hyperbolic tangent does not tell them apart.
                "thousand" => case.fills([Fill::Normal]),
                _ => case.fills([Fill::Normal, Fill::Scaled(10.0), Fill::SomeNan]),
            });
        }
    }
    for (what, channels) in [("one", 1), ("few", 3), ("magvit", 18), ("most", 31)] {
        let case = case(&format!("lfq-{what}"), &[70], channels, ScalarQuantize::lookup_free());
        let fills = [Fill::Integers, Fill::Normal, Fill::Masked, Fill::SomeNan];
        // One channel in eleven is NaN: with more there is no other row.
        let fills = if channels < 11 { &fills[..] } else { &fills[..3] };
        list.push(case.fills(fills.iter().copied()).exact_on_integers());
    }
    // The smallest floats are above zero too; in f16 they are zero.
    let smallest = case("lfq-subnormal", &[70], 3, ScalarQuantize::lookup_free());
    list.push(smallest.between(0, -1e-39, 1e-39).fills([Fill::Normal]).trust_constant_reference());
    list
}
