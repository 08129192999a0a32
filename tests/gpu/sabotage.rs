//! The harness must notice wrong kernels. Each of these is wrong in one way and must fail; the right one must
//! pass, or the failures would show nothing.

use std::sync::Arc;

use kinetograph::error::Result;
use kinetograph::gpu::Kernel;
use kinetograph::graph::{Bound, Dispatch, Op, Operand, Recorder, TensorType};
use kinetograph::verify::{self, Case, Verdict};
use kinetograph::{Engine, Tensor, params};
use libtest_mimic::{Failed, Trial};

use crate::devices::Devices;

static KERNEL: Kernel = Kernel {
    name: "sabotage",
    text: "
#import index
alias Elem = f32; // tune: Elem
struct Params {
    first_group: u32,
    count: u32,
}
override FAULT: u32 = 0u;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn sabotage(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if FAULT == 7u {
        i = workgroup.x * 64u + lane;
    }
    if FAULT == 8u {
        i = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    }
    if i >= params.count {
        // One element past the end, in the padding that nobody owns.
        if FAULT == 4u && i < params.count + 64u {
            output[i + 64u] = Elem(1.0);
        }
        return;
    }
    var y = 2.0 * f32(input[i]);
    if FAULT == 1u && i == 17u {
        y += 1.0;
    }
    if FAULT == 2u && i == 17u {
        return;
    }
    if FAULT == 3u && i == 17u {
        y = bitcast<f32>(0x7fc00000u + (params.count & 0u));
    }
    if FAULT == 6u {
        y = 2.0 * f32(input[min(i + 1u, params.count - 1u)]);
    }
    output[i] = Elem(y);
}
",
};

const FAULTS: [&str; 10] = [
    "nothing",
    "one element changed",
    "one write left out",
    "one NaN",
    "a write past the end",
    "a node left out",
    "a read at the wrong place",
    "a row taken for one dimension",
    "a part taken for the whole row",
    "bits that depend on the threads",
];

/// Faults of a GPU, and of a fast kernel on the processor.
const OF_GPU: [u32; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const OF_CPU: [u32; 6] = [0, 1, 2, 3, 6, 9];

params! {
    struct SabotageParams {
        count: u32,
    }
}

#[derive(Debug, Clone)]
struct Sabotage(u32);

impl Op for Sabotage {
    fn name(&self) -> &'static str {
        "sabotage"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].f32s()?.iter().map(|x| 2.0 * x).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = inputs[0].f32s()?;
        let mut y: Vec<f32> = x.iter().map(|x| 2.0 * x).collect();
        match self.0 {
            1 => y[17] += 1.0,
            2 => y[17] = 0.0,
            3 => y[17] = f32::NAN,
            6 => y.rotate_left(1),
            9 if rayon::current_num_threads() > 1 => y.iter_mut().for_each(|y| *y *= 1.002),
            _ => {}
        }
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    /// The last fault is within the bound, and shows in 16 bits too.
    fn bounds(&self, _: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        Ok(vec![Bound::relative(&reference[0], 0.004, 0.0)?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        if self.0 == 5 {
            return Ok(());
        }
        let count = r.output(0).elements();
        let params = SabotageParams { count: count as u32, ..Default::default() };
        r.dispatch(
            Dispatch::new(&KERNEL, "sabotage", &params)
                .constant("FAULT", self.0)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}

pub(crate) fn trials(prefix: &str, devices: &Arc<Devices>, gpu: bool) -> Vec<Trial> {
    let faults = if gpu { &OF_GPU[..] } else { &OF_CPU };
    let of_fault = |&fault: &u32| {
        let (devices, name) = (devices.clone(), FAULTS[fault as usize]);
        let case =
            Case::new(format!("sabotage/{name}"), &[&[5, 80]], move |g, v| g.push(Sabotage(fault), &[v[0]]))
                .exact_on_integers();
        Trial::test(format!("{prefix}/{}", case.name), move || devices.run(0, |e| is_found(&case, fault, e)))
    };
    faults.iter().map(of_fault).collect()
}

fn is_found(case: &Case, fault: u32, engine: &Engine) -> std::result::Result<(), Failed> {
    for report in verify::run(case, engine) {
        let right = match report.verdict {
            Verdict::Skipped(_) => true,
            Verdict::Pass => fault == 0,
            Verdict::Fail(_) => fault != 0,
            _ => false,
        };
        if !right {
            return Err(format!("{report:?}").into());
        }
    }
    Ok(())
}
