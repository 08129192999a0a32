//! The roofline picture (Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for multicore
//! architectures", CACM 2009): operations a second over operations a byte, both logarithmic, under what the device can do.

use std::fmt::Write;
use std::path::Path;

use super::{Measured, Record};
use crate::error::{Error, Result};
use crate::fs::write_atomic;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;

/// Colours of operators, in the order in which they appear; distinguishable without red and green.
const COLOURS: [&str; 9] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f", "#000000", "#b8a000"];

/// A logarithmic axis.
struct Axis {
    /// Powers of ten.
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, [from, to]: [f64; 2]) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values.filter(|v| v.is_finite() && *v > 0.0) {
            low = low.min(v.log10());
            high = high.max(v.log10());
        }
        let (low, high) = ((low - 0.1).floor(), (high + 0.1).ceil());
        Axis { low, high: high.max(low + 1.0), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let t = (value.log10().clamp(self.low, self.high) - self.low) / (self.high - self.low);
        self.from + t * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|e| 10f64.powi(e))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn label(value: f64) -> String {
    if value >= 1.0 { format!("{value}") } else { format!("{value:.*}", (-value.log10()).ceil() as usize) }
}

/// What a picture's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The picture alone.
    Svg,
    /// A page of the picture and the numbers.
    Html,
}

/// The format that a file's name asks for.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for another name than `.svg` and `.html`.
pub fn format(path: &Path) -> Result<Format> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(Format::Svg),
        Some("html") => Ok(Format::Html),
        _ => Err(Error::usage("a roofline is drawn as .svg or .html").at(path.display())),
    }
}

/// Whether there is something to draw: a measured peak, and an entry that makes operations.
pub fn drawable(record: &Record) -> bool {
    record.peak.is_some() && record.entries.iter().any(has_place)
}

/// Entries that make no operations, such as copies, have no place in a roofline.
fn has_place(m: &Measured) -> bool {
    m.flops > 0 && m.bytes > 0
}

/// Draws a record to a file; on any error the file stays as it was.
///
/// # Errors
/// As [`format()`] and [`roofline`]; [`crate::ErrorKind::Usage`] when the file cannot be written.
pub fn write(record: &Record, path: &Path) -> Result<()> {
    let text = match format(path)? {
        Format::Svg => roofline(record)?,
        Format::Html => page(record)?,
    };
    let written = |e: std::io::Error| Error::usage(format!("cannot be written: {e}"));
    write_atomic(path, |out| out.write_all(text.as_bytes()).map_err(written))
}

/// A page of the picture and a table of its numbers.
///
/// # Errors
/// As [`roofline`].
pub fn page(record: &Record) -> Result<String> {
    let mut out = String::new();
    let device = escaped(&record.device);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let style = "body{font-family:sans-serif;max-width:960px;margin:auto}td,th{padding:2px 10px;text-align:right}\
                 td:first-child,th:first-child{text-align:left}";
    let _ = writeln!(out, "<title>kinetograph on {device}</title>\n<style>{style}</style>\n</head>\n<body>");
    out.push_str(&roofline(record)?);
    out.push_str("<table>\n<tr><th>name</th><th>ms</th><th>GFLOP/s</th><th>GB/s</th><th>of best</th></tr>\n");
    for m in &record.entries {
        let share = record.peak().map_or(String::new(), |p| format!("{:.0} %", 100.0 * m.share(&p)));
        let (ms, gflops, gbs) = (m.kernels * 1e3, m.gflops(), m.gbs());
        let name = escaped(&m.name);
        let _ = writeln!(
            out,
            "<tr><td>{name}</td><td>{ms:.3}</td><td>{gflops:.2}</td><td>{gbs:.2}</td><td>{share}</td></tr>"
        );
    }
    out.push_str("</table>\n</body>\n</html>\n");
    Ok(out)
}

/// Draws a record as SVG.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the record has no measured peak or no entry that makes operations.
pub fn roofline(record: &Record) -> Result<String> {
    let peak = record.peak().ok_or_else(|| {
        Error::bad_input("a roofline needs the device's measured peak, which there is for GPUs only")
    })?;
    let points: Vec<&Measured> = record.entries.iter().filter(|m| has_place(m)).collect();
    if points.is_empty() {
        return Err(Error::bad_input("a roofline needs an entry that makes floating-point operations"));
    }
    let ridge = peak.flops / peak.bytes;
    let x = Axis::over(points.iter().map(|m| m.intensity()).chain([ridge]), [LEFT, WIDTH - RIGHT]);
    let lowest = points.iter().map(|m| m.gflops());
    let y = Axis::over(lowest.chain([peak.flops / 1e9]), [HEIGHT - BOTTOM, TOP]);
    let mut out = String::new();
    draw(&mut out, record, &points, &x, &y).map_err(|e| Error::internal(e.to_string()))?;
    Ok(out)
}

fn draw(out: &mut String, record: &Record, points: &[&Measured], x: &Axis, y: &Axis) -> std::fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">"
    )?;
    writeln!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>")?;
    writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}, {}</text>",
        escaped(&record.device),
        escaped(&record.precision)
    )?;
    for tick in x.ticks() {
        let at = x.at(tick);
        writeln!(out, "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#dddddd\"/>", HEIGHT - BOTTOM)?;
        let below = HEIGHT - BOTTOM + 18.0;
        writeln!(out, "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>", label(tick))?;
    }
    for tick in y.ticks() {
        let at = y.at(tick);
        writeln!(out, "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#dddddd\"/>", WIDTH - RIGHT)?;
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            label(tick)
        )?;
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    writeln!(
        out,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">operations a byte</text>",
        HEIGHT - 14.0
    )?;
    writeln!(
        out,
        "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">GFLOP/s</text>",
        (TOP + HEIGHT - BOTTOM) / 2.0
    )?;
    roof(out, record, x, y)?;
    let mut operators: Vec<&str> = Vec::new();
    for m in points {
        let operator = m.name.split('/').next().unwrap_or_default();
        let number = operators.iter().position(|o| *o == operator).unwrap_or_else(|| {
            operators.push(operator);
            operators.len() - 1
        });
        let title = format!(
            "<title>{}: {:.2} GFLOP/s, {:.3} ms</title>",
            escaped(&m.name),
            m.gflops(),
            m.kernels * 1e3
        );
        mark(out, number, [x.at(m.intensity()), y.at(m.gflops())], &title)?;
    }
    for (i, operator) in operators.iter().enumerate() {
        let (cx, cy) = (WIDTH - RIGHT + 24.0, TOP + 14.0 + 20.0 * i as f64);
        mark(out, i, [cx, cy], "")?;
        writeln!(out, "<text x=\"{}\" y=\"{}\">{}</text>", cx + 12.0, cy + 4.0, escaped(operator))?;
    }
    writeln!(out, "</svg>")
}

/// The point of an operator: circles in all colours, then squares, then diamonds.
fn mark(out: &mut String, number: usize, [x, y]: [f64; 2], title: &str) -> std::fmt::Result {
    let look = format!("fill=\"{}\" fill-opacity=\"0.8\"", COLOURS[number % COLOURS.len()]);
    match number / COLOURS.len() {
        0 => writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" {look}>{title}</circle>"),
        round => {
            let turn = if round == 1 { 0 } else { 45 };
            writeln!(
                out,
                "<rect x=\"-4.5\" y=\"-4.5\" width=\"9\" height=\"9\" transform=\"translate({x:.1} {y:.1}) rotate({turn})\" \
                 {look}>{title}</rect>"
            )
        }
    }
}

/// The device's two lines, and what they say.
fn roof(out: &mut String, record: &Record, x: &Axis, y: &Axis) -> std::fmt::Result {
    let Some(peak) = record.peak() else { return Ok(()) };
    let (first, last) = (10f64.powf(x.low), 10f64.powf(x.high));
    // Where the sloping line enters the picture from below.
    let start = first.max(10f64.powf(y.low) * 1e9 / peak.bytes);
    let ridge = (peak.flops / peak.bytes).clamp(start, last);
    let corners = [start, ridge, last].map(|i| (x.at(i), y.at(peak.attainable(i) / 1e9)));
    let path: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    writeln!(out, "<path d=\"M{}\" fill=\"none\" stroke=\"#000000\" stroke-width=\"1.5\"/>", path.join("L"))?;
    writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1} GFLOP/s, {:.1} GB/s measured at best</text>",
        corners[2].0 - 4.0,
        corners[2].1 - 8.0,
        peak.flops / 1e9,
        peak.bytes / 1e9
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Peak;

    #[test]
    fn a_picture_has_every_entry() {
        let mut record = Record::new("a <device>", "f32", Some(Peak { flops: 100e9, bytes: 10e9 }));
        assert!(roofline(&record).unwrap_err().to_string().contains("floating-point"));
        for (name, flops) in [("conv3d/a", 5_000_000_000), ("conv3d/b", 100_000), ("norm/c", 1_000_000)] {
            let bytes = 1_000_000;
            record.entries.push(Measured {
                name: name.into(),
                flops,
                bytes,
                kernels: 0.1,
                whole: 0.1,
                first: 0.1,
                error: None,
                memory: None,
                ratio: None,
            });
        }
        let svg = roofline(&record).unwrap();
        assert!(svg.contains("a &lt;device&gt;") && svg.ends_with("</svg>\n"));
        for name in ["conv3d/a", "conv3d/b", "norm/c"] {
            assert_eq!(svg.matches(&format!("<title>{name}:")).count(), 1);
        }
        // Two operators in the legend, three points.
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(page(&record).unwrap().contains("<td>conv3d/a</td><td>100.000</td><td>50.00</td>"));
        assert!(format(Path::new("a.png")).unwrap_err().to_string().contains(".svg or .html"));
        assert!(roofline(&Record { peak: None, ..record }).unwrap_err().to_string().contains("peak"));
    }
}
