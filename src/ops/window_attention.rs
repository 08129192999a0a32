//! Attention within shifted windows.

use std::ops::RangeInclusive;

use kinetograph_cpu::{all_finite, attention as fast};
use kinetograph_ref::window_attention as reference;
use serde::Deserialize;

use super::attributes::{each, optional_each};
use super::tiling::{MOST_SHARED, eights_each, sharing};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("window_attention");

/// The most channels of a head: an invocation keeps them in registers.
const MOST_WIDTH: usize = 96;

/// Fewer queries than this would leave much of a tile's workgroup idle.
const FEW_QUERIES: usize = 32;

/// Attributes of an attention within windows of a grid of tokens, that of the (Video) Swin Transformer. Three numbers
/// are for the axes T, H, W; a picture is a grid of one frame.
///
/// The grid is rolled back by `shift` and cut into windows, and tokens that the roll brings together from opposite ends
/// of an axis do not see each other: published implementations add −100 to such a score, here it is not looked at, which
/// is a factor of 10⁻⁴³. A grid that windows do not divide must be padded before the layer that makes query, key and
/// value of it, and cut after, for the published networks let tokens of padding take part.
///
/// A score that is NaN or +∞ gives NaN.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowAttention {
    /// Into how many heads the channels are divided.
    pub heads: usize,
    /// Tokens of a window along each axis; they must divide the grid's.
    #[serde(deserialize_with = "each")]
    pub window_size: [usize; 3],
    /// How far the grid is rolled back before it is cut, less than a window along each axis. A published network does
    /// not shift along an axis that one window spans; this is up to the caller.
    #[serde(deserialize_with = "each")]
    pub shift_size: [usize; 3],
    /// The window that the table is for, if it is another: where a network's window is larger than the grid it is cut
    /// down to the grid, but its table stays. A window's i-th token then has the place of the i-th token in this window.
    #[serde(deserialize_with = "optional_each")]
    pub table_window: Option<[usize; 3]>,
    /// What products are multiplied by; one over the root of a head's channels if not given.
    pub scale: Option<f32>,
}

impl WindowAttention {
    /// Windows of this size, not shifted.
    pub fn of(heads: usize, window_size: [usize; 3]) -> Self {
        WindowAttention { heads, window_size, ..WindowAttention::default() }
    }

    fn attributes(&self, qkv: &Shape) -> Result<(usize, reference::WindowAttention)> {
        let [n, t, h, w, channels] = qkv.dims("the input", "[N, T, H, W, 3·C]")?;
        let width = channels / 3 / self.heads;
        Ok((
            n,
            reference::WindowAttention {
                grid: [t, h, w],
                window: self.window_size,
                shift: self.shift_size,
                table_window: self.table_window.unwrap_or(self.window_size),
                heads: self.heads,
                width,
                scale: f64::from(self.scale(width)),
            },
        ))
    }

    fn scale(&self, width: usize) -> f32 {
        self.scale.unwrap_or((1.0 / (width as f64).sqrt()) as f32)
    }

    /// Of each query of a window and each key, the row of the table.
    fn table_rows(&self) -> Vec<usize> {
        let [t, h, w] = self.table_window.unwrap_or(self.window_size);
        let place = |i: usize| [i / (h * w), i / w % h, i % w];
        let tokens = self.window_size.iter().product::<usize>();
        let row = |i: usize| {
            let (q, k) = (place(i / tokens), place(i % tokens));
            let [d_t, d_h, d_w] = [q[0] + t - 1 - k[0], q[1] + h - 1 - k[1], q[2] + w - 1 - k[2]];
            (d_t * (2 * h - 1) + d_h) * (2 * w - 1) + d_w
        };
        (0..tokens * tokens).map(row).collect()
    }

    /// The rows of the table.
    fn rows(&self) -> Option<usize> {
        let window = self.table_window.unwrap_or(self.window_size);
        window.iter().try_fold(1usize, |rows, w| rows.checked_mul(w.checked_mul(2)?.checked_sub(1)?))
    }
}

impl Graph {
    /// Adds an attention within windows: `qkv` `[N, T, H, W, 3·C]`, query, key and value one after the other as one
    /// linear layer makes them, gives `[N, T, H, W, C]`. `table` `[(2·Wt − 1)(2·Wh − 1)(2·Ww − 1), heads]` has what is
    /// added to a score for each difference in place of query and key.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn window_attention(
        &mut self,
        qkv: Value,
        table: Option<Value>,
        attributes: &WindowAttention,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [qkv].into_iter().chain(table).collect();
        self.push(attributes.clone(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "window_attention",
    summary: "attention within shifted windows of [N, T, H, W, 3·C], with a bias by relative position",
    inputs: &[Port::new("qkv", Layout::Plain), Port::optional("table", Layout::Plain)],
    output: Layout::Plain,
    attributes: "heads (required), window_size (required), shift_size=0, table_window=window_size, \
                 scale=1/√(C/heads)",
    build: |g, v, a| Ok(vec![g.window_attention(v[0], v.get(1).copied(), &a.read()?)?]),
};

params! {
    struct WindowAttentionParams {
        rows: u32,
        heads: u32,
        queries: u32,
        keys: u32,
        key_at: u32,
        value_at: u32,
        grid_t: u32,
        grid_h: u32,
        grid_w: u32,
        window_t: u32,
        window_h: u32,
        window_w: u32,
        shift_t: u32,
        shift_h: u32,
        shift_w: u32,
        table_t: u32,
        table_h: u32,
        table_w: u32,
        scale: f32,
        nan: f32,
    }
}

impl Op for WindowAttention {
    fn name(&self) -> &'static str {
        "window_attention"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        1..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let error = |text: String| Err(Error::bad_input(text));
        let [n, t, h, w, row] = inputs[0].shape.dims("the input", "[N, T, H, W, 3·C]")?;
        if self.heads == 0 {
            return error("heads 0: it must be given".into());
        }
        if row % 3 != 0 || row / 3 % self.heads != 0 || row / 3 / self.heads > MOST_WIDTH {
            return error(format!(
                "heads {}: {row} channels must be three times a multiple of it, at most {MOST_WIDTH} a head",
                self.heads
            ));
        }
        if !self.scale(row / 3 / self.heads).is_finite() {
            return error(format!("scale {:?}: a finite number", self.scale));
        }
        for (axis, length) in [t, h, w].into_iter().enumerate() {
            let (name, window) = (["T", "H", "W"][axis], self.window_size[axis]);
            if window == 0 || length % window != 0 {
                return error(format!("window_size {window} along {name} must divide {length} tokens"));
            }
            if self.shift_size[axis] >= window {
                return error(format!(
                    "shift_size {} along {name}: it must be less than the window of {window}",
                    self.shift_size[axis]
                ));
            }
        }
        let window = self.table_window.unwrap_or(self.window_size);
        let Some(rows) = self.rows() else {
            return error(format!(
                "table_window {window:?}: 1 or more along each axis, and no more than can be"
            ));
        };
        let (tokens, places) = (self.window_size.iter().product::<usize>(), window.iter().product::<usize>());
        if tokens > places {
            return error(format!(
                "table_window {window:?} has {places} places for a window of {tokens} tokens"
            ));
        }
        if let Some(table) = inputs.get(1)
            && *table.shape != [rows, self.heads]
        {
            return error(format!("the table must be [{rows}, {}], it is {}", self.heads, table.shape));
        }
        if inputs.len() == 1 && self.table_window.is_some() {
            return error("table_window: there is no table".into());
        }
        Ok(vec![TensorType::float(&[n, t, h, w, row / 3])?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (n, a) = self.attributes(inputs[0].shape())?;
        let table = inputs.get(1).map(Tensor::f32s).transpose()?;
        let y = reference::window_attention(inputs[0].f32s()?, table, &a);
        let [t, h, w] = a.grid;
        Ok(vec![Tensor::new(&[n, t, h, w, a.heads * a.width], y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (n, a) = self.attributes(inputs[0].shape())?;
        let qkv = inputs[0].f32s()?;
        // A key of another region brings nothing, but zero times infinity is NaN.
        if !all_finite(qkv) {
            return self.reference(inputs);
        }
        let table = inputs.get(1).map(Tensor::f32s).transpose()?;
        let (places, channels) = (a.grid.iter().product::<usize>(), a.heads * a.width);
        let mut windows: Vec<Vec<usize>> = Vec::new();
        let mut seen = vec![false; places];
        for token in 0..places {
            if !seen[token] {
                let members = a.window_of(token).1;
                members.iter().for_each(|&m| seen[m] = true);
                windows.push(members);
            }
        }
        let regions: Vec<[usize; 3]> = (0..places).map(|token| a.region(token)).collect();
        let rows = self.table_rows();
        let length = self.window_size.iter().product::<usize>();
        let of_sample = |i: usize| windows.iter().map(move |w| w.iter().map(|m| i * places + m).collect());
        let sequences = (0..n).flat_map(of_sample).map(|w: Vec<usize>| [w.clone(), w]).collect();
        let attention = fast::Attention {
            sequences,
            heads: a.heads,
            width: a.width,
            steps: [3 * channels; 3],
            starts: [0, channels, 2 * channels],
            scale: self.scale(a.width),
        };
        let y = fast::attention([qkv; 3], &attention, &|sequence, head, position, scores| {
            let members = &windows[sequence % windows.len()];
            let own = regions[members[position]];
            let rows = &rows[position * length..][..length];
            for ((score, &row), &member) in scores.iter_mut().zip(rows).zip(members) {
                if regions[member] != own {
                    *score = f32::NEG_INFINITY;
                } else if let Some(table) = table {
                    *score += table[row * a.heads + head];
                }
            }
        });
        let [t, h, w] = a.grid;
        Ok(vec![Tensor::new(&[n, t, h, w, channels], y)?])
    }

    /// A score errs as its product does, whose magnitudes `|q|·|k|` bound, and by what is added.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let (_, a) = self.attributes(inputs[0].shape())?;
        let table = inputs.get(1).map(Tensor::f32s).transpose()?;
        let qkv = inputs[0].f32s()?;
        let magnitudes: Vec<f32> = qkv.iter().map(|x| x.abs()).collect();
        let places: usize = a.grid.iter().product();
        let unit = 2.0 * UNIT_ROUNDOFF;
        let mut bound = Vec::new();
        for (row, y) in reference[0].f32s()?.chunks(a.width).enumerate() {
            let (n, token, head) = (row / a.heads / places, row / a.heads % places, row % a.heads);
            let scores = a.scores(qkv, table, n, token, head);
            let products = a.products(&magnitudes, n, token, head);
            let added = a.added(table, token, head);
            let own = |(p, a_): (&f64, &f64)| unit * ((a.width + 8) as f64 * p.abs() + 2.0 * a_.abs());
            let errors: Vec<f64> = products.iter().zip(&added).map(own).collect();
            let members = a.window_of(token).1;
            let values: Vec<&[f32]> = members.iter().map(|&m| a.channels(qkv, 2, n, m, head)).collect();
            bound.extend(Bound::attention_row(&scores, &errors, &values, y));
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    /// Two products and a few operations on the scores, masked ones counted too.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        4 * self.window_size.iter().product::<usize>() as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let (n, a) = self.attributes(r.input(0))?;
        let tokens: usize = a.window.iter().product();
        let problems = n * a.heads * a.grid.iter().product::<usize>() / tokens;
        let chunks = a.width.div_ceil(4);
        // Keys and values of a tile, and what is known of its keys, take up to 16 KiB.
        let tile = [32, 28, 24, 20, 16].into_iter().find(|t| t * (2 * chunks + 1) <= 1024).unwrap_or(8);
        let shared = eights_each(tokens, MOST_SHARED);
        let (entry, groups, turns) = match r.traits().family {
            Family::Tiled if tokens >= FEW_QUERIES => (
                "window_attention_tiled",
                problems * tokens.div_ceil(64),
                tokens.div_ceil(tile) * (1 + tile + (tile * chunks).div_ceil(64)),
            ),
            Family::Uniform => {
                ("window_attention_uniform", problems * tokens.div_ceil(8 * shared), tokens.div_ceil(4))
            }
            _ => ("window_attention_direct", (problems * tokens).div_ceil(64), tokens),
        };
        let channels = a.heads * a.width;
        let u = |v: usize| r.u32("length", v);
        let params = WindowAttentionParams {
            rows: u(problems * tokens)?,
            heads: u(a.heads)?,
            queries: u(tokens)?,
            keys: u(tokens)?,
            key_at: u(channels)?,
            value_at: u(2 * channels)?,
            grid_t: u(a.grid[0])?,
            grid_h: u(a.grid[1])?,
            grid_w: u(a.grid[2])?,
            window_t: u(a.window[0])?,
            window_h: u(a.window[1])?,
            window_w: u(a.window[2])?,
            shift_t: u(a.shift[0])?,
            shift_h: u(a.shift[1])?,
            shift_w: u(a.shift[2])?,
            table_t: u(a.table_window[0])?,
            table_h: u(a.table_window[1])?,
            table_w: u(a.table_window[2])?,
            scale: self.scale(a.width),
            nan: f32::NAN,
            ..Default::default()
        };
        let has_table = r.inputs() > 1;
        let mut dispatch = Dispatch::new(&KERNEL, entry, &params)
            .tune("HEAD_DIM", format!("{}u", a.width))
            .tune("HELD", format!("{chunks}u"))
            .tune("HELD_LOADS", format!("{}u", chunks.div_ceil(8)))
            .constant("HAS_TABLE", u32::from(has_table))
            .bind([
                Operand::Input(0),
                Operand::Input(0),
                Operand::Input(0),
                if has_table { Operand::Input(1) } else { Operand::Absent },
                Operand::Output(0),
            ])
            .turns(turns)
            .groups(groups as u64);
        match entry {
            "window_attention_tiled" => dispatch = dispatch.tune("TILE", format!("{tile}u")),
            "window_attention_uniform" => {
                dispatch = sharing(dispatch, r.traits()).tune("QUERIES", format!("{shared}u"));
            }
            _ => {}
        }
        if a.width.is_multiple_of(4) && r.traits().family != Family::Direct {
            dispatch = dispatch.tune("Part", "vec4<Elem>").tune("PART", "4u");
        }
        r.dispatch(dispatch);
        Ok(())
    }
}
