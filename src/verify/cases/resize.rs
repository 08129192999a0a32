use super::{super::Fill, Case};
use crate::ops::{Interpolation, Resize};

fn case(name: &str, x: &[usize], a: Resize) -> Case {
    let chooses = matches!(a.mode, Interpolation::Nearest | Interpolation::NearestExact);
    let wide = a.antialias;
    let case = Case::new(format!("resize/{name}"), &[x], move |g, v| g.resize(v[0], &a));
    match chooses {
        true => case.fills([Fill::Integers, Fill::Normal, Fill::SomeNan]).exact_on_integers(),
        // Under a wide filter nearly everything would be NaN.
        false if wide => case.fills([Fill::Normal, Fill::About(100.0)]),
        false => case.fills([Fill::Normal, Fill::About(100.0), Fill::SomeNan]),
    }
}

pub(super) fn cases() -> Vec<Case> {
    use Interpolation::{Area, Cubic, Lanczos, Linear, Nearest, NearestExact};
    let aligned = |a: Resize| Resize { align_corners: true, ..a };
    let by = |mode, scale_factor: &[f64]| Resize {
        mode,
        scale_factor: Some(scale_factor.to_vec()),
        ..Resize::default()
    };
    let mut list = Vec::new();
    for mode in Interpolation::ALL.into_iter().filter(|m| *m != Lanczos) {
        let name = |what: &str| format!("{mode:?}-{what}").to_lowercase();
        list.extend([
            case(&name("twice"), &[1, 5, 6, 8], Resize::by(mode, 2.0)),
            case(&name("odd"), &[2, 7, 9, 3], Resize::to(mode, &[11, 5])),
            case(&name("video"), &[1, 3, 4, 5, 4], Resize::to(mode, &[5, 7, 4])),
            case(&name("row"), &[2, 19, 5], Resize::to(mode, &[8])),
            case(&name("factors"), &[1, 7, 9, 4], by(mode, &[1.7, 0.6])),
            case(
                &name("recomputed"),
                &[1, 7, 9, 3],
                Resize { recompute_scale_factor: true, ..by(mode, &[1.7, 0.6]) },
            ),
            case(&name("one-element"), &[2, 6, 1, 5], Resize::to(mode, &[1, 3])),
            case(&name("same"), &[1, 4, 5, 6], Resize::by(mode, 1.0)),
        ]);
    }
    for mode in [Linear, Cubic] {
        let name = |what: &str| format!("{mode:?}-aligned-{what}").to_lowercase();
        list.extend([
            case(&name("larger"), &[1, 4, 5, 8], aligned(Resize::to(mode, &[7, 9]))),
            case(&name("smaller"), &[1, 9, 8, 3], aligned(Resize::to(mode, &[3, 4]))),
            case(&name("one"), &[1, 5, 7, 4], aligned(Resize::to(mode, &[1, 6]))),
            case(&name("antialiased"), &[1, 9, 8, 4], aligned(Resize::to(mode, &[3, 10]).antialiased())),
        ]);
    }
    for mode in [Linear, Cubic, Lanczos] {
        let name = |what: &str| format!("{mode:?}-antialiased-{what}").to_lowercase();
        list.extend([
            case(&name("smaller"), &[1, 21, 18, 4], Resize::to(mode, &[8, 5]).antialiased()),
            case(&name("larger"), &[2, 4, 5, 3], Resize::to(mode, &[9, 7]).antialiased()),
            case(&name("mixed"), &[1, 15, 6, 8], Resize::to(mode, &[4, 11]).antialiased()),
            case(&name("video"), &[1, 6, 9, 8, 4], Resize::to(mode, &[3, 4, 8]).antialiased()),
            case(&name("factors"), &[1, 11, 13, 5], by(mode, &[0.43, 1.7]).antialiased()),
        ]);
    }
    list.extend([
        case("cubic-keys", &[1, 5, 6, 4], Resize { cubic_coeff_a: Some(-0.5), ..Resize::to(Cubic, &[8, 9]) }),
        case("nearest-unresized-time", &[2, 3, 4, 5, 8], by(Nearest, &[1.0, 2.0, 2.0])),
        // ⌊i·scale⌋ in f32 is not ⌊i·from / to⌋.
        case("nearest-rounding", &[1, 19, 4], Resize::to(Nearest, &[82])),
        case("nearest-exact-halves", &[1, 6, 9, 4], Resize::to(NearestExact, &[2, 3])),
        case("area-head", &[1, 7, 9, 8], Resize::to(Area, &[1, 1])).fills([Fill::Normal, Fill::About(100.0)]),
        case("cubic-antialiased-nan", &[1, 40, 1], Resize::to(Cubic, &[16]).antialiased())
            .fills([Fill::SomeNan]),
        // Every other output is an element itself, whatever lies beside it.
        case("linear-infinite", &[1, 5, 6, 4], aligned(Resize::to(Linear, &[9, 11])))
            .fills([Fill::Masked])
            .trust_constant_reference(),
    ]);
    list
}
