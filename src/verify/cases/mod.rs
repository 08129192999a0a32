//! The named cases, one file an operator.

mod activation;
mod adaptive_pool1d;
mod adaptive_pool2d;
mod adaptive_pool3d;
mod attention;
mod batch_norm;
mod binary;
mod box_iou;
mod concat;
mod conv2d;
mod conv3d;
mod embedding;
mod global_pool;
mod group_norm;
mod linear;
mod local_response_norm;
mod max_unpool1d;
mod max_unpool2d;
mod max_unpool3d;
mod nms;
mod norm;
mod permute;
mod pool1d;
mod pool2d;
mod pool3d;
mod reduce;
mod roi_align;
mod roi_pool;
mod slice;
mod softmax;
mod vector_quantize;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        adaptive_pool1d::cases(),
        adaptive_pool2d::cases(),
        adaptive_pool3d::cases(),
        attention::cases(),
        batch_norm::cases(),
        binary::cases(),
        box_iou::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        embedding::cases(),
        global_pool::cases(),
        group_norm::cases(),
        linear::cases(),
        local_response_norm::cases(),
        max_unpool1d::cases(),
        max_unpool2d::cases(),
        max_unpool3d::cases(),
        nms::cases(),
        norm::cases(),
        permute::cases(),
        pool1d::cases(),
        pool2d::cases(),
        pool3d::cases(),
        reduce::cases(),
        roi_align::cases(),
        roi_pool::cases(),
        slice::cases(),
        softmax::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
