//! The table of networks in README.md and docs/networks.md, made from the networks and their golden files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use kinetograph::models::c3d::{C3d, CONVENTIONS, Pool5};
use kinetograph::models::r3d::{Kind, R3d};
use kinetograph::models::{self, Choices, NETWORKS, Network, Source};
use kinetograph::prepare::PublishedViews;
use kinetograph::weights::{Checkpoint, Inflation, Naming, Weights, save_safetensors};
use kinetograph::{Engine, Graph, Tensor};

use super::files::{about, folders};
use super::{cpu_errors, error};

/// A row of README's table: what it is, its golden files, and how it is run. Weights are called as their publishers call
/// them. Golden files in no row get one by themselves.
type Row = (&'static str, &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    (
        "single frames: ResNet-18 to -152",
        &["resnet-basic", "resnet-bottleneck", "resnet-maps"],
        "run --weights resnet50.pth",
    ),
    ("single frames: VGG-11 to -19", &["vgg", "vgg-bn"], "run --weights vgg16.pth"),
    ("early fusion", &["early-fusion"], "run --weights early.safetensors"),
    ("late fusion, linear layers", &["late-fusion-linear"], "run --weights late.safetensors"),
    ("late fusion, pooling", &["late-fusion-pooling"], "run --weights late.safetensors"),
    ("slow fusion", &["slow-fusion"], "run --weights slow.safetensors"),
    ("C3D, three kinds of pool5", &["c3d"], "run --weights c3d.pickle"),
    ("R3D-18", &["r3d"], "run --weights r3d_18.pth"),
    ("MC3-18", &["mc3"], "run --weights mc3_18.pth"),
    ("R(2+1)D-18", &["r2plus1d"], "run --weights r2plus1d_18.pth"),
    ("S3D", &["s3d", "s3d-base"], "run --weights s3d.pth"),
    ("S3D-G", &["s3d-g", "s3d-g-whole"], "run --weights s3d_howto100m.pth"),
    ("I3D on frames", &["i3d-rgb"], "run --weights rgb_imagenet.pt"),
    ("I3D on frames and flow", &["i3d-flow"], "run --weights rgb_imagenet.pt --weights flow_imagenet.pt"),
    ("I3D ResNet-50", &["i3d-r50", "i3d-r50-mmaction"], "run --weights I3D_8x8_R50.pyth"),
    (
        "I3D ResNet-50, non-local: embedded Gaussian, Gaussian, dot product, concatenation",
        &[
            "nonlocal-mmaction",
            "nonlocal-slowfast",
            "nonlocal-mmaction-gaussian",
            "nonlocal-mmaction-dot",
            "nonlocal-mmaction-concatenation",
        ],
        "run --weights I3D_NLN_8x8_R50.pyth",
    ),
    ("C2D ResNet-50", &["c2d-r50"], "run --weights C2D_8x8_R50.pyth"),
    ("Slow ResNet-50", &["slow-r50"], "run --weights SLOW_8x8_R50.pyth"),
    (
        "SlowFast R50 4×16, R50 8×8, R101 8×8",
        &["slowfast-r50", "slowfast-r50-names", "slowfast-r50-mmaction"],
        "run --weights SLOWFAST_8x8_R50.pyth",
    ),
    (
        "SlowFast R50 on boxes (AVA)",
        &["slowfast-ava", "slowfast-ava-mmaction"],
        "detect --weights SLOWFAST_8x8_R50_DETECTION.pyth",
    ),
    (
        "Slow R50 on boxes (AVA)",
        &["slow-ava", "slow-ava-pytorchvideo"],
        "detect --weights SLOW_4x16_R50_DETECTION.pyth",
    ),
    (
        "long-term feature bank: non-local, maximum, mean",
        &["slow-ava-lfb", "slow-ava-lfb-max", "slow-ava-lfb-avg"],
        "detect --weights slowonly-lfb-nl_ava21.pth --bank-weights slowonly_ava21.pth",
    ),
    (
        "two streams: ResNet and VGG on flow",
        &["resnet-flow", "resnet-flow-action", "vgg-flow"],
        "run --weights rgb.pth --weights flow.pth",
    ),
    (
        "two streams fused: sum, concatenation",
        &["two-stream-fusion-sum", "two-stream-fusion-concat"],
        "run --weights fused.safetensors",
    ),
    ("TSN", &["tsn"], "run --weights tsn_r50.pth"),
    ("CNN and LSTM, an answer a frame (LRCN)", &["lrcn"], "run --weights lrcn.pth"),
    ("CNN and LSTM, an answer a clip", &["cnn-lstm-last"], "run --variant last --weights lstm.pth"),
    ("CNN and LSTMs in two levels", &["cnn-lstm-hierarchical"], "run --weights hierarchical.pth"),
    ("GRU-RCN", &["gru-rcn"], "run --weights gru_rcn.pth"),
    (
        "TimeSformer, divided",
        &["timesformer-divided", "timesformer-original", "timesformer-resized"],
        "run --weights TimeSformer_divST_8x32_224_K400.pyth",
    ),
    ("TimeSformer, joint", &["timesformer-joint"], "run --weights jointST.pyth"),
    ("TimeSformer, space only", &["timesformer-space-only"], "run --weights spaceOnly.pyth"),
    ("ViViT 1, joint", &["vivit"], "run --weights vivit-b-16x2-kinetics400/"),
    ("ViViT 2, factorised encoder", &["vivit-factorised-encoder"], "run --weights vivit2.safetensors"),
    (
        "ViViT 3, factorised self-attention",
        &["vivit-factorised-self-attention"],
        "run --weights vivit3.safetensors",
    ),
    (
        "ViViT 4, factorised dot product",
        &["vivit-factorised-dot-product"],
        "run --weights vivit4.safetensors",
    ),
    (
        "VideoMAE ViT-S, -B, -L",
        &["videomae", "videomae-first", "videomae-original"],
        "run --weights videomae-base-finetuned-kinetics/",
    ),
    ("VTN", &["vtn"], "run --weights VTN_VIT_B_KINETICS.pyth"),
    ("MViT-B 16×4, 32×3", &["mvit-v1", "mvit-v1-pytorchvideo"], "run --weights mvit_v1_b.pth"),
    ("MViTv2-S, -B", &["mvit-v2", "mvit-v2-slowfast"], "run --weights mvit_v2_s.pth"),
    ("Video Swin-T, -S, -B", &["swin", "swin-mmaction"], "run --weights swin3d_t.pth"),
    ("Shuffle and Learn", &["shuffle-and-learn"], "run --weights tuple.pth"),
    ("order of frames, any ResNet", &["frame-order-resnet"], "run --weights order.pth"),
    ("TimeCycle", &["timecycle"], "propagate --weights timecycle.pth --mask first.png"),
    ("contrastive random walk", &["crw", "crw-padded"], "propagate --weights crw.pth --mask first.png"),
    ("SpeedNet", &["speednet"], "speedup clip.mp4 --weights speednet.pth --output faster.mp4"),
    ("temporal cycle consistency, ResNet-50", &["tcc"], "align a.mp4 b.mp4 --weights tcc.pth"),
    ("temporal cycle consistency, VGG-M", &["tcc-vgg-m"], "align a.mp4 b.mp4 --weights tcc.pth"),
    (
        "weights of single frames inflated to 3D",
        &["inflated"],
        "inflate r3d --weights resnet18.pth --mode centre --output r3d.safetensors",
    ),
    ("tracking by colorizing", &["colorizer"], "colorize --weights colorizer.pth --reference first.png"),
];

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/networks.md");
const COMMAND: &str = "UPDATE=1 cargo test --test golden_networks networks_are";

/// What goldens of one kind are compared with, shortly.
fn oracle(about: &str) -> String {
    let end = [", names", ", changed"].iter().filter_map(|cut| about.find(cut)).min();
    about[..end.unwrap_or(about.len())].replace("+cu132", "")
}

/// By golden: the network, the oracle, and the largest error of all that is compared on the CPU executor in f32.
fn goldens() -> BTreeMap<String, (String, String, f64)> {
    let mut all = BTreeMap::from([(
        "c3d".to_owned(),
        ("c3d".to_owned(), "a transcription in PyTorch".to_owned(), c3d_error()),
    )]);
    let itself = "itself on single frames, a clip that stands still".to_owned();
    all.insert("inflated".to_owned(), ("r3d".to_owned(), itself, inflation_error()));
    for (folder, errors) in folders().iter().zip(cpu_errors()) {
        let about = about(folder);
        let worst = errors.iter().fold(0f64, |m, (_, e)| m.max(*e));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        all.insert(name, (about["network"].clone(), oracle(&about["oracle"]), worst));
    }
    all
}

/// The largest error of the logits of C3D, whose golden files are of another kind.
fn c3d_error() -> f64 {
    let each = Pool5::ALL.map(|pool5| {
        let path = format!("{}/tests/golden/c3d/{}.safetensors", env!("CARGO_MANIFEST_DIR"), pool5.name());
        let file = Checkpoint::open(path).unwrap();
        let clip = file.tensor("clip").unwrap().to_f32();
        let clip = Tensor::from_fn(clip.shape(), |i| (clip.f32s().unwrap()[i] - 128.0) / 64.0).unwrap();
        let want = file.tensor("logits").unwrap();
        let config = C3d { width: 4, features: 16, classes: Some(7), frames: 16, size: 48, pool5 };
        let canonical = Weights::shapes();
        config.build(1, &canonical).unwrap();
        let naming = Naming::detect(&file, CONVENTIONS, &canonical.names()).unwrap();
        let graph = config.build(1, &Weights::new(file, naming)).unwrap();
        let clip = clip.permute(&[0, 2, 3, 4, 1]).unwrap();
        error(&Engine::cpu().plan(&graph).unwrap().run(&[("clip", clip)]).unwrap()["logits"], &want)
    });
    each.into_iter().fold(0.0, f64::max)
}

/// The difference between the logits of an inflated network on a clip that stands still and those of its counterpart on
/// one of the frames.
fn inflation_error() -> f64 {
    let path =
        format!("{}/tests/golden/networks/resnet-basic/weights.safetensors", env!("CARGO_MANIFEST_DIR"));
    let checkpoint = Checkpoint::open(path).unwrap();
    let made = models::find("r3d").unwrap().inflate(None, &checkpoint, Inflation::Centre).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r3d.safetensors");
    save_safetensors(&file, &made.tensors).unwrap();
    let (frames, size) = (4, 32);
    let choices = Choices { frames: Some(frames), size: Some(size), ..Choices::default() };
    let volume = models::load(&file, &choices).unwrap().graph;
    let flat = R3d {
        stem: Kind::Spatial,
        stages: [Kind::Spatial; 4],
        blocks: [2, 1, 2, 1],
        width: 8,
        classes: Some(7),
        frames: 1,
        size,
        ..R3d::r3d18()
    };
    let frame = flat.build(1, &Weights::new(checkpoint, made.naming)).unwrap();
    let run = |graph: &Graph, frames: usize| {
        let one = size * size * 3;
        let clip =
            Tensor::from_fn(&[1, frames, size, size, 3], |i| ((i % one * 37) % 101) as f32 / 50.0 - 1.0);
        Engine::cpu().plan(graph).unwrap().run(&[("clip", clip.unwrap())]).unwrap()["logits"].clone()
    };
    error(&run(&volume, frames), &run(&frame, 1))
}

/// One digit, rounded up: what errors of this machine and others stay near.
fn digit(error: f64) -> String {
    let power = 10f64.powf(error.log10().floor());
    format!("{:.0e}", (error / power).ceil() * power)
}

/// README's table, and the errors measured for its rows.
fn table() -> (String, Vec<f64>) {
    let goldens = goldens();
    let mut text = String::from(
        "| network | compared with | largest error | `kinetograph … --input clip.mp4` |\n|---|---|---|---|\n",
    );
    let mut shown = BTreeSet::new();
    let mut worst = Vec::new();
    let mut row = |title: &str, names: &[&str], command: &str| {
        let members = names.iter().map(|name| {
            assert!(shown.insert((*name).to_owned()), "{name} is in two rows");
            goldens.get(*name).unwrap_or_else(|| panic!("{name} is no golden file"))
        });
        let members: Vec<_> = members.collect();
        let networks: BTreeSet<String> = members.iter().map(|m| format!("`{}`", m.0)).collect();
        let oracles: BTreeSet<&str> = members.iter().map(|m| &*m.1).collect();
        let error = members.iter().fold(0f64, |m, g| m.max(g.2));
        let joined = |all: Vec<&str>| all.join(", ");
        let networks = joined(networks.iter().map(String::as_str).collect());
        let oracles = joined(oracles.into_iter().collect());
        writeln!(text, "| {title} ({networks}) | {oracles} | {} | `{command}` |", digit(error)).unwrap();
        worst.push(error);
    };
    for (title, names, command) in ROWS {
        row(title, names, command);
    }
    let known: BTreeSet<&str> = ROWS.iter().flat_map(|r| r.1.iter().copied()).collect();
    for (name, (network, ..)) in goldens.iter().filter(|g| !known.contains(g.0.as_str())) {
        row(&name.replace('-', " "), &[name], &format!("run --weights {network}.pth"));
    }
    (text, worst)
}

fn section(network: &Network, goldens: &BTreeMap<String, (String, String, f64)>) -> String {
    let mut text = format!("\n## `{}`\n\n{}. {}.\n\n", network.name, network.title, network.paper);
    text += "| variant | parameters, millions | GMAC a view | input | recipe | views | published |\n|---|---|---|---|---|---|---|\n";
    for v in network.variants {
        let design = network.published(Some(v.name)).unwrap();
        let weights = Weights::shapes();
        let graph = design.build(1, &weights).unwrap();
        let input = graph.inputs().map(|(_, t)| t.shape.to_string()).collect::<Vec<_>>().join(", ");
        let recipes =
            design.inputs.iter().filter(|i| !matches!(i.source, Source::Boxes(_) | Source::Bank { .. }));
        let recipes = recipes.map(|i| format!("`{}`", i.source)).collect::<Vec<_>>().join(", ");
        let views = PublishedViews::of(&design.inputs).unwrap();
        let views = views.map_or("–".into(), |v| format!("{} × {}", v.clips, v.crops));
        let (params, gmac) = (weights.parameters() as f64 / 1e6, graph.flops() as f64 / 2e9);
        writeln!(
            text,
            "| `{}` | {params:.2} | {gmac:.1} | {input} | {recipes} | {views} | {} |",
            v.name,
            v.published.replace('|', "\\|")
        )
        .unwrap();
    }
    text += "\nCheckpoints recognised:\n\n";
    for convention in network.conventions {
        writeln!(text, "- {}", convention.source).unwrap();
    }
    let own = goldens.iter().filter(|g| g.1.0 == network.name && g.0 != "inflated");
    let own = own.map(|(name, (_, oracle, _))| format!("`{name}`: {oracle}")).collect::<Vec<_>>().join("; ");
    writeln!(text, "\nGolden files: {own}.").unwrap();
    text
}

/// docs/networks.md.
fn document() -> String {
    let mut text = format!(
        "# The networks\n\n\
         Written by `{COMMAND}`; the test compares. Parameters are what training would learn; GMAC are billions of \
         multiply-adds of one view, which papers often call GFLOPs. Views are the clips and crops over which the published \
         evaluation averages, and `run` by default. What is published is cited, not measured here.\n"
    );
    let goldens = goldens();
    NETWORKS.iter().for_each(|network| text += &section(network, &goldens));
    text
}

#[test]
fn networks_are_in_readme() {
    let (table, errors) = table();
    let readme = std::fs::read_to_string(README).unwrap();
    let start = readme.find("<!-- networks").unwrap();
    let start = start + readme[start..].find("-->\n").unwrap() + 4;
    let end = readme.find("<!-- end of networks").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(README, [&readme[..start], &table, &readme[end..]].concat()).unwrap();
    }
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let found: Vec<Vec<String>> = readme[start..end].lines().map(cells).collect();
    let made: Vec<Vec<String>> = table.lines().map(cells).collect();
    assert_eq!(found.len(), made.len(), "README.md: run `{COMMAND}`");
    for (i, (found, made)) in found.iter().zip(&made).enumerate() {
        // Rounding differs between processors: the error need only be near.
        let apart = |cells: &[String]| {
            let mut rest = cells.to_vec();
            (i > 1).then(|| rest.remove(2));
            rest
        };
        assert_eq!(apart(found), apart(made), "README.md: run `{COMMAND}`");
        if let Some(measured) = i.checked_sub(2).map(|i| errors[i]) {
            let stated: f64 = found[2].parse().unwrap();
            assert!(stated <= 1e-5 && measured <= 4.0 * stated, "{}: {measured:e}", found[0]);
        }
    }
}

#[test]
fn networks_are_in_the_document() {
    let made = document();
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(DOCUMENT, made).unwrap();
    }
    let found = std::fs::read_to_string(DOCUMENT).unwrap();
    let other = found.lines().zip(made.lines()).find(|(f, m)| f != m);
    assert!(other.is_none() && found.lines().count() == made.lines().count(), "run `{COMMAND}`: {other:?}");
}

/// Every golden file is of a network whose row names it.
#[test]
fn rows_are_of_goldens() {
    let (table, errors) = table();
    assert_eq!(table.lines().count(), errors.len() + 2);
    for network in NETWORKS {
        assert!(table.contains(&format!("`{}`", network.name)), "{} has no row", network.name);
    }
    assert!(Path::new(DOCUMENT).exists());
    assert_eq!([digit(1.2e-7), digit(9.5e-7)], ["2e-7", "1e-6"]);
}
