//! Which kernels a convolution takes, and its dispatches.

use super::geometry::{Conv3dParams, Geometry};
use super::lines::Lines;
use super::winograd::{Part, Winograd};
use super::{COOPERATIVE, Conv3d, KERNEL};
use crate::error::{Error, Result};
use crate::graph::{Activation, ConvForm, Dispatch, Family, Operand, Precision, Recorder, Setting, Traits};
use crate::ops::tiling::{Panels, Tiling, Uniform, runs, storing};

/// Positions along W that an invocation of `conv3d_depthwise` computes.
const DEPTHWISE_OUTPUTS: usize = 4;

impl Conv3d {
    /// Whether a form is to be looked at: on adapters that run on a processor where an estimate says so, on GPUs, where none
    /// was measured yet, only where it is asked for.
    fn wants(form: ConvForm, traits: Traits) -> bool {
        match traits.family {
            Family::Direct => false,
            Family::Tiled => traits.form == Some(form),
            Family::Uniform => traits.form.is_none_or(|f| f == form),
        }
    }

    /// Winograd's form, where it is to be taken.
    pub(super) fn winograd(&self, g: &Geometry, traits: Traits, constant: bool) -> Option<Winograd> {
        let wanted = Conv3d::wants(ConvForm::Winograd, traits);
        let possible = wanted && constant && self.groups == 1 && traits.precision == Precision::F32;
        Winograd::choose(g, traits.form == Some(ConvForm::Winograd)).filter(|_| possible)
    }

    /// A copy of the input in lines, where it is to be made.
    pub(super) fn lines(&self, g: &Geometry, traits: Traits, constant: bool) -> Option<Lines> {
        let wanted = Conv3d::wants(ConvForm::Lines, traits) && constant && self.groups == 1;
        Lines::of(g, self.family(g, traits.family, true)).filter(|_| wanted)
    }

    pub(super) fn winograd_in(&self, setting: &Setting<'_>) -> Option<(Winograd, Geometry)> {
        let g = self.geometry(&setting.inputs[0].shape, &setting.inputs[1].shape).ok()?;
        Some((self.winograd(&g, setting.traits, setting.constant[1])?, g))
    }

    /// How the uniform kernel has the columns of packed weights, if that is taken.
    pub(super) fn panels(&self, g: &Geometry, traits: Traits) -> Option<Panels> {
        let uniform =
            self.family(g, traits.family, true) == Family::Uniform && g.depthwise(self.groups).is_none();
        uniform.then(|| Panels::of(g.output[4] / self.groups, g.members(), traits))
    }

    /// Winograd's form, part by part: factors, a matrix product for each of them, sums.
    fn record_winograd(&self, r: &mut Recorder<'_>, g: &Geometry, w: &Winograd) -> Result<()> {
        let (channels, columns) = (g.input[4], g.output[4]);
        let own = self.own_inputs(r.inputs());
        let given = |at: usize, is: bool| if is { Operand::Input(at) } else { Operand::Absent };
        let frames = |d: Dispatch| {
            let number = |n: usize| format!("{n}u");
            d.tune("PATCH_FRAMES", number(w.frames)).tune("PATCH_OUTPUTS", number(w.outputs))
        };
        for part in w.parts(g) {
            let Part { samples, first_factor, factors, first_sum, sums, pad } = part;
            let patches = |r: &Recorder<'_>, in_time: usize, first: usize, count: usize| {
                let n = |v: usize| r.u32("length", v);
                Ok::<_, Error>(Conv3dParams {
                    patches_t: n(in_time)?,
                    patches_h: n(w.patches[1])?,
                    patches_w: n(w.patches[2])?,
                    first_patch_t: n(first)?,
                    patches: n(samples * count * w.plane())?,
                    ..g.params(r, 1)?
                })
            };
            let in_time = if w.frames == 1 { g.input[1] } else { w.patches[0] };
            let params = Conv3dParams {
                pad_h: r.u32("length", g.pad[1] + w.shift[1])?,
                pad_w: r.u32("length", g.pad[2] + w.shift[2])?,
                ..patches(r, in_time, first_factor, factors)?
            };
            let groups = (samples * factors * w.plane() * channels / 4).div_ceil(64) as u64;
            let input = Dispatch::new(&KERNEL, "conv3d_winograd_input", &params)
                .constant("PADDING_MODE", self.padding_mode.code())
                .bind([Operand::Input(0), Operand::Scratch(0)])
                .groups(groups);
            r.dispatch(frames(input));

            let (rows, taps) = (samples * sums * w.plane(), if w.frames == 1 { g.kernel[0] } else { 1 });
            let products = match w.frames {
                1 => Geometry {
                    input: [samples, factors, w.patches[1], w.patches[2], w.each() * channels],
                    output: [samples, sums, w.patches[1], w.patches[2], w.each() * columns],
                    kernel: [taps, 1, 1],
                    stride: [g.stride[0], 1, 1],
                    dilation: [g.dilation[0], 1, 1],
                    pad: [pad, 0, 0],
                    pool: None,
                    ..*g
                },
                _ => Geometry {
                    input: [1, 1, 1, rows, w.each() * channels],
                    output: [1, 1, 1, rows, w.each() * columns],
                    kernel: [1; 3],
                    stride: [1; 3],
                    dilation: [1; 3],
                    pad: [0; 3],
                    pool: None,
                    ..*g
                },
            };
            let depth = taps * channels;
            let tiling = Tiling::choose(w.each(), [rows, columns, depth], false, r.traits().tile);
            let [weight_row, weight_group, weight_panel] = match r.traits().family {
                Family::Uniform => Panels::of(columns, 1, r.traits()).steps(depth),
                _ => [w.each() * columns / 4, columns / 4, 0],
            };
            let params = Conv3dParams {
                weight_row: r.u32("length", weight_row)?,
                weight_group: r.u32("length", weight_group)?,
                weight_panel: r.u32("length", weight_panel)?,
                slices: 1,
                slice_depth: r.u32("length", depth)?,
                ..products.params(r, w.each())?
            };
            let whole = |entry| {
                let dispatch = Dispatch::new(&KERNEL, entry, &params)
                    .constant("HAS_BIAS", 0u32)
                    .constant("HAS_ADDEND", 0u32)
                    .constant("PADDING_MODE", self.padding_mode.code())
                    .activation(Activation::Identity)
                    .bind([
                        Operand::Scratch(0),
                        Operand::Input(1),
                        Operand::Absent,
                        Operand::Absent,
                        Operand::Scratch(1),
                    ]);
                storing(dispatch, columns)
            };
            r.dispatch(match r.traits().family {
                Family::Uniform => {
                    let tiles = Uniform {
                        problems: w.each(),
                        rows,
                        columns,
                        segments: taps,
                        length: channels,
                        members: 1,
                    };
                    tiles.tiles(whole("conv3d_uniform"), r.traits())
                }
                _ => runs(tiling.tiles(whole("conv3d_tiled")), channels),
            });

            let gathered = sums.div_ceil(w.gathered);
            let params = patches(r, w.patches[0], first_sum, gathered)?;
            let pooled = g.pool.map(|p| p.kernel[0]);
            let entry = if pooled.is_some() { "conv3d_winograd_pooled" } else { "conv3d_winograd_output" };
            let mut output = Dispatch::new(&KERNEL, entry, &params)
                .constant("HAS_BIAS", u32::from(own > 2))
                .constant("HAS_ADDEND", u32::from(self.addend))
                .activation(self.activation)
                .bind([
                    Operand::Scratch(1),
                    Operand::Unused,
                    given(2, own > 2),
                    given(own, self.addend),
                    Operand::Output(0),
                ])
                .groups((samples * gathered * w.plane() * columns / 4).div_ceil(64) as u64);
            if let Some(window) = pooled {
                let number = |n: usize| format!("{n}u");
                output = output.tune("WINDOW_FRAMES", number(window)).tune("GATHERED", number(w.gathered));
            }
            r.dispatch(frames(output));
        }
        Ok(())
    }

    /// The kernels that suit a device, given that the weight's columns come in fours or not.
    pub(super) fn family(&self, g: &Geometry, family: Family, vectors: bool) -> Family {
        // A few output channels leave most of a tile empty.
        if !vectors || g.output[4] / self.groups < 4 { Family::Direct } else { family }
    }

    /// The dispatches of the kernels that suit the device.
    pub(super) fn record_dispatches(&self, r: &mut Recorder<'_>) -> Result<()> {
        let given = self.geometry(r.input(0), r.input(1))?;
        let lines = self.lines(&given, r.traits(), r.is_packed(1));
        let g = lines.map_or(given, |lines| lines.geometry(&given));
        let (group_in, group_out) = (g.run(self.groups), g.output[4] / self.groups);
        let (rows, depth, members) = (g.rows(), g.depth(self.groups), g.members());
        let taps: usize = g.kernel.iter().product();
        let family = self.family(&g, r.traits().family, r.is_packed(1) || group_out % 4 == 0);
        let depthwise = g.depthwise(self.groups).filter(|_| r.traits().family != Family::Direct);
        let tiling = g.tiling(self.groups, r.traits());
        if let Some(winograd) = self.winograd(&g, r.traits(), r.is_packed(1)) {
            return self.record_winograd(r, &g, &winograd);
        }
        let mut input = Operand::Input(0);
        if let Some(lines) = lines {
            lines.record(r, &given)?;
            input = Operand::Scratch(0);
        }
        let waiting = Operand::Scratch(usize::from(lines.is_some()));
        // One group's columns as they lie in memory, in elements or, for vec4 entry points, in vec4s.
        let padded = if r.is_packed(1) { group_out.next_multiple_of(4) } else { group_out };
        let columns = if family == Family::Direct { padded } else { padded / 4 };
        let panels = self.panels(&g, r.traits()).filter(|_| r.is_packed(1));
        let [weight_row, weight_group, weight_panel] = match panels {
            Some(panels) => panels.steps(depth),
            None => [columns * self.groups, columns, Panels::of(group_out, members, r.traits()).width4],
        };
        let params = Conv3dParams {
            weight_row: r.u32("length", weight_row)?,
            weight_group: r.u32("length", weight_group)?,
            weight_panel: r.u32("length", weight_panel)?,
            slices: r.u32("length", tiling.slices)?,
            slice_depth: r.u32("length", tiling.slice_depth)?,
            ..g.params(r, self.groups)?
        };
        let own = self.own_inputs(r.inputs());
        let given = |at: usize, is: bool| if is { Operand::Input(at) } else { Operand::Absent };
        let (bias, addend) = (given(2, own > 2), given(own, self.addend));
        // What takes sums to outputs.
        let finishing_of = |kernel, entry, operands: &[Operand]| {
            Dispatch::new(kernel, entry, &params)
                .constant("HAS_BIAS", u32::from(own > 2))
                .constant("HAS_ADDEND", u32::from(self.addend))
                .activation(self.activation)
                .bind(operands.iter().copied().chain([bias, addend, Operand::Output(0)]))
        };
        // Where the members of a pooling's windows lie among the rows.
        let pooled = |d: Dispatch, step: usize| match members {
            1 => d,
            _ => d.tune("POOL", format!("{members}u")).tune("POOL_STEP", format!("{step}u")),
        };
        let finishing = |entry, operands: &[Operand]| finishing_of(&KERNEL, entry, operands);
        let whole_of = |kernel, entry| {
            let dispatch = finishing_of(kernel, entry, &[input, Operand::Input(1)]);
            dispatch.constant("PADDING_MODE", self.padding_mode.code())
        };
        let whole = |entry| whole_of(&KERNEL, entry);
        let storing = |dispatch| storing(dispatch, group_out);
        // Sums that are added up afterwards.
        let slices_of =
            |kernel, entry| {
                Dispatch::new(kernel, entry, &params)
                    .constant("PADDING_MODE", self.padding_mode.code())
                    .bind([input, Operand::Input(1), waiting])
            };
        let sliced = tiling.slices > 1;
        match (family, depthwise) {
            (_, Some(width)) => {
                let [kt, kh, kw] = g.kernel;
                let blocks = rows / g.output[3] * g.output[3].div_ceil(DEPTHWISE_OUTPUTS);
                let groups = (blocks * self.groups / width).div_ceil(64);
                let turns = kt * (1 + kh * (1 + kw));
                let mut dispatch = whole("conv3d_depthwise").turns(turns).groups(groups as u64);
                if width == 2 {
                    dispatch =
                        dispatch.tune("WIDTH", "2u").tune("Wide", "vec2<f32>").tune("WideElem", "vec2<Elem>");
                }
                r.dispatch(dispatch);
            }
            (Family::Tiled, _) => {
                let dispatch = match (tiling.is_cooperative(), sliced) {
                    (false, false) => storing(whole("conv3d_tiled")),
                    (false, true) => slices_of(&KERNEL, "conv3d_tiled_slices"),
                    (true, false) => storing(whole_of(&COOPERATIVE, "conv3d_cooperative")),
                    (true, true) => slices_of(&COOPERATIVE, "conv3d_cooperative_slices"),
                };
                let step = tiling.pool_step(members);
                r.dispatch(pooled(runs(tiling.tiles(dispatch), group_in), step));
                if sliced {
                    let sum = storing(finishing("conv3d_tiled_sum", &[waiting, Operand::Unused]));
                    let fours = g.outputs() * self.groups * group_out.div_ceil(4);
                    let sum = sum.turns(members * tiling.slices).groups(fours.div_ceil(64) as u64);
                    r.dispatch(pooled(sum, step));
                }
            }
            (Family::Uniform, _) => {
                let tiles = Uniform {
                    problems: self.groups,
                    rows,
                    columns: group_out,
                    segments: taps,
                    length: group_in,
                    members,
                };
                r.dispatch(pooled(tiles.tiles(storing(whole("conv3d_uniform")), r.traits()), 8));
            }
            (Family::Direct, _) => {
                let dispatch = whole("conv3d_direct").turns(depth + taps);
                let groups = (g.outputs() * g.output[4]).div_ceil(64);
                r.dispatch(pooled(dispatch.groups(groups as u64), 1));
            }
        }
        Ok(())
    }
}
