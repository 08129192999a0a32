//! The flow recipes of published networks.

use super::recipe::{FlowRecipe, Windows};
use super::{Encoding, Order};
use crate::video::resize::Filter;
use crate::video::{Crop, Crops, Rounding, Size};

/// The recipes known by name.
///
/// | name | frames | flow | scaled, crop | normalised | stack | clips × crops |
/// |---|---|---|---|---|---|---|
/// | `i3d-flow-jpg` | short edge 256 | 8 bits, ±20 | –, 224 | x / 127.5 − 1 | `[64, H, W, 2]` | 1 |
/// | `i3d-flow` | short edge 256, 25 fps | ±20 to ±1 | –, 224 | – | `[64, H, W, 2]` | 1 |
/// | `plain-flow-64` | short edge 64 | 8 bits, ±4 | –, 64 | (x − 128) / 128 | 10, interleaved | 1 |
/// | `tsn-caffe-flow` | 256×340 | 8 bits, ±20 | –, 224 | x − 128 | 5, interleaved | 25 × 10 |
/// | `tsn-mmaction-flow` | short edge 320 | 8 bits, ±20 | short edge 256, 224 | (x − 128) / 128 | 5, interleaved | 25 × 10 |
/// | `two-stream-bryanyzhu-flow` | as the video | 8 bits, ±20 | 256×340, 224 | (x / 255 − 0.5) / 0.226 | 10, interleaved | 25 × 10 |
/// | `two-stream-jeffreyyihuang-flow` | short edge 256 | 8 bits, ±20 | 224×224, – | x / 255 | 10, rotated | 19 |
///
/// The published networks were trained with TV-L1 of some version of OpenCV, mostly that for CUDA, and but for `i3d` with
/// pictures in JPEG between flow and network.
pub const FLOW_RECIPES: &[FlowRecipe] = &[
    FlowRecipe {
        name: "i3d-flow",
        about: "I3D of deepmind/kinetics-i3d (README, Sample data and preprocessing): frames at 25 a second, flow \
                within 20 pixels rescaled to -1 to 1. It does not say whether frames are scaled before or after; here \
                before",
        fps: Some(25.0),
        frame_size: Some(Size::ShortEdge(256, Rounding::Down)),
        encoding: Encoding::Scaled { bound: 20.0 },
        crop: Some(Crop { height: 224, width: 224, rounding: Rounding::Nearest }),
        mean: 0.0,
        std: 1.0,
        flows: 64,
        order: Order::Frames,
        test_frames: Some(250),
        ..PLAIN
    },
    FlowRecipe {
        name: "i3d-flow-jpg",
        about: "I3D of piergiaj/pytorch-i3d (charades_dataset.py, videotransforms.py CenterCrop): flow from pictures, \
                x / 255 * 2 - 1, where what does not move is 0.004. The size at which it was estimated is not told",
        frame_size: Some(Size::ShortEdge(256, Rounding::Down)),
        encoding: Encoding::Levels { bound: 20.0 },
        crop: Some(Crop { height: 224, width: 224, rounding: Rounding::Nearest }),
        mean: 127.5,
        std: 127.5,
        flows: 64,
        order: Order::Frames,
        test_frames: Some(250),
        ..PLAIN
    },
    PLAIN,
    FlowRecipe {
        name: "tsn-caffe-flow",
        about: "temporal segment networks in Caffe (yjxiong/temporal-segment-networks: \
                scripts/extract_optical_flow.sh, tools/eval_net.py, pyActionRecog/action_caffe.py): frames of 340x256, \
                128 subtracted from levels; ten crops",
        frame_size: Some(Size::Exact { height: 256, width: 340 }),
        encoding: Encoding::Levels { bound: 20.0 },
        crop: Some(Crop { height: 224, width: 224, rounding: Rounding::Down }),
        std: 1.0,
        flows: 5,
        windows: Windows::StepsToEnd,
        clips: 25,
        crops: Crops::Ten,
        ..PLAIN
    },
    FlowRecipe {
        name: "tsn-mmaction-flow",
        about: "TSN of MMAction2 (configs/recognition/tsn/tsn_imagenet-pretrained-r50_8xb32_5x1x3-110e_kinetics400-\
                flow.py), whose flow was taken by denseflow at a short edge of 320; ten crops in the test",
        frame_size: Some(Size::ShortEdge(320, Rounding::Nearest)),
        encoding: Encoding::Levels { bound: 20.0 },
        size: Some((Size::ShortEdge(256, Rounding::Nearest), Filter::Bilinear)),
        crop: Some(Crop { height: 224, width: 224, rounding: Rounding::Down }),
        flows: 5,
        windows: Windows::Ends,
        clips: 25,
        crops: Crops::Ten,
        ..PLAIN
    },
    FlowRecipe {
        name: "two-stream-bryanyzhu-flow",
        about: "VGG-16 and ResNet-152 of bryanyzhu/two-stream-pytorch (datasets/build_of.py, main_single_gpu.py, \
                scripts/eval_ucf101_pytorch/VideoTemporalPrediction.py): flow at the size of the video, its levels scaled \
                to 340x256. Ten crops in the test, of which the middle ones begin at column 60 there and at 58 \
                here",
        frame_size: None,
        encoding: Encoding::Levels { bound: 20.0 },
        size: Some((Size::Exact { height: 256, width: 340 }, Filter::Bilinear)),
        crop: Some(Crop { height: 224, width: 224, rounding: Rounding::Nearest }),
        divisor: 255.0,
        mean: 0.5,
        std: 0.226,
        windows: Windows::Steps,
        clips: 25,
        crops: Crops::Ten,
        ..PLAIN
    },
    FlowRecipe {
        name: "two-stream-jeffreyyihuang-flow",
        about: "ResNet-101 of jeffreyyihuang/two-stream-action-recognition (dataloader/motion_dataloader.py): the flow \
                of feichtenhofer/twostreamfusion (gpu_flow, README: frames with a short edge of 256, scaled bicubically \
                there, bilinearly here), its levels squeezed to 224x224 by PIL, stacked with the first pair last",
        frame_size: Some(Size::ShortEdge(256, Rounding::Down)),
        encoding: Encoding::Levels { bound: 20.0 },
        size: Some((Size::Exact { height: 224, width: 224 }, Filter::BilinearAntialias)),
        crop: None,
        divisor: 255.0,
        mean: 0.0,
        std: 1.0,
        order: Order::Rotated,
        windows: Windows::Steps,
        clips: 19,
        ..PLAIN
    },
];

/// The recipe of this crate's own demonstration; the others say where they differ.
const PLAIN: FlowRecipe = FlowRecipe {
    name: "plain-flow-64",
    about: "the small networks of this crate's own demonstrations",
    fps: None,
    frame_size: Some(Size::ShortEdge(64, Rounding::Down)),
    encoding: Encoding::Levels { bound: 4.0 },
    size: None,
    crop: Some(Crop { height: 64, width: 64, rounding: Rounding::Nearest }),
    divisor: 1.0,
    mean: 128.0,
    std: 128.0,
    flows: 10,
    order: Order::Interleaved,
    windows: Windows::Middles,
    clips: 1,
    crops: Crops::One,
    test_frames: None,
};
