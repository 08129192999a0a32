// peak: how fast the device multiplies and copies at best; not an operator.
//
// peak_multiply_add: every invocation keeps 12 numbers in registers and makes `turns` turns over them, of STEPS fused
// multiply-adds each: 12 · 2 = 24 operations a step. With few steps what a turn costs software adapters is seen; with many
// some of their compilers do worse. Twelve chains cover the latency of a multiply-add and still fit the registers of a
// processor. The sum is written, so that nothing can be left out.
// peak_copy: output[i] = input[i] for `vectors` vec4.
//
// Dispatch: peak_multiply_add as many workgroups as wanted, one vec4 of the output for each invocation;
// peak_copy one invocation a vec4.

struct Params {
    first_group: u32,
    turns: u32,
    vectors: u32,
    factor: f32,
    summand: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

const STEPS: u32 = 4u; // tune: STEPS

@compute @workgroup_size(256)
fn peak_multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = vec4(params.factor);
    let summand = vec4(params.summand);
    var a = input[0] + vec4(f32(id.x));
    var b = a + vec4(1.0);
    var c = a + vec4(2.0);
    for (var i = 0u; i < params.turns; i++) {
        // unroll
        for (var j = 0u; j < STEPS; j++) {
            a = fma(a, factor, summand);
            b = fma(b, factor, summand);
            c = fma(c, factor, summand);
        }
    }
    output[id.x] = a + b + c;
}

@compute @workgroup_size(256)
fn peak_copy(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.vectors {
        output[id.x] = input[id.x];
    }
}
