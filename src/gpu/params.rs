//! The scalars that a dispatch receives as its uniform buffer.

/// A `repr(C)` struct of `u32`, `i32` and `f32` fields that mirrors a kernel's `struct Params`, its first field
/// `first_group: u32`.
///
/// Made by [`params!`](crate::params). The offsets are compared with the kernel's whenever a pipeline is
/// built, so the two cannot drift apart unnoticed.
pub trait Params: bytemuck::Pod {
    /// Names and byte offsets of the fields, in order.
    const FIELDS: &'static [(&'static str, usize)];
}

/// Defines a [`Params`] struct, adding the field `first_group` that every kernel begins with.
///
/// ```
/// kinetograph::params! {
///     /// What `scale.wgsl` is told.
///     pub struct ScaleParams {
///         count: u32,
///         factor: f32,
///     }
/// }
/// let p = ScaleParams { count: 3, factor: 0.5, ..ScaleParams::default() };
/// assert_eq!(p.first_group, 0);
/// ```
#[macro_export]
macro_rules! params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, $crate::bytemuck::Pod, $crate::bytemuck::Zeroable)]
        #[bytemuck(crate = "kinetograph::bytemuck")]
        $vis struct $name {
            /// The number of the dispatch's first workgroup; the recorder sets it.
            pub first_group: u32,
            $(#[allow(missing_docs, reason = "the kernel's header describes its params")] pub $field: $type,)*
        }
        impl $crate::gpu::Params for $name {
            const FIELDS: &'static [(&'static str, usize)] = &[
                ("first_group", 0),
                $((stringify!($field), std::mem::offset_of!($name, $field)),)*
            ];
        }
    };
}
