// Boxes (x1, y1, x2, y2).

fn has_nan(box: vec4<f32>) -> bool {
    return any((bitcast<vec4<u32>>(box) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u));
}

fn area(box: vec4<f32>) -> f32 {
    return (box.z - box.x) * (box.w - box.y);
}

// The areas of the intersection and of the union of two boxes.
fn overlap(a: vec4<f32>, b: vec4<f32>) -> vec2<f32> {
    let sides = max(min(a.zw, b.zw) - max(a.xy, b.xy), vec2<f32>());
    let intersection = sides.x * sides.y;
    return vec2<f32>(intersection, area(a) + area(b) - intersection);
}
