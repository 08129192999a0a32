//! Models and checkpoints that fit, and do not.

use super::testing::{c3d_names, checkpoint_of};
use super::*;
use crate::error::Result;
use crate::models::c3d::CONVENTIONS as C3D;

fn named(names: &[(&str, &[usize])]) -> (tempfile::TempDir, Weights) {
    let (dir, checkpoint) = checkpoint_of(names.iter().map(|(n, s)| (n.to_string(), s.to_vec())));
    let same = Convention { name: "plain", source: "test", map: |n| Some(n.into()) };
    let naming = Naming { convention: same, prefix: String::new() };
    (dir, Weights::new(checkpoint, naming))
}

/// A model of two layers, the second with a bias only where the checkpoint has one.
fn build(weights: &Weights) -> Result<()> {
    for (layer, channels) in [("stem.0", 4), ("head", 2)] {
        let w = weights.scope(layer);
        w.take("weight", &[channels, 3])?;
        w.optional("bias", &[channels])?;
    }
    let norm = weights.scope("stem").scope(1);
    norm.take("running_mean", &[4])?;
    norm.take("weight", &[4])?;
    weights.scope("head").take("weight", &[2, 3])?;
    Ok(())
}

#[test]
fn parameters_and_names_are_counted_once_without_values() {
    for weights in [Weights::shapes(), Weights::random(3)] {
        build(&weights).unwrap();
        weights.finish().unwrap();
        assert_eq!(weights.parameters(), 12 + 4 + 6 + 2 + 4);
        let names = ["stem.0.weight", "stem.0.bias", "head.weight", "head.bias", "stem.1.running_mean"];
        assert_eq!(weights.names()[..5], names);
    }
    assert!(Weights::shapes().take("a", &[2]).unwrap().tensor().is_none());
    assert!(Weights::shapes().take("a", &[0]).is_err());
}

#[test]
fn weights_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Weights::shapes());
}

#[test]
fn what_fits_is_taken() {
    let (_dir, weights) = named(&[
        ("stem.0.weight", &[4, 3, 1, 1, 1]),
        ("stem.0.bias", &[4]),
        ("stem.1.running_mean", &[4]),
        ("stem.1.weight", &[4]),
        ("stem.1.num_batches_tracked", &[1]),
        ("head.weight", &[2, 3]),
        ("aux.fc.weight", &[7]),
    ]);
    build(&weights).unwrap();
    let e = weights.finish().unwrap_err().to_string();
    assert!(e.ends_with("(names as plain (test))\n  left over (1):\n    \"aux.fc.weight\""), "{e}");
    weights.ignore("aux.f");
    assert!(weights.finish().is_err());
    weights.ignore("aux");
    weights.finish().unwrap();
    assert_eq!(weights.parameters(), 12 + 4 + 6 + 4);
    let linear = weights.take("stem.0.weight", &[4, 3]).unwrap();
    assert_eq!(linear.tensor().unwrap().shape()[..], [4, 3]);
    let turned = linear.permute(&[1, 0]).unwrap().reshape(&[12]).unwrap();
    assert_eq!((turned.shape()[..].to_vec(), turned.tensor().is_some()), (vec![12], true));
}

#[test]
fn what_does_not_fit_is_listed_at_once() {
    let (_dir, weights) = named(&[
        ("stem.0.weight", &[4, 5]),
        ("stem.1.weights", &[4]),
        ("stem.1.running_mean", &[4]),
        ("other", &[1]),
    ]);
    build(&weights).unwrap();
    let e = weights.finish().unwrap_err();
    assert_eq!(e.kind(), crate::ErrorKind::BadInput);
    let text = e.to_string();
    let lists = "  missing (2):
    head.weight
    stem.1.weight; the nearest left over is \"stem.1.weights\"
  of another shape (1):
    \"stem.0.weight\" is [4, 5], wanted is [4, 3]
  left over (2):
    \"other\"
    \"stem.1.weights\"";
    assert!(text.ends_with(lists), "{text}");
}

#[test]
fn long_lists_are_cut() {
    let (_dir, weights) = named(&[("a", &[1])]);
    for i in 0..25 {
        weights.scope("layer").scope(i).take("weight", &[1]).unwrap();
    }
    let text = weights.finish().unwrap_err().to_string();
    assert!(text.contains("missing (25):") && text.contains("and 15 more"), "{text}");
    assert_eq!(text.lines().count(), 1 + 1 + 10 + 1 + 2);
}

#[test]
fn published_names_are_shown_where_they_differ() {
    let canonical = c3d_names();
    let names = canonical.iter().filter_map(|n| (C3D[1].map)(n)).filter(|n| !n.contains("conv4a"));
    let (_dir, checkpoint) = checkpoint_of(names.map(|n| (format!("module.{n}"), vec![2])));
    let weights = Weights::detect(checkpoint, C3D, &canonical).unwrap();
    for name in &canonical {
        weights.take(name, &[2]).unwrap();
    }
    let text = weights.finish().unwrap_err().to_string();
    assert!(text.contains("names as mmaction (open-mmlab/mmaction2), under \"module.\""), "{text}");
    assert!(text.contains("conv4a.weight, in the file \"module.backbone.conv4a.conv.weight\""), "{text}");
    assert!(!text.contains("left over"), "{text}");
}

#[test]
fn a_weight_no_such_checkpoint_has_is_said_so() {
    let canonical = c3d_names();
    let names = canonical.iter().filter_map(|n| (C3D[3].map)(n));
    let (_dir, checkpoint) = checkpoint_of(names.map(|n| (n, vec![2])));
    let weights = Weights::detect(checkpoint, C3D, &canonical).unwrap();
    for name in &canonical {
        weights.take(name, &[2]).unwrap();
    }
    let text = weights.finish().unwrap_err().to_string();
    assert!(text.ends_with("missing (2):\n    fc8.weight (such checkpoints have none)\n    fc8.bias (such checkpoints have none)"), "{text}");
}

#[test]
fn unknown_names_are_an_error_that_shows_both_sides() {
    let (_dir, checkpoint) = checkpoint_of([("stem.0.weight".to_string(), vec![4, 3])]);
    let e = Weights::detect(checkpoint, C3D, &c3d_names()).unwrap_err().to_string();
    assert!(e.contains("davidea (DavideA/c3d-pytorch), mmaction"), "{e}");
    assert!(e.ends_with("It holds \"stem.0.weight\" [4, 3]"), "{e}");
}
