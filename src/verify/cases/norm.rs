use super::{super::Fill, Case};
use crate::graph::Activation;
use crate::ops::{Norm, NormMode};

/// Name, shape, axes and their lengths.
type Over = (&'static str, &'static [usize], &'static [isize], &'static [usize]);

/// A case with weight and bias of this shape; none if it is empty.
fn case(name: &str, shape: &[usize], affine: &[usize], a: Norm) -> Case {
    let shapes = [shape, affine, affine];
    let inputs = if affine.is_empty() { 1 } else { 3 };
    let centred = a.mode == NormMode::Layer;
    let case = Case::new(format!("norm/{name}"), &shapes[..inputs], move |g, v| {
        g.norm(v[0], v.get(1).copied(), v.get(2).copied(), &a)
    });
    // The fills hold for weight and bias too: a bias of 1000 would hide everything.
    let case = case.weights_from(1);
    if inputs == 1 && centred {
        case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0), Fill::About(-8.0), Fill::Scaled(1e-3)])
    } else {
        case.fills([Fill::Normal, Fill::About(8.0), Fill::Scaled(1e-2)])
    }
}

pub(super) fn cases() -> Vec<Case> {
    let shapes: [Over; 9] = [
        ("last-axis", &[5, 7, 37], &[-1], &[37]),
        ("last-axes", &[3, 4, 5, 7], &[-2, -1], &[5, 7]),
        ("first-axis", &[9, 4, 13], &[0], &[9]),
        ("axes-apart", &[3, 4, 2, 5], &[0, 2], &[3, 2]),
        ("every-other-axis", &[2, 3, 3, 2, 2, 3, 2, 2], &[-1, 1, 3, 5], &[3, 2, 3, 2]),
        ("long-rows", &[6, 1003], &[1], &[1003]),
        ("rows-of-a-workgroup-and-one", &[3, 257], &[-1], &[257]),
        ("long-columns", &[300, 9], &[0], &[300]),
        ("axes-of-one", &[4, 1, 6, 1], &[1, 2], &[1, 6]),
    ];
    let mut list = Vec::new();
    for mode in NormMode::ALL {
        let name = |what: &str| format!("{mode:?}-{what}").to_lowercase();
        for (what, shape, dim, affine) in shapes {
            list.push(case(&name(what), shape, &[], Norm::over(mode, dim)));
            list.push(case(&name(&format!("{what}-affine")), shape, affine, Norm::over(mode, dim)));
        }
        // Rows beyond one walk's loop turns: the workgroup's kernel alone.
        list.push(case(&name("longer-than-one-walk"), &[2, 20_001], &[], Norm::over(mode, &[1])));
        list.push(case(&name("large-eps"), &[5, 33], &[33], Norm::over(mode, &[1]).eps(3.0)));
        list.push(case(&name("small-eps"), &[5, 33], &[], Norm::over(mode, &[1]).eps(1e-30)));
        for (what, shape, dim) in
            [("nan", [40, 5], -1), ("nan-across", [5, 40], 0), ("nan-long-rows", [3, 600], 1)]
        {
            let case = case(&name(what), &shape, &[], Norm::over(mode, &[dim])).fills([Fill::SomeNan]);
            list.push(if what == "nan-long-rows" { case.trust_constant_reference() } else { case });
        }
        let weight_alone = Norm::over(mode, &[-1]);
        list.push(
            Case::new(format!("norm/{}", name("weight-alone")), &[&[7, 12], &[12]], move |g, v| {
                g.norm(v[0], Some(v[1]), None, &weight_alone)
            })
            .weights_from(1)
            .fills([Fill::Normal, Fill::About(8.0)]),
        );
    }
    for f in Activation::ALL.into_iter().skip(1) {
        for (what, shape) in [("", [9, 12]), ("-long-rows", [3, 300])] {
            list.push(
                Case::new(
                    format!("norm/{}{what}", f.name()),
                    &[&shape, &shape[1..], &shape[1..]],
                    move |g, v| {
                        let y = g.norm(v[0], Some(v[1]), Some(v[2]), &Norm::default())?;
                        g.activation(y, f)
                    },
                )
                .weights_from(1),
            );
        }
    }
    list.extend([
        case("instance", &[2, 3, 4, 5, 6], &[6], Norm::instance()),
        case("instance-many", &[1, 4, 9, 10, 33], &[33], Norm::instance()),
        case("instance-per-frame", &[2, 3, 4, 5, 6], &[6], Norm::over(NormMode::Layer, &[2, 3]).affine(&[4])),
        case("all-axes", &[3, 4, 5], &[3, 4, 5], Norm::over(NormMode::Layer, &[0, 1, 2])),
        case("all-axes-channels", &[3, 4, 50], &[50], Norm::over(NormMode::Layer, &[0, 1, 2]).affine(&[-1])),
        case("affine-apart", &[3, 4, 5, 6], &[3, 5], Norm::over(NormMode::Layer, &[1, 2]).affine(&[2, 0])),
        // One element less its mean is zero whatever it is.
        case("one-element", &[7, 1], &[], Norm::over(NormMode::Layer, &[1])).trust_constant_reference(),
        // Deviations of some 30,000th of the mean; as f16, rows of two neighbouring numbers.
        case("near-constant", &[6, 40], &[], Norm::over(NormMode::Layer, &[1]).eps(1e-3)).fills([
            Fill::About(30_008.0),
            Fill::About(-60_016.0),
            Fill::Scaled(1e-2),
        ]),
        case("near-constant-long-rows", &[3, 700], &[], Norm::over(NormMode::Layer, &[1]).eps(1e-5))
            .fills([Fill::About(30_008.0), Fill::Scaled(1e-2)]),
    ]);
    list
}
