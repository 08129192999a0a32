//! Blocks of several layers against PyTorch: `tools/golden_blocks.py` made the file. PyTorch computes layer by layer,
//! here a block comes to as few nodes as its products.

use std::path::Path;

use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::ops::{BatchNorm, Conv3d, ConvTranspose3d, Layout};
use kinetograph::{Activation, Engine, Graph, Result, Tensor, Value};
use safetensors::SafeTensors;

/// Largest difference, relative to the largest magnitude.
const TOLERANCE: f64 = 2e-6;

/// The tensors of a block, by their names within it.
struct Block<'a> {
    file: &'a SafeTensors<'a>,
    name: &'static str,
}

impl Block<'_> {
    fn tensor(&self, name: &str, layout: Layout) -> Tensor {
        let view = self.file.tensor(&format!("{}/{name}", self.name)).unwrap();
        let words = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let tensor = Tensor::new(view.shape(), words.collect::<Vec<_>>()).unwrap();
        match layout.from_torch(view.shape().len()) {
            Some(order) => tensor.permute(&order).unwrap(),
            None => tensor,
        }
    }

    fn constant(&self, g: &mut Graph, name: &str, layout: Layout) -> Value {
        g.constant(name, self.tensor(name, layout))
    }

    fn conv(&self, g: &mut Graph, x: Value, name: &str, a: &Conv3d) -> Result<Value> {
        let weight = self.constant(g, &format!("{name}.weight"), Layout::ConvWeight);
        let bias = format!("{name}.bias");
        let has_bias = self.file.tensor(&format!("{}/{bias}", self.name)).is_ok();
        let bias = has_bias.then(|| self.constant(g, &bias, Layout::Plain));
        g.conv3d(x, weight, bias, a)
    }

    fn linear(&self, g: &mut Graph, x: Value, name: &str) -> Result<Value> {
        let weight = self.constant(g, &format!("{name}.weight"), Layout::LinearWeight);
        let bias = self.constant(g, &format!("{name}.bias"), Layout::Plain);
        g.linear(x, weight, Some(bias))
    }

    fn batch_norm(&self, g: &mut Graph, x: Value, name: &str, eps: f32, affine: bool) -> Result<Value> {
        let mut vector = |part: &str| self.constant(g, &format!("{name}.{part}"), Layout::Plain);
        let statistics = [vector("running_mean"), vector("running_var")];
        let (weight, bias) =
            if affine { (Some(vector("weight")), Some(vector("bias"))) } else { (None, None) };
        g.batch_norm(x, statistics, weight, bias, &BatchNorm { eps, ..BatchNorm::default() })
    }
}

fn residual(g: &mut Graph, b: &Block<'_>, x: Value) -> Result<Value> {
    let stride = [1, 2, 2];
    let y = b.conv(g, x, "conv1", &Conv3d { stride, ..Conv3d::padded([1; 3]) })?;
    let y = b.batch_norm(g, y, "bn1", 1e-5, true)?;
    let y = g.relu(y)?;
    let y = b.conv(g, y, "conv2", &Conv3d::padded([1; 3]))?;
    let y = b.batch_norm(g, y, "bn2", 1e-3, true)?;
    let shortcut = b.conv(g, x, "down", &Conv3d { stride, ..Conv3d::default() })?;
    let shortcut = b.batch_norm(g, shortcut, "bn3", 1e-5, true)?;
    let y = g.add(y, shortcut)?;
    g.relu(y)
}

fn up(g: &mut Graph, b: &Block<'_>, x: Value) -> Result<Value> {
    let weight = b.constant(g, "up.weight", Layout::ConvTransposeWeight);
    let bias = b.constant(g, "up.bias", Layout::Plain);
    let twice = ConvTranspose3d {
        stride: [1, 2, 2],
        padding: [[0; 2], [1; 2], [1; 2]],
        groups: 2,
        ..ConvTranspose3d::default()
    };
    let y = g.conv_transpose3d(x, weight, Some(bias), &twice)?;
    let y = b.batch_norm(g, y, "bn", 1e-5, true)?;
    let y = g.activation(y, Activation::Silu)?;
    let skip = b.conv(g, y, "skip", &Conv3d::default())?;
    g.add(y, skip)
}

fn head(g: &mut Graph, b: &Block<'_>, x: Value) -> Result<Value> {
    let y = b.linear(g, x, "fc1")?;
    let y = b.batch_norm(g, y, "bn", 1e-5, false)?;
    let y = g.activation(y, Activation::Gelu)?;
    let y = b.linear(g, y, "fc2")?;
    g.add(x, y)
}

/// Adds a block to a graph.
type Build = fn(&mut Graph, &Block<'_>, Value) -> Result<Value>;

fn check(engine: &Engine) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/blocks.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let blocks: [(&'static str, Build, usize); 3] =
        [("residual", residual, 3), ("up", up, 2), ("head", head, 2)];
    for (name, build, nodes) in blocks {
        let block = Block { file: &file, name };
        let x = block.tensor("input", Layout::Activation);
        let want = block.tensor("output", Layout::Activation);
        let mut g = Graph::new();
        let input = g.input("x", x.shape()).unwrap();
        let y = build(&mut g, &block, input).unwrap();
        g.output("y", y).unwrap();
        let plan = engine.plan(&g).unwrap();
        let inputs = [("x", x)];
        assert_eq!(plan.profile(&inputs).unwrap().len(), nodes, "{name} on {}", engine.describe());
        let got = &plan.run(&inputs).unwrap()["y"];
        assert_eq!(got.shape(), want.shape(), "{name}");
        let (got, want) = (got.f32s().unwrap(), want.f32s().unwrap());
        let scale = want.iter().fold(0f64, |m, w| m.max(f64::from(w.abs())));
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            let gap = (f64::from(*g) - f64::from(*w)).abs() / scale;
            assert!(gap <= TOLERANCE, "{name} on {}: element {i} is {g} instead of {w}", engine.describe());
        }
    }
}

#[test]
fn the_reference_agrees_with_pytorch() {
    check(&Engine::cpu());
}

#[test]
fn every_adapter_agrees_with_pytorch() {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter; {}", install_hint());
    }
    for adapter in adapters {
        check(&Engine::from_gpu(Gpu::from_adapter(&adapter).unwrap()));
    }
}
