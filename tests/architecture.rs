//! The shape of the house, as ARCHITECTURE.md tells it: every operator has its four doors, modules import only
//! what they may, and source files stay small and free of panics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kinetograph::ops::CATALOG;

/// Which modules of the library a module's files may name, itself aside. `wgpu`, the reference crate and
/// the finer rules are tests of their own.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", VOCABULARY),
    ("shape", VOCABULARY),
    ("tensor", VOCABULARY),
    ("element", VOCABULARY),
    ("fs", VOCABULARY),
    ("npy", VOCABULARY),
    ("random", VOCABULARY),
    ("labels", &[]),
    ("weights", VOCABULARY),
    ("video", VOCABULARY),
    ("gpu", VOCABULARY),
    ("graph", &["error", "shape", "tensor", "fs", "gpu"]),
    ("ops", &["error", "shape", "tensor", "gpu", "graph"]),
    ("verify", &["error", "shape", "tensor", "gpu", "graph", "ops"]),
    ("nn", &["error", "shape", "tensor", "graph", "ops", "weights"]),
    ("models", &["error", "shape", "tensor", "graph", "ops", "nn", "weights"]),
    ("bench", &["error", "shape", "tensor", "fs", "gpu", "graph", "ops", "models", "weights"]),
    ("correspondence", &["error", "shape", "tensor", "graph", "ops"]),
    ("flow", &["error", "shape", "tensor", "fs", "npy", "graph", "ops", "video"]),
    ("prepare", &["error", "shape", "tensor", "graph", "models", "flow", "video", "weights"]),
    ("detection", &["error", "shape", "tensor", "npy", "graph", "video", "weights"]),
    ("demo", &["error", "shape", "tensor", "graph", "ops", "nn", "models", "weights", "video", "flow"]),
];

const VOCABULARY: &[&str] = &["error", "shape", "tensor", "element", "fs"];

/// What operators may name of the module `gpu`.
const KERNEL_TYPES: &[&str] = &["Kernel", "Matrices", "Params", "Tunes"];

/// Modules that may name the reference crate.
const MAY_USE_REFERENCE: &[&str] = &["graph", "ops", "verify"];

/// Modules that may name the crate of the fast kernels.
const MAY_USE_FAST_KERNELS: &[&str] = &["graph", "ops"];

/// Where `wgpu` may be named, besides src/gpu/.
const MAY_NAME_WGPU: &[&str] = &["src/graph/engine.rs", "src/graph/gpu_plan/", "src/lib.rs"];

/// The files of src/ops and src/ops/composed that are about no one operator.
const NO_OPERATORS: &[&str] = &["mod", "attributes", "gates", "recurrent", "shared", "tiling"];

const MOST_LINES: usize = 800;

/// A source file.
struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    /// The module's path from the crate's root.
    module: Vec<String>,
    lines: usize,
    /// The words and signs that are not in comments, texts or tests.
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Colons,
    Sign(char),
}

impl Token {
    fn word(&self) -> Option<&str> {
        match self {
            Token::Word(w) => Some(w),
            _ => None,
        }
    }
}

/// Replaces comments and texts by spaces.
fn without_comments_and_texts(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts = |i: usize, what: &str| what.chars().enumerate().all(|(k, c)| chars.get(i + k) == Some(&c));
    let mut i = 0;
    while i < chars.len() {
        let after_word = i > 0 && is_word(chars[i - 1]);
        let end = if starts(i, "//") {
            (i..chars.len()).find(|&k| chars[k] == '\n').unwrap_or(chars.len())
        } else if starts(i, "/*") {
            let mut depth = 0;
            let mut k = i;
            loop {
                if starts(k, "/*") {
                    depth += 1;
                    k += 2;
                } else if starts(k, "*/") {
                    depth -= 1;
                    k += 2;
                } else {
                    k += 1;
                }
                if depth == 0 || k >= chars.len() {
                    break k.min(chars.len());
                }
            }
        } else if chars[i] == 'r' && !after_word && matches!(chars.get(i + 1), Some('"' | '#')) {
            let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(i + 1 + hashes) == Some(&'"') {
                let close = format!("\"{}", "#".repeat(hashes));
                let from = i + 2 + hashes;
                (from..chars.len()).find(|&k| starts(k, &close)).map_or(chars.len(), |k| k + close.len())
            } else {
                i
            }
        } else if chars[i] == '"' {
            let mut k = i + 1;
            while k < chars.len() && chars[k] != '"' {
                k += if chars[k] == '\\' { 2 } else { 1 };
            }
            (k + 1).min(chars.len())
        } else if chars[i] == '\'' && chars.get(i + 1) == Some(&'\\') {
            (i + 3..chars.len()).find(|&k| chars[k] == '\'').map_or(chars.len(), |k| k + 1)
        } else if chars[i] == '\'' && chars.get(i + 2) == Some(&'\'') {
            i + 3
        } else {
            i
        };
        if end > i {
            out.push(' ');
            i = end;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    out
}

fn tokens(code: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(c);
            }
            out.push(Token::Word(word));
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            out.push(Token::Colons);
        } else if !c.is_whitespace() {
            out.push(Token::Sign(c));
        }
    }
    out
}

/// Takes items under `#[cfg(test)]` out; gives the names of modules in files among them.
fn take_tests(all: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let mark = tokens("#[cfg(test)]");
    let (mut out, mut modules) = (Vec::new(), Vec::new());
    let mut i = 0;
    while i < all.len() {
        if !all[i..].starts_with(&mark) {
            out.push(all[i].clone());
            i += 1;
            continue;
        }
        let start = i;
        let mut depth = 0;
        while i < all.len() {
            match all[i] {
                Token::Sign('{' | '(' | '[') => depth += 1,
                Token::Sign('}' | ')' | ']') => depth -= 1,
                _ => {}
            }
            i += 1;
            let ended = matches!(all[i - 1], Token::Sign(';' | '}'));
            if depth == 0 && ended {
                break;
            }
        }
        if let [.., a, Token::Word(name), Token::Sign(';')] = &all[start..i]
            && a.word() == Some("mod")
        {
            modules.push(name.clone());
        }
    }
    (out, modules)
}

/// The `.rs` files of a folder and those within it.
fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The files of a crate's `src`, tests left out.
fn sources(src: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    rust_files(&root.join(src), &mut paths);
    paths.sort();
    let mut out = Vec::new();
    let mut tests = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let (tokens, test_modules) = take_tests(tokens(&without_comments_and_texts(&text)));
        let inside = path.strip_prefix(root.join(src)).unwrap().with_extension("");
        let mut module: Vec<String> =
            inside.components().map(|c| c.as_os_str().to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        tests.extend(test_modules.into_iter().map(|name| [module.clone(), vec![name]].concat()));
        let file = inside.components().map(|c| c.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/");
        out.push(Source { path: format!("{src}/{file}.rs"), module, lines: text.lines().count(), tokens });
    }
    out.retain(|s| !tests.iter().any(|t| s.module.starts_with(t)));
    assert!(out.len() > 3, "{src} has {} files", out.len());
    out
}

/// Every path that begins with one of the words in `from`, groups in braces written out.
fn paths(tokens: &[Token], from: &[&str]) -> Vec<Vec<String>> {
    fn tree(tokens: &[Token], mut i: usize, mut path: Vec<String>, out: &mut Vec<Vec<String>>) -> usize {
        loop {
            match tokens.get(i) {
                Some(Token::Word(w)) => path.push(w.clone()),
                Some(Token::Sign('*')) => path.push("*".into()),
                Some(Token::Sign('{')) => {
                    i += 1;
                    while i < tokens.len() && tokens[i] != Token::Sign('}') {
                        let end = tree(tokens, i, path.clone(), out);
                        i = end.max(i + 1);
                        if tokens.get(i).and_then(Token::word) == Some("as") {
                            i += 2;
                        }
                        if tokens.get(i) == Some(&Token::Sign(',')) {
                            i += 1;
                        }
                    }
                    return i + 1;
                }
                _ => {
                    out.push(path);
                    return i;
                }
            }
            i += 1;
            if tokens.get(i) != Some(&Token::Colons) {
                out.push(path);
                return i;
            }
            i += 1;
        }
    }
    let mut out = Vec::new();
    for i in 0..tokens.len() {
        let begins = tokens[i].word().is_some_and(|w| from.contains(&w));
        if begins && tokens.get(i + 1) == Some(&Token::Colons) && (i == 0 || tokens[i - 1] != Token::Colons) {
            tree(tokens, i, Vec::new(), &mut out);
        }
    }
    out
}

/// What `pub use` lines of a module bring up from its own children: name → child.
fn brought_up(tokens: &[Token]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (i, t) in tokens.iter().enumerate() {
        if t.word() == Some("use")
            && let Some(child) = tokens.get(i + 1).and_then(Token::word)
        {
            for path in paths(&tokens[i + 1..(i + 1 + end_of_item(&tokens[i + 1..]))], &[child]) {
                out.extend(path.last().map(|name| (name.clone(), child.to_owned())));
            }
        }
    }
    out
}

fn end_of_item(tokens: &[Token]) -> usize {
    tokens.iter().position(|t| *t == Token::Sign(';')).unwrap_or(tokens.len())
}

/// The names after `mod`.
fn declared(file: &Source) -> BTreeSet<String> {
    let pairs = file.tokens.windows(2).filter(|w| w[0].word() == Some("mod"));
    pairs.filter_map(|w| w[1].word()).map(str::to_owned).collect()
}

/// The library, and how its names lead to its modules.
struct Library {
    files: Vec<Source>,
    /// Names at the crate's root that are something of a module: re-exports and macros.
    root: BTreeMap<String, String>,
    modules: BTreeSet<String>,
}

impl Library {
    fn read() -> Library {
        let files = sources("src");
        let lib = files.iter().find(|s| s.path == "src/lib.rs").unwrap();
        let mut modules = declared(lib);
        modules.extend(MAY_IMPORT.iter().map(|(m, _)| (*m).to_owned()));
        let mut root = brought_up(&lib.tokens);
        root.retain(|_, module| modules.contains(module));
        for file in &files {
            for (i, t) in file.tokens.iter().enumerate() {
                if t.word() == Some("macro_rules")
                    && let (Some(module), Some(name)) = (file.module.first(), file.tokens[i + 2].word())
                {
                    root.insert(name.to_owned(), module.clone());
                }
            }
        }
        Library { files, root, modules }
    }

    /// Files of the library itself, with the name of their module, `lib.rs` left out.
    fn members(&self) -> impl Iterator<Item = (&str, &Source)> {
        let of = |s: &'_ Source| s.module.first().filter(|m| self.modules.contains(*m)).cloned();
        self.files.iter().filter(move |s| of(s).is_some()).map(|s| (s.module[0].as_str(), s))
    }

    /// The paths in a file that lead into the library, from its root.
    fn leads(&self, file: &Source) -> Vec<Vec<String>> {
        let mut out = Vec::new();
        for path in paths(&file.tokens, &["crate", "kinetograph", "super", "self"]) {
            let supers = path.iter().take_while(|w| *w == "super").count();
            let mut full = match path[0].as_str() {
                "super" => file.module[..file.module.len().saturating_sub(supers)].to_vec(),
                "self" => file.module.clone(),
                _ => Vec::new(),
            };
            full.extend(path[supers.max(1)..].iter().cloned());
            if let Some(module) = full.first().and_then(|name| self.root.get(name)) {
                full.insert(0, module.clone());
            }
            out.push(full);
        }
        out
    }
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// File stems of a folder, a few left out.
fn stems(folder: &str, extension: &str, without: &[&str]) -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let paths = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == extension));
    let stems = paths.map(|p| p.file_stem().unwrap().to_str().unwrap().to_owned());
    stems.filter(|s| !without.contains(&s.as_str())).collect()
}

#[test]
fn every_operator_has_its_four_doors() {
    let ops = stems("src/ops", "rs", NO_OPERATORS);
    let composed = stems("src/ops/composed", "rs", NO_OPERATORS);
    let catalog: BTreeSet<String> = CATALOG.iter().map(|d| d.name.to_owned()).collect();
    assert_eq!(catalog.len(), CATALOG.len(), "a name stands in ops::CATALOG twice");
    assert!(ops.is_disjoint(&composed), "a name stands in src/ops and in src/ops/composed");
    let all: BTreeSet<String> = ops.union(&composed).cloned().collect();
    assert_eq!(all, catalog, "src/ops and ops::CATALOG");
    // An operator that computes nothing has nothing to compute with.
    let views: BTreeSet<String> = sources("src/ops")
        .into_iter()
        .filter(|s| s.tokens.windows(12).any(|w| w.starts_with(&tokens("fn is_view(&self) -> bool { true"))))
        .map(|s| s.module.concat())
        .collect();
    let mut problems = Vec::new();
    for (folder, extension, without, wanted) in [
        (
            "kernels",
            "wgsl",
            &[
                "self_check",
                "peak",
                "attention_lanes",
                "conv3d_cooperative",
                "conv_transpose3d_cooperative",
                "linear_cooperative",
                "linear_moments",
                "matmul_cooperative",
            ][..],
            &ops,
        ),
        ("ref/src", "rs", &["lib"], &ops),
        // Those made of others have cases, and neither kernel nor reference.
        ("src/verify/cases", "rs", &["mod"], &all),
    ] {
        let here = stems(folder, extension, without);
        let missing = wanted.difference(&here).filter(|name| !views.contains(*name));
        problems.extend(missing.map(|name| format!("{folder} lacks {name}.{extension}")));
        let stray = here.difference(wanted);
        problems.extend(stray.map(|name| format!("{folder}/{name}.{extension} belongs to no operator")));
    }
    report(&problems);
}

#[test]
fn modules_import_only_what_they_may() {
    let library = Library::read();
    let mut problems = Vec::new();
    for (module, file) in library.members() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(m, _)| *m == module) else {
            problems.push(format!("{}: say in this test what module `{module}` may import", file.path));
            continue;
        };
        for path in library.leads(file) {
            let Some(target) = path.first().filter(|t| library.modules.contains(*t)) else { continue };
            if target != module && !allowed.contains(&target.as_str()) {
                problems.push(format!("{}: names {}", file.path, path.join("::")));
            }
            let macros = ["kernel", "params"].iter().any(|m| path.get(1).is_some_and(|p| p == m));
            if module == "ops"
                && target == "gpu"
                && !macros
                && !path.get(1).is_some_and(|name| KERNEL_TYPES.contains(&name.as_str()))
            {
                problems.push(format!("{}: names {}, no kernel type", file.path, path.join("::")));
            }
        }
    }
    problems.sort();
    problems.dedup();
    report(&problems);
}

#[test]
fn operators_do_not_know_each_other() {
    let library = Library::read();
    let of_mod = |path: &str| library.files.iter().find(|s| s.path == path).unwrap();
    let names = brought_up(&of_mod("src/ops/mod.rs").tokens);
    let ops = stems("src/ops", "rs", NO_OPERATORS);
    let mut problems = Vec::new();
    for (_, file) in library.members().filter(|(m, s)| *m == "ops" && s.module.len() > 1) {
        // What is made of others knows them.
        if file.module[1] == "composed" {
            continue;
        }
        for path in library.leads(file).iter().filter(|p| p.first().is_some_and(|m| m == "ops")) {
            let Some(name) = path.get(1) else { continue };
            let other = names.get(name).unwrap_or(name);
            if ops.contains(other) && *other != file.module[1] {
                problems.push(format!("{}: names {}", file.path, path.join("::")));
            }
        }
    }
    report(&problems);
}

#[test]
fn the_reference_stands_alone() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ref/Cargo.toml")).unwrap();
    let mut problems = Vec::new();
    if manifest.lines().any(|l| l.starts_with("kinetograph") || l.contains("path =")) {
        problems.push("ref/Cargo.toml: depends on us".into());
    }
    for file in sources("ref/src") {
        if file.tokens.iter().any(|t| t.word() == Some("kinetograph")) {
            problems.push(format!("{}: names kinetograph", file.path));
        }
    }
    let library = Library::read();
    for (module, file) in library.members().filter(|(m, _)| !MAY_USE_REFERENCE.contains(m)) {
        if file.tokens.iter().any(|t| t.word() == Some("kinetograph_ref")) {
            problems.push(format!("{}: `{module}` may not name the reference", file.path));
        }
    }
    report(&problems);
}

/// The fast kernels know neither the engine nor the reference that they are compared with, and each has an operator's
/// name.
#[test]
fn the_fast_kernels_stand_alone() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("cpu/Cargo.toml")).unwrap();
    let mut problems = Vec::new();
    if manifest.lines().any(|l| l.starts_with("kinetograph") || l.contains("path =")) {
        problems.push("cpu/Cargo.toml: depends on us".into());
    }
    for file in sources("cpu/src") {
        if file.tokens.iter().any(|t| matches!(t.word(), Some("kinetograph" | "kinetograph_ref"))) {
            problems.push(format!("{}: names kinetograph", file.path));
        }
    }
    let ops = stems("src/ops", "rs", NO_OPERATORS);
    for stray in stems("cpu/src", "rs", &["lib", "math", "product"]).difference(&ops) {
        problems.push(format!("cpu/src/{stray}.rs belongs to no operator"));
    }
    let library = Library::read();
    for (module, file) in library.members().filter(|(m, _)| !MAY_USE_FAST_KERNELS.contains(m)) {
        if file.tokens.iter().any(|t| t.word() == Some("kinetograph_cpu")) {
            problems.push(format!("{}: `{module}` may not name the fast kernels", file.path));
        }
    }
    report(&problems);
}

#[test]
fn only_the_gpu_names_wgpu() {
    let mut problems = Vec::new();
    for file in sources("src") {
        let may = file.path.starts_with("src/gpu/") || MAY_NAME_WGPU.iter().any(|p| file.path.starts_with(p));
        if !may && file.tokens.iter().any(|t| t.word() == Some("wgpu")) {
            problems.push(format!("{}: names wgpu", file.path));
        }
    }
    report(&problems);
}

/// The pictures of the demos are drawn with nothing but the standard library: of this crate, their files name each
/// other, and what true flow is returned as.
#[test]
fn the_demo_scene_needs_nothing() {
    let own: [&[&str]; 4] =
        [&["super", "draw"], &["super", "figure"], &["crate", "error"], &["crate", "tensor"]];
    let mut problems = Vec::new();
    for name in ["draw", "figure", "scene"] {
        let path = format!("src/demo/{name}.rs");
        let all = sources("src");
        let file = all.iter().find(|s| s.path == path).unwrap();
        for named in paths(&file.tokens, &["crate", "super", "kinetograph"]) {
            if !own.iter().any(|o| named.iter().map(String::as_str).take(2).eq(o.iter().copied())) {
                problems.push(format!("{path}: names {}", named.join("::")));
            }
        }
    }
    report(&problems);
}

/// The command is a host program like any other: it sees what others see.
#[test]
fn the_command_has_no_module_of_the_library() {
    let all = sources("src");
    let of = |path: &str| declared(all.iter().find(|s| s.path == path).unwrap());
    let both: Vec<String> = of("src/lib.rs").intersection(&of("src/main.rs")).cloned().collect();
    assert!(both.is_empty(), "src/lib.rs and src/main.rs both declare {both:?}");
}

#[test]
fn source_files_are_short_and_do_not_panic() {
    let mut problems = Vec::new();
    for file in sources("src").into_iter().chain(sources("ref/src")).chain(sources("cpu/src")) {
        if file.lines > MOST_LINES {
            problems.push(format!("{}: {} lines, more than {MOST_LINES}", file.path, file.lines));
        }
        for what in
            [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err(", "todo!", "unimplemented!", "dbg!"]
        {
            let pattern = tokens(what);
            let count = file.tokens.windows(pattern.len()).filter(|w| *w == pattern).count();
            if count > 0 {
                problems.push(format!("{}: {what} {count} times", file.path));
            }
        }
    }
    report(&problems);
}

/// The scanner must see what it is there to see.
#[test]
fn the_scanner_reads_rust() {
    let text = r####"
        use crate::{a::b, c::{d as e, f}, g::*};
        //! crate::comment
        /* crate::x /* crate::y */ crate::z */
        const T: &str = "crate::text \" crate::more"; const R: &str = r#"crate::"raw"#;
        fn f<'a>(x: &'a str) -> char { let _ = '"'; let _ = '\''; crate::h::<u32>(super::super::i) }
        #[cfg(test)] #[allow(dead)] mod tests { use crate::in_test; fn g() { x.unwrap() } }
        #[cfg(test)]
        mod file_tests;
        fn last() { $crate::j!(); $a::crate::no }
    "####;
    let (found, modules) = take_tests(tokens(&without_comments_and_texts(text)));
    let found: Vec<String> = paths(&found, &["crate", "super"]).iter().map(|p| p.join("::")).collect();
    let wanted = [
        "crate::a::b",
        "crate::c::d",
        "crate::c::f",
        "crate::g::*",
        "crate::h",
        "super::super::i",
        "crate::j",
    ];
    assert_eq!(found, wanted);
    assert_eq!(modules, ["file_tests"]);
    let up = brought_up(&tokens("pub use a::{B, C as D}; pub use e::F; use std::fmt;"));
    assert_eq!(up.get("B").map(String::as_str), Some("a"));
    assert_eq!(up.get("F").map(String::as_str), Some("e"));
}
