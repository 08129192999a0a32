// self_check: what the adapter does where drivers are known to differ; not an operator.
//
// One invocation writes
//   [0] how many of `iterations` loop iterations were really made (Mesa 22.3's software Vulkan stops at 65,535),
//   [1] the bits of max(1, NaN),
//   [2] the bits of a subnormal number times one.
// The operands come from params so that no compiler can fold them.

struct Params {
    first_group: u32,
    iterations: u32,
    one: f32,
    nan: f32,
    subnormal: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> output: array<u32, 4>;

@compute @workgroup_size(1)
fn self_check() {
    var made = 0u;
    for (var i = 0u; i < params.iterations; i++) {
        made += 1u + (made & 0u);
    }
    output[0] = made;
    output[1] = bitcast<u32>(max(params.one, params.nan));
    output[2] = bitcast<u32>(params.subnormal * params.one);
    output[3] = 0u;
}
