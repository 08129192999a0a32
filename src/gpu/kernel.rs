//! Kernel files and their expansion to the WGSL that a device compiles.
//!
//! A kernel file is plain WGSL. Three conventions are ours, comments to everybody else:
//!
//! - `#import name` on a line of its own pastes `kernels/lib/name.wgsl`, once; `#import ../name` another kernel.
//! - A `const` or `alias` line that ends in `// tune: Name` may have its value replaced by the host, and an `#import` line
//!   the name of its file. As written, the file is valid with what stands there.
//! - `// unroll` on the line above a `for (var i = A; i < B; i++) {` whose bounds are integer literals or
//!   `const`s of the file has the loop written out, because drivers do not unroll the bounded loops that
//!   naga emits.
//!
//! Expansion keeps a line map, so that a compiler's message names the real file and line.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};

/// A kernel file, embedded in the binary.
#[derive(Debug)]
pub struct Kernel {
    /// The file's stem: `conv3d` for `kernels/conv3d.wgsl`.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

/// Makes a [`Kernel`] of `kernels/<name>.wgsl`.
#[macro_export]
macro_rules! kernel {
    ($name:literal) => {
        $crate::gpu::Kernel {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/", $name, ".wgsl")),
        }
    };
}

/// The import-only files of `kernels/lib`.
pub const LIB: &[Kernel] = &[
    kernel!("lib/activation"),
    kernel!("lib/apart"),
    kernel!("lib/attention"),
    kernel!("lib/elementary"),
    kernel!("lib/boxes"),
    kernel!("lib/cooperative"),
    kernel!("lib/cooperative_slices"),
    kernel!("lib/finish"),
    kernel!("lib/index"),
    kernel!("lib/lanes"),
    kernel!("lib/matmul"),
    kernel!("lib/median"),
    kernel!("lib/moments"),
    kernel!("lib/nan"),
    kernel!("lib/order"),
    kernel!("lib/select"),
    kernel!("lib/shuffled"),
    kernel!("lib/power"),
    kernel!("lib/padding"),
    kernel!("lib/slices"),
    kernel!("lib/store_four"),
    kernel!("lib/store_one"),
    kernel!("lib/strided"),
    kernel!("lib/tiles"),
    kernel!("lib/trigonometry"),
    kernel!("lib/winograd"),
];

/// Kernels whose text others import, as `#import ../name`.
static SHARED: &[Kernel] = &[
    kernel!("attention"),
    kernel!("conv3d"),
    kernel!("conv_transpose3d"),
    kernel!("linear"),
    kernel!("matmul"),
];

/// Values for a file's `// tune:` lines.
pub type Tunes = BTreeMap<&'static str, Cow<'static, str>>;

/// A kernel ready for a compiler.
#[derive(Debug)]
pub struct Expanded {
    /// The WGSL.
    pub source: String,
    /// For every line of `source`, the file's name and line number it came from.
    lines: Vec<(&'static str, usize)>,
}

impl Expanded {
    /// `file:line` of a line (from 1) of the expanded source.
    pub fn origin(&self, line: usize) -> String {
        match self.lines.get(line.wrapping_sub(1)) {
            Some((file, line)) => format!("kernels/{file}.wgsl:{line}"),
            None => "the end of the kernel".into(),
        }
    }

    /// Parses and validates the source with naga.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] with the real file and line.
    pub fn parse(&self) -> Result<(naga::Module, naga::valid::ModuleInfo)> {
        let at = |location: Option<naga::SourceLocation>| {
            location.map_or_else(String::new, |l| self.origin(l.line_number as usize) + ": ")
        };
        let module = naga::front::wgsl::parse_str(&self.source)
            .map_err(|e| Error::internal(format!("{}{}", at(e.location(&self.source)), e.message())))?;
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::all(),
        );
        let info = validator.validate(&module).map_err(|e| {
            let mut text = e.as_inner().to_string();
            let mut source: Option<&dyn std::error::Error> = std::error::Error::source(e.as_inner());
            while let Some(s) = source {
                text = format!("{text}: {s}");
                source = s.source();
            }
            Error::internal(format!("{}{text}", at(e.location(&self.source))))
        })?;
        Ok((module, info))
    }
}

impl Kernel {
    /// Whether it, or another kernel whose text it imports, reads or writes floats of the plan's storage type.
    pub(crate) fn stores(&self) -> bool {
        let shared = |name: &str| SHARED.iter().any(|k| k.name == name && k.stores());
        let mut imports = self.text.lines().filter_map(|line| line.strip_prefix("#import ../"));
        self.text.contains("// tune: Elem\n") || imports.any(shared)
    }

    /// Pastes imports, sets tune lines and writes marked loops out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] for an unknown import, an unknown tune name or a marked loop of another
    /// form.
    pub fn expand(&self, tunes: &Tunes) -> Result<Expanded> {
        let mut paste = Paste {
            tunes,
            lines: Vec::new(),
            enables: Vec::new(),
            imported: BTreeSet::new(),
            tuned: BTreeSet::new(),
        };
        paste.file(self)?;
        if let Some(unknown) = tunes.keys().find(|k| !paste.tuned.contains(**k)) {
            return Err(Error::internal(format!(
                "kernels/{}.wgsl has no line `// tune: {unknown}`",
                self.name
            )));
        }
        let mut lines = paste.enables;
        if tunes.values().any(|v| v.split(|c: char| !c.is_alphanumeric()).any(|w| w == "f16")) {
            lines.insert(0, Line { text: "enable f16;".into(), file: self.name, number: 0 });
        }
        lines.extend(unroll(paste.lines)?);
        let source = lines.iter().fold(String::new(), |s, l| s + &l.text + "\n");
        Ok(Expanded { source, lines: lines.into_iter().map(|l| (l.file, l.number)).collect() })
    }
}

#[derive(Clone)]
struct Line {
    text: String,
    file: &'static str,
    number: usize,
}

impl Line {
    fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::internal(format!("kernels/{}.wgsl:{}: {what}", self.file, self.number))
    }
}

struct Paste<'a> {
    tunes: &'a Tunes,
    lines: Vec<Line>,
    enables: Vec<Line>,
    imported: BTreeSet<&'static str>,
    tuned: BTreeSet<&'static str>,
}

impl Paste<'_> {
    fn file(&mut self, kernel: &Kernel) -> Result<()> {
        for (i, text) in kernel.text.lines().enumerate() {
            let line = Line { text: text.to_owned(), file: kernel.name, number: i + 1 };
            if let Some(name) = text.strip_prefix("#import ") {
                let name = &*self.imported_name(name);
                let file = match name.strip_prefix("../") {
                    Some(name) => SHARED.iter().find(|k| k.name == name),
                    None => LIB.iter().find(|k| k.name.strip_prefix("lib/") == Some(name)),
                };
                let file =
                    file.ok_or_else(|| line.error(format!("no file kernels/lib/{name}.wgsl to import")))?;
                if self.imported.insert(file.name) {
                    self.file(file)?;
                }
            } else if text.starts_with("enable ") {
                self.enables.push(line);
            } else {
                let text = self.tune(&line)?;
                self.lines.push(Line { text, ..line });
            }
        }
        Ok(())
    }

    /// The name of the file that an import line stands for.
    fn imported_name(&mut self, line: &str) -> String {
        let Some((usual, key)) = line.split_once("// tune:") else { return line.trim().to_owned() };
        match self.tunes.get_key_value(key.trim()) {
            Some((&key, value)) => {
                self.tuned.insert(key);
                value.to_string()
            }
            None => usual.trim().to_owned(),
        }
    }

    fn tune(&mut self, line: &Line) -> Result<String> {
        let Some((code, name)) = line.text.split_once("// tune:") else { return Ok(line.text.clone()) };
        let Some((&key, value)) = self.tunes.get_key_value(name.trim()) else { return Ok(line.text.clone()) };
        let head = code.split_once('=').filter(|_| code.starts_with("const ") || code.starts_with("alias "));
        let (head, _) = head.ok_or_else(|| line.error("a tune line must be a `const` or `alias`"))?;
        self.tuned.insert(key);
        Ok(format!("{head}= {value}; // tune: {}", name.trim()))
    }
}

/// Writes every `// unroll` loop out, inner loops first met by recursion.
fn unroll(lines: Vec<Line>) -> Result<Vec<Line>> {
    let mut constants = BTreeMap::new();
    // A constant may stand on one further down, as those of imports do.
    loop {
        let known = constants.len();
        for l in &lines {
            if let Some((name, value)) = l.text.strip_prefix("const ").and_then(|t| t.split_once('=')) {
                let name = name.split(':').next().unwrap_or(name).trim().to_owned();
                let value = value.split("//").next().unwrap_or(value).trim().trim_end_matches(';');
                if let Some(v) = product(value, &constants) {
                    constants.insert(name, v);
                }
            }
        }
        if constants.len() == known {
            break;
        }
    }
    unroll_block(&lines, &constants)
}

fn unroll_block(lines: &[Line], constants: &BTreeMap<String, u32>) -> Result<Vec<Line>> {
    let mut out = Vec::with_capacity(lines.len());
    let mut i = 0;
    while i < lines.len() {
        if lines[i].text.trim() != "// unroll" {
            out.push(lines[i].clone());
            i += 1;
            continue;
        }
        let form = || lines[i].error("`// unroll` must stand above `for (var i = A; i < B; i++) {`");
        let head = lines.get(i + 1).ok_or_else(form)?;
        let (name, from, to) = loop_head(&head.text, constants).ok_or_else(form)?;
        let mut depth = 0i32;
        let length = lines[i + 1..].iter().position(|l| {
            let code = l.text.split("//").next().unwrap_or("");
            depth += code.matches('{').count() as i32 - code.matches('}').count() as i32;
            depth == 0
        });
        let end = i + 1 + length.ok_or_else(form)?;
        let body = unroll_block(&lines[i + 2..end], constants)?;
        for value in from..to {
            out.push(Line { text: format!("{{ const {name} = {value}u;"), ..head.clone() });
            out.extend(body.iter().cloned());
            out.push(Line { text: "}".into(), ..lines[end].clone() });
        }
        i = end + 1;
    }
    Ok(out)
}

/// Name and bounds of `for (var name = A; name < B; name++) {`.
fn loop_head(text: &str, constants: &BTreeMap<String, u32>) -> Option<(String, u32, u32)> {
    let inner = text.trim().strip_prefix("for (var ")?.strip_suffix(") {")?;
    let mut parts = inner.split(';');
    let (name, from) = parts.next()?.split_once('=')?;
    let name = name.trim();
    let to = parts.next()?.trim().strip_prefix(name)?.trim().strip_prefix('<')?;
    (parts.next()?.trim() == format!("{name}++") && parts.next().is_none()).then_some(())?;
    Some((name.to_owned(), product(from, constants)?, product(to, constants)?))
}

/// The value of a literal, a known constant, or a product or quotient of those.
fn product(text: &str, constants: &BTreeMap<String, u32>) -> Option<u32> {
    let term = |t: &str| {
        let t = t.trim();
        constants.get(t).copied().or_else(|| t.trim_end_matches('u').parse().ok())
    };
    // From the left, as WGSL has it.
    if let Some(at) = text.rfind(['*', '/']) {
        let (a, b) = (product(&text[..at], constants)?, term(&text[at + 1..])?);
        return if text[at..].starts_with('*') { a.checked_mul(b) } else { a.checked_div(b) };
    }
    term(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &'static str, tunes: &[(&'static str, &'static str)]) -> Result<Expanded> {
        let tunes = tunes.iter().map(|&(k, v)| (k, v.into())).collect();
        Kernel { name: "test", text }.expand(&tunes)
    }

    #[test]
    fn tune_lines_are_replaced_and_unknown_names_refused() {
        let text = "alias Elem = f32; // tune: Elem\nconst N: u32 = 4u; // tune: N\n";
        let e = expand(text, &[("Elem", "f16"), ("N", "8u")]).unwrap();
        assert_eq!(e.source, "enable f16;\nalias Elem = f16; // tune: Elem\nconst N: u32 = 8u; // tune: N\n");
        assert!(expand(text, &[("M", "8u")]).unwrap_err().to_string().contains("tune: M"));
    }

    #[test]
    fn imports_are_replaced_as_other_tune_lines() {
        let text = "#import apart // tune: SHARING\n";
        assert!(!expand(text, &[]).unwrap().source.contains("subgroup"));
        assert!(expand(text, &[("SHARING", "shuffled")]).unwrap().source.contains("subgroupShuffle"));
        assert!(expand(text, &[("SHARING", "nothing")]).unwrap_err().to_string().contains("test.wgsl:1"));
    }

    #[test]
    fn marked_loops_are_written_out() {
        let text = "const N: u32 = M / 2u;\nconst M: u32 = 4u;\nfn f() {\n    // unroll\n    for (var i = 0u; i < N; i++) {\n        \
                    // unroll\n        for (var j = 1u; j < N * 2u; j++) {\n            g(i, j);\n        }\n    }\n}";
        let e = expand(text, &[]).unwrap();
        assert_eq!(e.source.matches("g(i, j);").count(), 6);
        assert_eq!(e.source.matches("const j = 3u;").count(), 2);
        assert!(!e.source.contains("for ("));
        let wrong = expand("// unroll\nwhile (true) {\n}", &[]).unwrap_err().to_string();
        assert!(wrong.starts_with("kernels/test.wgsl:1: "), "{wrong}");
    }

    #[test]
    fn errors_name_the_real_line() {
        assert!(expand("#import nothing", &[]).unwrap_err().to_string().contains("test.wgsl:1"));
        let e = expand("#import index\nfn f() { let x: u32 = 1.5; }", &[]).unwrap();
        assert!(e.parse().unwrap_err().to_string().starts_with("kernels/test.wgsl:2: "));
    }
}
