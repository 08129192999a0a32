//! The preprocessing that a Hugging Face folder asks for, as a recipe.

use crate::error::{Error, Result};
use crate::video::resize::Filter;
use crate::video::{Crop, Recipe, Rounding, Size};
use crate::weights::Preprocessing;

/// The recipe with size, crop, filter, mean and deviation as the folder asks for them; frames are bytes once scaled and
/// lengths rounded down, as its library has it. What the folder does not say, and which frames are taken, stays.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] for a crop that is no square or larger than the picture.
pub(super) fn asked_for(recipe: Recipe, asked: &Preprocessing) -> Result<Recipe> {
    let mut r = recipe;
    match (asked.short_edge, asked.exact) {
        (Some(edge), _) => r.size = Size::ShortEdge(edge, Rounding::Down),
        (None, Some([height, width])) => r.size = Size::Exact { height, width },
        (None, None) => {}
    }
    if let Some([height, width]) = asked.crop.or(asked.exact) {
        r.crop = Crop { height, width, rounding: Rounding::Down };
    }
    let least = match r.size {
        Size::ShortEdge(edge, _) => edge,
        Size::Exact { height, width } => height.min(width),
    };
    let Crop { height, width, .. } = r.crop;
    if height != width || height > least {
        return Err(Error::bad_input(format!(
            "the preprocessing beside the weights crops {width}×{height} from frames whose shorter edge is {least}; \
             give --recipe to do without it"
        )));
    }
    if let Some(cubic) = asked.cubic {
        r.filter = if cubic { Filter::BicubicAntialias } else { Filter::BilinearAntialias };
        r.bytes = true;
    }
    r.divisor = asked.divisor.unwrap_or(r.divisor);
    r.mean = asked.mean.unwrap_or(r.mean);
    r.std = asked.std.unwrap_or(r.std);
    Ok(r)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_goes_before_the_recipe() {
        let own = Recipe::by_name("videomae").unwrap();
        let asked = Preprocessing {
            short_edge: Some(256),
            crop: Some([192, 192]),
            cubic: Some(true),
            mean: Some([0.5; 3]),
            ..Preprocessing::default()
        };
        let r = asked_for(own.clone(), &asked).unwrap();
        assert_eq!(r.size, Size::ShortEdge(256, Rounding::Down));
        assert_eq!((r.crop.height, r.crop.width), (192, 192));
        assert_eq!((r.filter, r.bytes), (Filter::BicubicAntialias, true));
        assert_eq!((r.mean, r.std, r.rate, r.frames), ([0.5; 3], own.std, own.rate, own.frames));
        let exact = Preprocessing { exact: Some([224, 224]), ..Preprocessing::default() };
        assert_eq!(asked_for(own.clone(), &exact).unwrap().size, Size::Exact { height: 224, width: 224 });
        for crop in [[192, 160], [300, 300]] {
            let asked = Preprocessing { crop: Some(crop), ..asked };
            let e = asked_for(own.clone(), &asked).unwrap_err().to_string();
            assert!(e.contains("shorter edge is 256"), "{e}");
        }
    }
}
