// unary: y = f(x), element by element.
//
// MODE   0 |x|      1 −x        2 eˣ       3 eˣ − 1     4 log x    5 log(1 + x)   6 √x        7 1/√x   8 1/x   9 x²
//       10 erf x   11 sin x    12 cos x   13 floor x   14 ceil x   15 round x, half to even   16 trunc x   17 sign x
//       18 x, at least `first` and at most `second`   19 x to the power `first`   20 first·x + second
//
// NaN gives NaN, but its sign is 0 and its power 0 is 1. Outside the domain of a function NaN; zeros and infinities give
// what IEEE 754 says.
//
// Layouts: input and output of the same shape, any; unary_vec4 reads and writes four elements at a time.
// Dispatch: 64 elements (or vec4s of elements) a workgroup.
// Source: torch.{abs, neg, exp, …}.
//
// Ladder: unary_direct → unary_vec4.

#import elementary
#import index
#import nan
#import power
#import trigonometry

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    first: f32,
    second: f32,
    nan: f32,
    infinity: f32,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<Elem>>;

// A positive number with the sign of `of`.
fn with_sign(x: f32, like: f32) -> f32 {
    return select(x, -x, bitcast<u32>(like) >> 31u == 1u);
}

// Of what is positive and finite, and what the others give.
fn logarithm(x: f32) -> f32 {
    if x < 0.0 {
        return params.nan;
    }
    if x == 0.0 {
        return -params.infinity;
    }
    return select(log(x), params.infinity, is_infinite(x));
}

fn logarithm_of_one_plus(x: f32) -> f32 {
    if x < -1.0 {
        return params.nan;
    }
    if x == -1.0 {
        return -params.infinity;
    }
    return select(log_one_plus(x), params.infinity, is_infinite(x));
}

fn square_root(x: f32) -> f32 {
    if x < 0.0 {
        return params.nan;
    }
    return select(sqrt(x), x, x == 0.0 || is_infinite(x));
}

fn inverse_root(x: f32) -> f32 {
    if x == 0.0 {
        return with_sign(params.infinity, x);
    }
    if x < 0.0 {
        return params.nan;
    }
    return select(inverseSqrt(x), 0.0, is_infinite(x));
}

fn inverse(x: f32) -> f32 {
    if x == 0.0 {
        return with_sign(params.infinity, x);
    }
    return select(1.0 / x, with_sign(0.0, x), is_infinite(x));
}

// eˣ is ∞ from here on, and 0 below the other.
const EXP_OVERFLOWS: f32 = 88.73;
const EXP_VANISHES: f32 = -104.0;

fn exponential(x: f32) -> f32 {
    if x > EXP_OVERFLOWS {
        return params.infinity;
    }
    return select(exp(x), 0.0, x < EXP_VANISHES);
}

fn apply(x: f32) -> f32 {
    if MODE == 17u {
        return select(0.0, sign(x), !is_nan(x));
    }
    if MODE == 19u {
        return power(x, params.first, params.nan, params.infinity);
    }
    if is_nan(x) {
        return x;
    }
    switch MODE {
        case 0u: { return abs(x); }
        case 1u: { return -x; }
        case 2u: { return exponential(x); }
        case 3u: { return select(exp_minus_one(x), exponential(x) - 1.0, abs(x) > 80.0); }
        case 4u: { return logarithm(x); }
        case 5u: { return logarithm_of_one_plus(x); }
        case 6u: { return square_root(x); }
        case 7u: { return inverse_root(x); }
        case 8u: { return inverse(x); }
        case 9u: { return x * x; }
        case 10u: { return error_function(x); }
        case 11u: { return select(sine(x), params.nan, is_infinite(x)); }
        case 12u: { return select(cosine(x), params.nan, is_infinite(x)); }
        case 13u: { return select(floor(x), x, is_infinite(x)); }
        case 14u: { return select(ceil(x), x, is_infinite(x)); }
        case 15u: { return select(round(x), x, is_infinite(x)); }
        case 16u: { return select(trunc(x), x, is_infinite(x)); }
        case 18u: {
            let raised = select(x, params.first, x < params.first);
            return select(raised, params.second, raised > params.second);
        }
        default: { return params.first * x + params.second; }
    }
}

// 64 invocations, one element each.
@compute @workgroup_size(64)
fn unary_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        output_scalar[i] = Elem(apply(f32(input_scalar[i])));
    }
}

// 64 invocations, four elements each.
@compute @workgroup_size(64)
fn unary_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let x = vec4<f32>(input[i]);
        output[i] = vec4<Elem>(vec4<f32>(apply(x.x), apply(x.y), apply(x.z), apply(x.w)));
    }
}
