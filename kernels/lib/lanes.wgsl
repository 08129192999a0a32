// One channel or four neighbouring ones at a time: a kernel that reads and writes `Cell`s, computes with `Value`s and
// declares `Elem` is compiled for either. As written they are for one; `ops::four_lanes` replaces them.

alias Cell = Elem; // tune: Cell
alias Value = f32; // tune: Value
alias Index = i32; // tune: Index
alias Bits = u32; // tune: Bits
alias Flags = bool; // tune: Flags

// Where it is NaN, by its bits as in lib/nan.wgsl.
fn nan_lanes(x: Value) -> Flags {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
}

// The larger of two values; NaN where either is.
fn larger(a: Value, b: Value) -> Value {
    return select(select(max(a, b), b, nan_lanes(b)), a, nan_lanes(a));
}

// Where `x` takes the place of `best`, the first of the largest: larger, or NaN.
fn beats(x: Value, best: Value) -> Flags {
    return nan_lanes(x) | ((x > best) & !nan_lanes(best));
}
