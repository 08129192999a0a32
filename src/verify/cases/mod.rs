//! The named cases, one file an operator.

mod activation;
mod adaptive_pool1d;
mod adaptive_pool2d;
mod adaptive_pool3d;
mod affine_grid;
mod arg_reduce;
mod attention;
mod attention_probabilities;
mod batch_norm;
mod binary;
mod bincount;
mod blur_pool;
mod box_iou;
mod cast;
mod concat;
mod conv1d;
mod conv2d;
mod conv3d;
mod conv_gru;
mod conv_lstm;
mod conv_transpose1d;
mod conv_transpose2d;
mod conv_transpose3d;
mod cumulative;
mod einsum;
mod ema_codebook;
mod embedding;
mod expand;
mod farneback_update;
mod flip;
mod gated;
mod gather;
mod global_pool;
mod grid_sample;
mod group_norm;
mod group_vector_quantize;
mod gru;
mod gru_cell;
mod linear;
mod local_response_norm;
mod lstm;
mod lstm_cell;
mod masked_fill;
mod matmul;
mod max_unpool1d;
mod max_unpool2d;
mod max_unpool3d;
mod median;
mod nms;
mod non_local;
mod norm;
mod one_hot;
mod pad;
mod permute;
mod perplexity;
mod pixel_shuffle;
mod pixel_unshuffle;
mod polynomial_expansion;
mod pool1d;
mod pool2d;
mod pool3d;
mod prelu;
mod prepend_tokens;
mod quantile;
mod random;
mod reduce;
mod relative_scores;
mod repeat;
mod repeat_interleave;
mod residual_vector_quantize;
mod resize;
mod roi_align;
mod roi_pool;
mod roll;
mod scalar_quantize;
mod scatter_add;
mod select;
mod slice;
mod softmax;
mod sort;
mod split;
mod stack;
mod straight_through;
mod tvl1;
mod unary;
mod upfirdn2d;
mod vector_quantize;
mod window_attention;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        adaptive_pool1d::cases(),
        adaptive_pool2d::cases(),
        adaptive_pool3d::cases(),
        affine_grid::cases(),
        arg_reduce::cases(),
        attention::cases(),
        attention_probabilities::cases(),
        batch_norm::cases(),
        binary::cases(),
        bincount::cases(),
        blur_pool::cases(),
        box_iou::cases(),
        cast::cases(),
        concat::cases(),
        conv1d::cases(),
        conv2d::cases(),
        conv3d::cases(),
        conv_gru::cases(),
        conv_lstm::cases(),
        conv_transpose1d::cases(),
        conv_transpose2d::cases(),
        conv_transpose3d::cases(),
        cumulative::cases(),
        einsum::cases(),
        ema_codebook::cases(),
        embedding::cases(),
        expand::cases(),
        farneback_update::cases(),
        flip::cases(),
        gated::cases(),
        gather::cases(),
        global_pool::cases(),
        grid_sample::cases(),
        group_norm::cases(),
        group_vector_quantize::cases(),
        gru::cases(),
        gru_cell::cases(),
        linear::cases(),
        local_response_norm::cases(),
        lstm::cases(),
        lstm_cell::cases(),
        masked_fill::cases(),
        matmul::cases(),
        max_unpool1d::cases(),
        max_unpool2d::cases(),
        max_unpool3d::cases(),
        median::cases(),
        nms::cases(),
        non_local::cases(),
        norm::cases(),
        one_hot::cases(),
        pad::cases(),
        permute::cases(),
        perplexity::cases(),
        pixel_shuffle::cases(),
        pixel_unshuffle::cases(),
        polynomial_expansion::cases(),
        pool1d::cases(),
        pool2d::cases(),
        pool3d::cases(),
        prelu::cases(),
        prepend_tokens::cases(),
        quantile::cases(),
        random::cases(),
        reduce::cases(),
        relative_scores::cases(),
        repeat::cases(),
        repeat_interleave::cases(),
        residual_vector_quantize::cases(),
        resize::cases(),
        roi_align::cases(),
        roi_pool::cases(),
        roll::cases(),
        scalar_quantize::cases(),
        scatter_add::cases(),
        select::cases(),
        slice::cases(),
        softmax::cases(),
        sort::cases(),
        split::cases(),
        stack::cases(),
        straight_through::cases(),
        tvl1::cases(),
        unary::cases(),
        upfirdn2d::cases(),
        vector_quantize::cases(),
        window_attention::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
