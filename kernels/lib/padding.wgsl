// What the padding around an axis holds, by the number of the host's `PaddingMode`: 0 a constant, 1 the axis
// reflected at its first and last element, 2 that element again and again, 3 the axis from its other end.
//
// `at` is a coordinate on the axis; below zero it has wrapped to a huge unsigned number. Gives the coordinate to read,
// which is beyond the axis if the constant is meant. At most `length − 1` elements may be reflected, `length` taken
// from the other end.

fn padded(mode: u32, at: u32, length: u32) -> u32 {
    let before = at > 0x7fffffffu;
    switch mode {
        case 1u: {
            let last = length - 1u;
            let distance = select(at, 0u - at, before);
            return select(distance, 2u * last - distance, distance > last);
        }
        case 2u: { return select(min(at, length - 1u), 0u, before); }
        case 3u: { return select(select(at, at - length, at >= length), at + length, before); }
        default: { return at; }
    }
}
