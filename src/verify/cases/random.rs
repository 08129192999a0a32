use super::Case;
use crate::ops::{Distribution, Random};

pub(super) fn cases() -> Vec<Case> {
    let new =
        |name: &str, a: Random| Case::new(format!("random/{name}"), &[], move |g, _| g.random(None, &a));
    // Counters that pass 2³² within the tensor, with a seed that has both words.
    let far = |a: Random| Random { seed: 0x0123_4567_89ab_cdef, offset: (7 << 32) - 9, ..a };
    let mut list = Vec::new();
    for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Integers] {
        let name = format!("{distribution:?}").to_lowercase();
        let shaped = |shape: &[usize]| Random {
            low: (distribution == Distribution::Integers).then_some(-40),
            high: (distribution == Distribution::Integers).then_some(1000),
            ..Random::new(shape, distribution)
        };
        list.push(new(&name, shaped(&[3, 5, 67])));
        list.push(new(&format!("{name}-far"), far(shaped(&[2, 301]))));
        let a = shaped(&[1, 129]);
        list.push(
            Case::new(format!("random/{name}-key"), &[&[4]], move |g, v| g.random(Some(v[0]), &a))
                .indices(0, i32::MIN..=i32::MAX),
        );
    }
    let integers = |low, high| Random {
        low: Some(low),
        high: Some(high),
        ..far(Random::new(&[70], Distribution::Integers))
    };
    list.push(new("integers-all-but-one", integers(i32::MIN, i32::MAX)));
    list.push(new("integers-beyond-half", integers(-5, i32::MAX)));
    list
}
