//! The recipes of published networks.

use super::Crops;
use super::recipe::{Channels, Crop, Rate, Recipe, Rounding, Size};
use super::resize::Filter;

/// The recipes known by name. Clips and crops are those of the published evaluation; one crop is left out.
///
/// | name | size, filter | crop | levels | mean, std | clips × crops × frames |
/// |---|---|---|---|---|---|
/// | `c3d-mmaction` | short edge 128, bilinear | 112 | 0–255 RGB | 104, 117, 128; 1 | 10 × 16 frames |
/// | `c3d-jfzhang` | 128×171, bilinear | 112 | 0–255 BGR | 90, 98, 102; 1 | 1 × 16 |
/// | `c3d-davidea` | 112×200, bilinear | 112 | 0–255 RGB | none | 10 × 16 |
/// | `c3d-caffe` | 128×171, bilinear | 112 | 0–255 BGR | 90, 98, 102; 1 | 10 × 16 |
/// | `kinetics-112` | 128×171, bilinear | 112 | 0–1 RGB | of Kinetics | 5 × 16 at 15 fps |
/// | `kinetics-224` | 256×256, bilinear | 224 | 0–1 RGB | of Kinetics | 1 × 128 at 15 fps |
/// | `i3d-rgb` | short edge 256, bilinear | 224 | 0–1 RGB | 0.5; 0.5 | 1 × 64 (in the test 250) at 25 fps |
/// | `howto100m` | short edge 224, bicubic with antialias | 224 | 0–1 RGB | none | 10 × 32 |
/// | `imagenet-224` | short edge 256, bilinear with antialias | 224 | 0–1 RGB | of ImageNet | 25 × 1 |
/// | `tsn` | short edge 256, bilinear | 224 | 0–1 RGB | of ImageNet | 1 × 10 × 25 segments |
/// | `two-stream-bryanyzhu` | 256×340, bilinear | 224 | 0–1 RGB | of ImageNet | 25 × 10 × 1 |
/// | `two-stream-jeffreyyihuang` | 224×224, bilinear with antialias | – | 0–1 RGB | of ImageNet | 19 × 1 |
/// | `timesformer` | short edge 224, bilinear | 224 | 0–1 RGB | 0.45; 0.225 | 1 × 3 × 8, 32 apart |
/// | `timesformer-hr` | short edge 448, bilinear | 448 | 0–1 RGB | 0.45; 0.225 | 1 × 3 × 16, 16 apart |
/// | `timesformer-long` | short edge 224, bilinear | 224 | 0–1 RGB | 0.45; 0.225 | 1 × 3 × 96, 4 apart |
/// | `videomae` | short edge 224, bilinear | 224 | 0–1 RGB | of ImageNet | 5 × 3 × 16, 4 apart |
/// | `vivit` | short edge 256, bilinear | 224 | −1–1 RGB | none | 4 × 3 × 32, 2 apart |
/// | `vtn` | short edge 256, bilinear | 224 | 0–1 RGB | 0.45; 0.225 | 1 × 250 at 25 fps |
/// | `mvit-torchvision` | short edge 256, bilinear | 224 | 0–1 RGB | 0.45; 0.225 | 5 × 16 at 7.5 fps |
/// | `mvit-16x4` | short edge 256, bilinear, in floats | 224 | 0–1 RGB | 0.45; 0.225 | 5 × 16 at 7.5 fps |
/// | `mvit-32x3` | short edge 256, bilinear, in floats | 224 | 0–1 RGB | 0.45; 0.225 | 5 × 32 at 10 fps |
/// | `swin-torchvision` | short edge 256, bilinear | 224 | 0–1 RGB | of ImageNet | 12 × 32 at 15 fps |
/// | `swin-mmaction` | short edge 224, bilinear | 224 | 0–1 RGB | of ImageNet | 4 × 3 × 32, every second |
/// | `crw` | short edge 320, bilinear, in floats | 320 | 0–1 RGB | of ImageNet | 1 × 1 |
/// | `timecycle` | short edge 320, bilinear, in floats | 320 | 0–1 RGB | of ImageNet | 1 × 1 |
/// | `tcc` | 224×224, bilinear, in floats | – | 0–1 RGB | 0.5; 0.5 | 1 × 2, 15 apart |
/// | `speednet` | short edge 224, bilinear with antialias | 224 | 0–1 RGB | 0.5; 0.5 | 1 × 64 |
/// | `colorizer` | short edge 256, bilinear with antialias | 256 | 0–1 RGB | 0.5; 0.5 | 1 × 4 |
/// | `shuffle-and-learn` | 256×340, bilinear, in floats | 227 | 0–255 BGR | 104, 117, 124; 1 | 1 × 3 segments |
/// | `frame-order` | short edge 256, bilinear with antialias | 224 | 0–1 RGB | of ImageNet | 1 × 3 segments |
/// | `slow-256` | short edge 256, bilinear | 256 | 0–1 RGB | 0.45; 0.225 | 10 × 3 × 8, every 8th |
/// | `slow-4x16` | short edge 256, bilinear | 256 | 0–1 RGB | 0.45; 0.225 | 10 × 3 × 4, every 16th |
/// | `slowfast-256` | short edge 256, bilinear | 256 | 0–1 RGB | 0.45; 0.225 | 10 × 3 × 32, every 2nd |
/// | `mmaction-256` | short edge 256, bilinear | 256 | 0–1 RGB | of ImageNet | 10 × 3 × 32, every 2nd |
/// | `mmaction-slow-256` | short edge 256, bilinear | 256 | 0–1 RGB | of ImageNet | 10 × 3 × 8, every 8th |
/// | `mmaction-slow-4x16` | short edge 256, bilinear | 256 | 0–1 RGB | of ImageNet | 10 × 3 × 4, every 16th |
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
        about: "C3D of DavideA/c3d-pytorch (predict.py): scikit-image scales in floats, nothing is \
                subtracted. 10 clips as the paper's section 3.3",
        size: Size::Exact { height: 112, width: 200 },
        bytes: false,
        clips: 10,
        ..C3D
    },
    Recipe {
        name: "c3d-caffe",
        about: "the original C3D (facebookarchive/C3D, C3D-v1.0, video_data_layer.cpp): frames as OpenCV reads \
                them, in BGR. The original subtracts the mean of every voxel of the training clips \
                (sport1m_train16_128_mean.binaryproto); means of the channels stand in for it here. 10 clips as the \
                paper's section 3.3",
        crop: Crop { height: 112, width: 112, rounding: Rounding::Down },
        mean: [90.0, 98.0, 102.0],
        channels: Channels::Bgr,
        clips: 10,
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
        name: "kinetics-224",
        about: "S3D of torchvision (models/video/s3d.py, transforms/_presets.py VideoClassification): scaled as bytes \
                without antialias, to a square",
        size: Size::Exact { height: 256, width: 256 },
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        divisor: 255.0,
        mean: [0.43216, 0.394666, 0.37645],
        std: [0.22803, 0.22145, 0.216989],
        frames: 128,
        rate: Rate::Fps(15.0),
        ..C3D
    },
    Recipe {
        name: "i3d-rgb",
        about: "I3D on frames (google-deepmind/kinetics-i3d, README; levels from -1 to 1 as piergiaj/pytorch-i3d, \
                charades_dataset.py), and kylemin/S3D. The paper's test takes the whole video, 250 frames of 10 \
                seconds, at once",
        size: Size::ShortEdge(256, Rounding::Nearest),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        divisor: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        frames: 64,
        rate: Rate::Fps(25.0),
        test_frames: Some(250),
        ..C3D
    },
    Recipe {
        name: "howto100m",
        about: "S3D-G of HowTo100M (antoine77340/MIL-NCE_HowTo100M, hmdb_loader.py): the square in the centre, scaled \
                by ffmpeg's bicubic filter, for which the one here stands in",
        size: Size::ShortEdge(224, Rounding::Nearest),
        filter: Filter::BicubicAntialias,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        divisor: 255.0,
        frames: 32,
        clips: 10,
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
        about: "TSN of MMAction2 (configs/recognition/tsn): 25 segments in the test, ten crops",
        size: Size::ShortEdge(256, Rounding::Nearest),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        frames: 25,
        rate: Rate::Segments,
        crops: Crops::Ten,
        test_frames: Some(25),
        ..IMAGENET
    },
    Recipe {
        name: "timesformer",
        about: "TimeSformer of facebookresearch/TimeSformer (configs/Kinetics/TimeSformer_divST_8x32_224.yaml; \
                timesformer/datasets/kinetics.py, the test): one clip in time, three crops. Scaled in \
                floats",
        size: Size::ShortEdge(224, Rounding::Down),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Up },
        rate: Rate::Stride(32),
        frames: 8,
        crops: Crops::Three,
        ..PYSLOWFAST
    },
    Recipe {
        name: "timesformer-hr",
        about: "TimeSformer-HR (TimeSformer_divST_16x16_448.yaml)",
        size: Size::ShortEdge(448, Rounding::Down),
        crop: Crop { height: 448, width: 448, rounding: Rounding::Up },
        rate: Rate::Stride(16),
        frames: 16,
        crops: Crops::Three,
        ..PYSLOWFAST
    },
    Recipe {
        name: "timesformer-long",
        about: "TimeSformer-L (TimeSformer_divST_96x4_224.yaml)",
        size: Size::ShortEdge(224, Rounding::Down),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Up },
        rate: Rate::Stride(4),
        frames: 96,
        crops: Crops::Three,
        ..PYSLOWFAST
    },
    Recipe {
        name: "videomae",
        about: "VideoMAE fine-tuned on Kinetics-400 (MCG-NJU/VideoMAE, kinetics.py, validation and test; the published \
                preprocessor_config.json): 16 frames, 4 apart, 5 clips, three crops",
        size: Size::ShortEdge(224, Rounding::Down),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        rate: Rate::Stride(4),
        clips: 5,
        crops: Crops::Three,
        ..IMAGENET
    },
    Recipe {
        name: "vivit",
        about: "ViViT of google-research/scenic (projects/vivit/configs/kinetics400, \
                data/video_tfrecord_dataset.py): levels from -1 to 1, 4 clips of three crops",
        size: Size::ShortEdge(256, Rounding::Nearest),
        bytes: false,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        divisor: 127.5,
        mean: [1.0; 3],
        frames: 32,
        rate: Rate::Stride(2),
        clips: 4,
        crops: Crops::Three,
        ..C3D
    },
    Recipe {
        name: "vtn",
        about: "VTN of bomri/SlowFast (configs/Kinetics/VIT_B_VTN.yaml, kinetics.py, full-video evaluation): the whole \
                video at 25 frames a second",
        size: Size::ShortEdge(256, Rounding::Down),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Up },
        rate: Rate::Fps(25.0),
        frames: 250,
        ..PYSLOWFAST
    },
    Recipe {
        name: "mvit-torchvision",
        about: "MViT of torchvision (models/video/mvit.py, transforms/_presets.py VideoClassification): scaled as bytes \
                without antialias",
        bytes: true,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        ..MVIT
    },
    Recipe {
        name: "mvit-16x4",
        about: "MViT of 16 frames of facebookresearch/SlowFast (configs/Kinetics, datasets/kinetics.py, one spatial crop) \
                and PyTorchVideo: every fourth frame of 30 a second",
        ..MVIT
    },
    Recipe {
        name: "mvit-32x3",
        about: "MViT of 32 frames of facebookresearch/SlowFast (configs/Kinetics, datasets/kinetics.py, one spatial crop) \
                and PyTorchVideo: every third frame of 30 a second",
        frames: 32,
        rate: Rate::Fps(10.0),
        ..MVIT
    },
    Recipe {
        name: "swin-torchvision",
        about: "Video Swin of torchvision (models/video/swin_transformer.py, transforms/_presets.py \
                VideoClassification): scaled as bytes without antialias",
        size: Size::ShortEdge(256, Rounding::Down),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        frames: 32,
        rate: Rate::Fps(15.0),
        clips: 12,
        ..IMAGENET
    },
    Recipe {
        name: "swin-mmaction",
        about: "Video Swin of SwinTransformer/Video-Swin-Transformer (configs/recognition/swin): 4 clips of three crops",
        size: Size::ShortEdge(224, Rounding::Nearest),
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        frames: 32,
        rate: Rate::Stride(2),
        clips: 4,
        crops: Crops::Three,
        ..IMAGENET
    },
    Recipe {
        name: "tcc",
        about: "temporal cycle consistency of google-research/tcc (datasets.py): a frame and the one 15 frames before it, \
                scaled to a square in floats",
        size: Size::Exact { height: 224, width: 224 },
        bytes: false,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        divisor: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        frames: 2,
        rate: Rate::Stride(15),
        ..C3D
    },
    Recipe {
        name: "speednet",
        about: "SpeedNet (arXiv:2004.06130): frames 224 pixels high in succession; levels from -1 to 1, as S3D's \
                authors have them",
        size: Size::ShortEdge(224, Rounding::Nearest),
        filter: Filter::BilinearAntialias,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        divisor: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        frames: 64,
        rate: Rate::Stride(1),
        ..C3D
    },
    Recipe {
        name: "crw",
        about: "the contrastive random walk of ajabri/videowalk (code/data/vos.py), which scales floats and takes whole \
                frames where a square is cut from the centre here",
        size: Size::ShortEdge(320, Rounding::Down),
        bytes: false,
        crop: Crop { height: 320, width: 320, rounding: Rounding::Down },
        frames: 1,
        ..IMAGENET
    },
    Recipe {
        name: "timecycle",
        about: "TimeCycle of xiaolonw/TimeCycle (models/dataset/davis_test.py), which scales whole frames to a square where one \
                is cut from the centre here",
        size: Size::ShortEdge(320, Rounding::Down),
        bytes: false,
        crop: Crop { height: 320, width: 320, rounding: Rounding::Down },
        frames: 1,
        ..IMAGENET
    },
    Recipe {
        name: "colorizer",
        about: "tracking by colorizing (Vondrick et al. 2018): the network makes brightness from −1 to 1 of these colours",
        size: Size::ShortEdge(256, Rounding::Nearest),
        filter: Filter::BilinearAntialias,
        crop: Crop { height: 256, width: 256, rounding: Rounding::Down },
        mean: [0.5; 3],
        std: [0.5; 3],
        frames: 4,
        ..IMAGENET
    },
    Recipe {
        name: "shuffle-and-learn",
        about: "Shuffle and Learn of imisra/shuffle-tuple (python_layers/multiple_image_multiple_label_data_layer.py), the \
                centre of what it crops in training; the three frames are spread over the video",
        size: Size::Exact { height: 256, width: 340 },
        bytes: false,
        crop: Crop { height: 227, width: 227, rounding: Rounding::Down },
        channels: Channels::Bgr,
        mean: [103.939, 116.779, 123.68],
        frames: 3,
        rate: Rate::Segments,
        ..C3D
    },
    Recipe {
        name: "frame-order",
        about: "frame-order networks with torchvision's ResNet (transforms/_presets.py ImageClassification), on frames \
                spread over the video",
        size: Size::ShortEdge(256, Rounding::Down),
        filter: Filter::BilinearAntialias,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Nearest },
        frames: 3,
        rate: Rate::Segments,
        ..IMAGENET
    },
    Recipe {
        name: "slow-256",
        about: "Slow, C2D and I3D R50 8×8 of PySlowFast (slowfast/datasets/transform.py, configs/Kinetics) and \
                pytorchvideo: 10 clips of three crops in the test",
        frames: 8,
        rate: Rate::Stride(8),
        ..SLOWFAST
    },
    Recipe {
        name: "slow-4x16",
        about: "Slow R50 4×16 of pytorchvideo on boxes (slow_r50_detection): as `slow-256`, every 16th frame",
        frames: 4,
        rate: Rate::Stride(16),
        ..SLOWFAST
    },
    Recipe {
        name: "slowfast-256",
        about: "SlowFast of PySlowFast (slowfast/datasets/transform.py, configs/Kinetics) and pytorchvideo: 10 clips of three crops in the test",
        ..SLOWFAST
    },
    Recipe {
        name: "mmaction-256",
        about: "I3D R50 and SlowFast of MMAction2 (configs/recognition/i3d, slowfast): 10 clips of three crops in the test",
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
        name: "mmaction-slow-4x16",
        about: "SlowOnly 4×16 of MMAction2 (configs/recognition/slowonly, configs/detection): as `mmaction-256`, every 16th \
                frame",
        frames: 4,
        rate: Rate::Stride(16),
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
    Recipe {
        name: "two-stream-bryanyzhu",
        about: "the spatial stream of bryanyzhu/two-stream-pytorch \
                (scripts/eval_ucf101_pytorch/VideoSpatialPrediction.py), frames spread over the video, ten crops",
        size: Size::Exact { height: 256, width: 340 },
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        frames: 1,
        rate: Rate::Segments,
        clips: 25,
        crops: Crops::Ten,
        ..IMAGENET
    },
    Recipe {
        name: "two-stream-jeffreyyihuang",
        about: "the spatial stream of jeffreyyihuang/two-stream-action-recognition (dataloader/spatial_dataloader.py): \
                frames squeezed into a square, spread over the video",
        size: Size::Exact { height: 224, width: 224 },
        filter: Filter::BilinearAntialias,
        crop: Crop { height: 224, width: 224, rounding: Rounding::Down },
        frames: 1,
        rate: Rate::Segments,
        clips: 19,
        ..IMAGENET
    },
];

/// What PySlowFast's networks have in common: scaled in floats, one mean and deviation for all channels.
const PYSLOWFAST: Recipe = Recipe { bytes: false, divisor: 255.0, mean: [0.45; 3], std: [0.225; 3], ..C3D };

/// What the recipes of MViT have in common.
const MVIT: Recipe = Recipe {
    size: Size::ShortEdge(256, Rounding::Down),
    crop: Crop { height: 224, width: 224, rounding: Rounding::Up },
    rate: Rate::Fps(7.5),
    clips: 5,
    ..PYSLOWFAST
};

/// ImageNet's mean and standard deviation.
const IMAGENET: Recipe =
    Recipe { divisor: 255.0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], ..C3D };

/// SlowFast's, whose frames are scaled in floats.
const SLOWFAST: Recipe = Recipe {
    size: Size::ShortEdge(256, Rounding::Down),
    crop: Crop { height: 256, width: 256, rounding: Rounding::Up },
    frames: 32,
    rate: Rate::Stride(2),
    clips: 10,
    crops: Crops::Three,
    ..PYSLOWFAST
};

/// MMAction2's for 3D networks.
const MMACTION: Recipe = Recipe {
    size: Size::ShortEdge(256, Rounding::Nearest),
    crop: Crop { height: 256, width: 256, rounding: Rounding::Down },
    frames: 32,
    rate: Rate::Stride(2),
    clips: 10,
    crops: Crops::Three,
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
    crops: Crops::One,
    test_frames: None,
};
