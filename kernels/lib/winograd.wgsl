// Winograd's minimal filtering F(2, 3): two neighbouring sums of three products from four products instead of six.
//
//   out = Aᵀ · ((G · g) ⊙ (Bᵀ · d))
//
//        1  0 −1  0          1    0    0
//   Bᵀ = 0  1  1  0     G =  ½    ½    ½     Aᵀ = 1  1  1  0
//        0 −1  1  0          ½   −½    ½          0  1 −1 −1
//        0  1  0 −1          0    0    1
//
// Along several axes it is done along one after the other. Source: Lavin and Gray 2016, arXiv 1509.09308.

// Four neighbours along an axis become what filters are multiplied with: Bᵀ · d.
fn winograd_of_input(d0: vec4<f32>, d1: vec4<f32>, d2: vec4<f32>, d3: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(d0 - d2, d1 + d2, d2 - d1, d1 - d3);
}

// Four products become two sums: Aᵀ · m.
fn winograd_sums(m0: vec4<f32>, m1: vec4<f32>, m2: vec4<f32>, m3: vec4<f32>) -> mat2x4<f32> {
    return mat2x4<f32>(m0 + m1 + m2, m1 - m2 - m3);
}

// One of the terms of an axis's factors or sums by itself: which of the four, and 1 or −1.
struct WinogradTerm {
    at: u32,
    sign: f32,
}

// Each factor has two terms; with one frame there is one factor of one term, the frame itself.
fn winograd_term_of_input(factor: u32, term: u32) -> WinogradTerm {
    if term == 0u {
        return WinogradTerm(select(factor, 1u, factor == 3u), 1.0);
    }
    let at = select(select(2u, 1u, factor == 2u), 3u, factor == 3u);
    return WinogradTerm(at, select(-1.0, 1.0, factor == 1u));
}

// Each sum has three terms; with one frame there is one sum of one term.
fn winograd_term_of_sums(sum: u32, term: u32) -> WinogradTerm {
    return WinogradTerm(sum + term, select(-1.0, 1.0, sum == 0u || term == 0u));
}
