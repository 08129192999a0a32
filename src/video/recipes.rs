//! The recipes of published networks.

use super::recipe::{Channels, Crop, Rate, Recipe, Rounding, Size};
use super::resize::Filter;

/// The recipes known by name.
///
/// | name | size, filter | crop | levels | mean, std | clips |
/// |---|---|---|---|---|---|
/// | `c3d-mmaction` | short edge 128, bilinear | 112 | 0–255 RGB | 104, 117, 128; 1 | 10 × 16 frames |
/// | `c3d-jfzhang` | 128×171, bilinear | 112 | 0–255 BGR | 90, 98, 102; 1 | 1 × 16 |
/// | `c3d-davidea` | 112×200, bilinear | 112 | 0–255 RGB | none | 1 × 16 |
/// | `c3d-caffe` | 128×171, bilinear | 112 | 0–255 BGR | 90, 98, 102; 1 | 1 × 16 |
/// | `kinetics-112` | 128×171, bilinear | 112 | 0–1 RGB | of Kinetics | 5 × 16 at 15 fps |
/// | `imagenet-224` | short edge 256, bilinear with antialias | 224 | 0–1 RGB | of ImageNet | 25 × 1 |
/// | `tsn` | short edge 256, bilinear | 224 | 0–1 RGB | of ImageNet | 1 × 25 segments |
/// | `slow-256` | short edge 256, bilinear | 256 | 0–1 RGB | 0.45; 0.225 | 10 × 8, every 8th |
/// | `slowfast-256` | short edge 256, bilinear | 256 | 0–1 RGB | 0.45; 0.225 | 10 × 32, every 2nd |
/// | `mmaction-256` | short edge 256, bilinear | 256 | 0–1 RGB | of ImageNet | 10 × 32, every 2nd |
/// | `mmaction-slow-256` | short edge 256, bilinear | 256 | 0–1 RGB | of ImageNet | 10 × 8, every 8th |
/// | `plain-64` | short edge 64, bilinear with antialias | 64 | 0–1 RGB | 0.5; 0.5 | 1 × 16 |
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "c3d-mmaction",
        about: "C3D of MMAction2 (configs/recognition/c3d, configs/_base_/models/c3d_sports1m_pretrained.py): \
                frames decoded to RGB and scaled as bytes",
        size: Size::ShortEdge(128, Rounding::Nearest),
        crop: Crop { height: 112, width: 112, rounding: Rounding::Down },
        mean: [104.0, 117.0, 128.0],
        clips: 10,
        ..C3D
    },
    Recipe {
        name: "c3d-jfzhang",
        about: "C3D of jfzhang95/pytorch-video-recognition (inference.py): frames as OpenCV reads them, in BGR",
        mean: [90.0, 98.0, 102.0],
        channels: Channels::Bgr,
        ..C3D
    },
    Recipe {
        name: "c3d-davidea",
        about: "C3D of DavideA/c3d-pytorch (predict.py): scikit-image scales in floats, nothing is subtracted",
        size: Size::Exact { height: 112, width: 200 },
        bytes: false,
        ..C3D
    },
    Recipe {
        name: "c3d-caffe",
        about: "the original C3D (facebookarchive/C3D, C3D-v1.0, video_data_layer.cpp): frames as OpenCV reads \
                them, in BGR. The original subtracts the mean of every voxel of the training clips \
                (sport1m_train16_128_mean.binaryproto); means of the channels stand in for it here",
        crop: Crop { height: 112, width: 112, rounding: Rounding::Down },
        mean: [90.0, 98.0, 102.0],
        channels: Channels::Bgr,
        ..C3D
    },
    Recipe {
        name: "kinetics-112",
        about: "R3D-18, MC3-18 and R(2+1)D-18 of torchvision (models/video/resnet.py, \
                transforms/_presets.py VideoClassification): scaled as bytes without antialias",
        divisor: 255.0,
        mean: [0.43216, 0.394666, 0.37645],
        std: [0.22803, 0.22145, 0.216989],
        rate: Rate::Fps(15.0),
        clips: 5,
        ..C3D
    },
    Recipe {
        name: "imagenet-224",
        about: "torchvision's ImageNet networks (transforms/_presets.py ImageClassification), on frames spread over \
                the video",
        size: Size::ShortEdge(256, Rounding::Down),
        filter: Filter::BilinearAntialias,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        frames: 1,
        rate: Rate::Segments,
        clips: 25,
        ..IMAGENET
    },
    Recipe {
        name: "tsn",
        about: "TSN of MMAction2 (configs/recognition/tsn): 25 segments in the test, the centre crop of its ten",
        size: Size::ShortEdge(256, Rounding::Nearest),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        frames: 25,
        rate: Rate::Segments,
        ..IMAGENET
    },
    Recipe {
        name: "slow-256",
        about: "Slow, C2D and I3D R50 8×8 of PySlowFast (slowfast/datasets/transform.py, configs/Kinetics) and \
                pytorchvideo: 10 clips of the test, the middle of its three crops",
        frames: 8,
        rate: Rate::Stride(8),
        ..SLOWFAST
    },
    Recipe {
        name: "slowfast-256",
        about: "SlowFast of PySlowFast (slowfast/datasets/transform.py, configs/Kinetics) and pytorchvideo: 10 clips \
                of the test, the middle of its three crops",
        ..SLOWFAST
    },
    Recipe {
        name: "mmaction-256",
        about: "I3D R50 and SlowFast of MMAction2 (configs/recognition/i3d, slowfast): 10 clips of the test, the middle \
                of its three crops",
        ..MMACTION
    },
    Recipe {
        name: "mmaction-slow-256",
        about: "SlowOnly 8×8 of MMAction2 (configs/recognition/slowonly): as `mmaction-256`, every eighth frame",
        frames: 8,
        rate: Rate::Stride(8),
        ..MMACTION
    },
    Recipe {
        name: "plain-64",
        about: "the small networks of this crate's own demonstrations",
        size: Size::ShortEdge(64, Rounding::Down),
        filter: Filter::BilinearAntialias,
        bytes: false,
        crop: Crop { height: 64, width: 64, rounding: Rounding::Nearest },
        divisor: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        ..C3D
    },
];

/// ImageNet's mean and standard deviation.
const IMAGENET: Recipe =
    Recipe { divisor: 255.0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], ..C3D };

/// SlowFast's, whose frames are scaled in floats.
const SLOWFAST: Recipe = Recipe {
    size: Size::ShortEdge(256, Rounding::Down),
    bytes: false,
    crop: Crop { height: 256, width: 256, rounding: Rounding::Nearest },
    divisor: 255.0,
    mean: [0.45; 3],
    std: [0.225; 3],
    frames: 32,
    rate: Rate::Stride(2),
    clips: 10,
    ..C3D
};

/// MMAction2's for 3D networks.
const MMACTION: Recipe = Recipe {
    size: Size::ShortEdge(256, Rounding::Nearest),
    crop: Crop { height: 256, width: 256, rounding: Rounding::Down },
    frames: 32,
    rate: Rate::Stride(2),
    clips: 10,
    ..IMAGENET
};

/// What the recipes above have in common with C3D.
const C3D: Recipe = Recipe {
    name: "",
    about: "",
    size: Size::Exact { height: 128, width: 171 },
    filter: Filter::Bilinear,
    bytes: true,
    crop: Crop { height: 112, width: 112, rounding: Rounding::Nearest },
    channels: Channels::Rgb,
    divisor: 1.0,
    mean: [0.0; 3],
    std: [1.0; 3],
    frames: 16,
    rate: Rate::Stride(1),
    clips: 1,
};
