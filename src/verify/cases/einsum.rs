use super::Case;

fn case(name: &str, equation: &'static str, shapes: &[&[usize]]) -> Case {
    Case::new(format!("einsum/{name}"), shapes, move |g, v| g.einsum(equation, v)).exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("scores", "bqhd,bkhd->bhqk", &[&[2, 9, 3, 8], &[2, 11, 3, 8]]),
        case("values", "bhqk,bkhd->bqhd", &[&[2, 3, 9, 11], &[2, 11, 3, 8]]),
        case("channels", "bthwc,cd->bthwd", &[&[2, 2, 3, 4, 5], &[5, 9]]),
        case("row-of-tables", "bythwc,hkc->bythwk", &[&[1, 2, 3, 4, 2, 8], &[4, 5, 8]]),
        case("two-axes-summed", "bhwc,dhw->bcd", &[&[2, 3, 4, 8], &[9, 3, 4]]),
        // In another order in the second tensor, which is copied.
        case("two-axes-summed-apart", "bhcw,dwh->bcd", &[&[2, 3, 8, 4], &[9, 4, 3]]),
        case("outer", "i,j->ij", &[&[9], &[10]]),
        case("inner", "i,i->", &[&[9], &[9]]).trust_constant_reference(),
        case("element-wise", "ij,ij->ij", &[&[5, 6], &[5, 6]]),
        case("lonely-axis", "bij,jk->ik", &[&[3, 9, 8], &[8, 10]]),
        case("ellipsis", "...ij,...jk->...ik", &[&[2, 3, 4, 8], &[3, 8, 9]]),
        case("implicit", "bij,bjk", &[&[2, 9, 8], &[2, 8, 10]]),
        case("implicit-transpose", "cb,ac", &[&[8, 9], &[10, 8]]),
        case("sum", "ijk->j", &[&[3, 5, 4]]),
        case("sum-and-permute", "ijk->ki", &[&[3, 5, 4]]),
    ]
}
