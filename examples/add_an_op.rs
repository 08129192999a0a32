//! An operator of one's own, outside the crate: kernel, reference and node, checked by the crate's harness.
//! `docs/add-an-op.md` explains each part.
//!
//!     cargo run --release --example add_an_op

use kinetograph::gpu::{Gpu, Kernel, adapters};
use kinetograph::graph::{Bound, Dispatch, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF};
use kinetograph::verify::{self, Case, Verdict};
use kinetograph::{Engine, Error, Graph, Result, Tensor, Value, params};

/// 1. The kernel. In the crate it would be `kernels/frame_difference.wgsl`.
static KERNEL: Kernel = Kernel {
    name: "frame_difference",
    text: r"
// frame_difference: out[n, t, h, w, c] = in[n, t + 1, h, w, c] − in[n, t, h, w, c]
//
// Layouts: input [N, T, H, W, C], output [N, T − 1, H, W, C].
// Dispatch: frame_difference_direct, 64 elements a workgroup.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    // Elements of one sample's output, and of one frame.
    sample: u32,
    frame: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn frame_difference_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    // An input sample is one frame longer than an output sample.
    let at = i + i / params.sample * params.frame;
    output[i] = Elem(f32(input[at + params.frame]) - f32(input[at]));
}
",
};

params! {
    /// 2. Its params, field by field as in the kernel.
    struct FrameDifferenceParams {
        count: u32,
        sample: u32,
        frame: u32,
    }
}

/// 3. The node.
#[derive(Debug, Clone)]
struct FrameDifference;

impl Op for FrameDifference {
    fn name(&self) -> &'static str {
        "frame_difference"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, t, h, w, c] = inputs[0].shape.dims("the input", "[N, T, H, W, C]")?;
        if t < 2 {
            return Err(Error::bad_input("a difference needs at least two frames"));
        }
        Ok(vec![TensorType::float(&[n, t - 1, h, w, c])?])
    }

    /// 4. The reference: slow, obvious, in f64. In the crate it would be a function in `ref/`.
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [n, t, h, w, c] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let x = inputs[0].f32s()?;
        let frame = h * w * c;
        let mut y = Vec::new();
        for sample in 0..n {
            for i in 0..t - 1 {
                for j in 0..frame {
                    let at = (sample * t + i) * frame + j;
                    y.push((f64::from(x[at + frame]) - f64::from(x[at])) as f32);
                }
            }
        }
        Ok(vec![Tensor::new(&[n, t - 1, h, w, c], y)?])
    }

    /// One subtraction, which WGSL may round up or down.
    fn bounds(&self, _: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        Ok(vec![Bound::relative(&reference[0], 2.0 * UNIT_ROUNDOFF, 0.0)?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let frame: usize = r.output(0)[2..].iter().product();
        let params = FrameDifferenceParams {
            count: r.u32("elements", count)?,
            sample: r.u32("elements", count / r.output(0)[0])?,
            frame: r.u32("elements", frame)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "frame_difference_direct", &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}

/// 5. How a graph gets it.
trait FrameDifferenceExt {
    fn frame_difference(&mut self, x: Value) -> Result<Value>;
}

impl FrameDifferenceExt for Graph {
    fn frame_difference(&mut self, x: Value) -> Result<Value> {
        self.push(FrameDifference, &[x])
    }
}

fn main() -> Result<()> {
    // 6. Use it.
    let mut g = Graph::new();
    let x = g.input("clip", &[1, 3, 1, 2, 1])?;
    let y = g.frame_difference(x)?;
    g.output("motion", y)?;
    let clip = Tensor::new(&[1, 3, 1, 2, 1], vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0])?;
    let outputs = Engine::cpu().plan(&g)?.run(&[("clip", clip)])?;
    println!("on the processor: {:?}", outputs["motion"].f32s()?);

    // 7. Prove it, on every adapter of this machine.
    let case = Case::new("frame_difference/odd-sizes", &[&[2, 4, 3, 5, 7]], |g, v| g.frame_difference(v[0]))
        .exact_on_integers();
    for adapter in adapters() {
        let gpu = Gpu::from_adapter(&adapter)?;
        println!("{}", gpu.describe());
        for report in verify::run(&case, &Engine::from_gpu(gpu.clone())) {
            println!("  {}: {:?}", report.configuration, report.verdict);
            if !matches!(report.verdict, Verdict::Pass | Verdict::Skipped(_)) {
                return Err(Error::internal("the kernel is wrong"));
            }
        }
    }
    Ok(())
}
