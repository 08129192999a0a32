// The statistics of a row that is to be normalised, in two walks: y = (x − pivot − offset) · factor.
//
//   MODE  0 layer: pivot + offset = mean x, factor = 1/√(var x + eps)
//         1 rms:   no pivot, no offset,     factor = 1/√(mean x² + eps)
//         2 l2:    no pivot, no offset,     factor = 1/max(‖x‖₂, eps)
//
// Everything is taken from the row's first element, the pivot: where elements lie close together far from zero, their
// differences from it are exact, and their sum errs by their spread and not by their magnitude.
//
// `params.eps` keeps the factor finite. A row is `params.segments` runs of `params.length` elements of `input`,
// `params.step` apart. The importing file says where a run begins, from the row's first element on, and declares
// `MODE`, `alias Elem` and `input: array<Elem>`:
//
//   fn segment(s: u32) -> u32

#import nan

struct Moments {
    pivot: f32,
    offset: f32,
    factor: f32,
}

fn pivot_of(first: u32) -> f32 {
    if MODE == 0u {
        return f32(input[first]);
    }
    return 0.0;
}

fn offset_of(sum: f32) -> f32 {
    return sum / f32(params.segments * params.length);
}

fn factor_of(squares: f32) -> f32 {
    if MODE == 2u {
        return 1.0 / max_nan(sqrt(squares), params.eps);
    }
    return inverseSqrt(squares / f32(params.segments * params.length) + params.eps);
}

fn normalised(m: Moments, x: f32) -> f32 {
    return (x - m.pivot - m.offset) * m.factor;
}

// One invocation alone.
fn moments_direct(first: u32) -> Moments {
    var m = Moments(pivot_of(first), 0.0, 1.0);
    if MODE == 0u {
        var sum = 0.0;
        for (var s = 0u; s < params.segments; s++) {
            let at = first + segment(s);
            for (var k = 0u; k < params.length; k++) {
                sum += f32(input[at + k * params.step]) - m.pivot;
            }
        }
        m.offset = offset_of(sum);
    }
    var squares = 0.0;
    for (var s = 0u; s < params.segments; s++) {
        let at = first + segment(s);
        for (var k = 0u; k < params.length; k++) {
            let d = f32(input[at + k * params.step]) - m.pivot - m.offset;
            squares += d * d;
        }
    }
    m.factor = factor_of(squares);
    return m;
}

// 256 invocations: each takes every 256th element, and the 256 results meet pairwise in workgroup memory, always in
// the same order.
const LANES: u32 = 256u;

var<workgroup> partial: array<f32, LANES>;

fn sum_of_lanes(lane: u32, value: f32) -> f32 {
    // Whoever still reads the last sum.
    workgroupBarrier();
    partial[lane] = value;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            partial[lane] += partial[lane + width];
        }
        workgroupBarrier();
    }
    return partial[0];
}

fn moments_tree(first: u32, lane: u32) -> Moments {
    let total = params.segments * params.length;
    var m = Moments(pivot_of(first), 0.0, 1.0);
    if MODE == 0u {
        var sum = 0.0;
        for (var i = lane; i < total; i += LANES) {
            let at = first + segment(i / params.length) + i % params.length * params.step;
            sum += f32(input[at]) - m.pivot;
        }
        m.offset = offset_of(sum_of_lanes(lane, sum));
    }
    var squares = 0.0;
    for (var i = lane; i < total; i += LANES) {
        let at = first + segment(i / params.length) + i % params.length * params.step;
        let d = f32(input[at]) - m.pivot - m.offset;
        squares += d * d;
    }
    m.factor = factor_of(sum_of_lanes(lane, squares));
    return m;
}
