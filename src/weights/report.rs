//! What to say when a model and a checkpoint do not fit.

use std::fmt;

use super::{Checkpoint, Convention};
use crate::error::Error;

/// Lines of each list that are shown.
const SHOWN: usize = 10;

/// Everything that does not fit. Names are the file's, except that of a missing weight.
pub(super) struct Report<'a> {
    /// The canonical name and the one looked for, if the convention has such a weight.
    pub(super) missing: &'a [(String, Option<String>)],
    pub(super) misshapen: &'a [Misshapen],
    pub(super) left_over: &'a [&'a str],
}

/// A tensor of another shape than the model wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Misshapen {
    pub(super) name: String,
    pub(super) wanted: Vec<usize>,
    pub(super) found: Vec<usize>,
}

impl Report<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.left_over.is_empty()
    }

    /// The error for a checkpoint that follows no known convention: half a file, or another network's.
    pub(super) fn unknown_naming<S: AsRef<str>>(
        checkpoint: &Checkpoint,
        conventions: &[Convention],
        canonical: &[S],
    ) -> Error {
        let held = |c: &Convention| {
            let published: Vec<String> = canonical.iter().filter_map(|n| (c.map)(n.as_ref())).collect();
            (published.iter().filter(|n| checkpoint.entry(n).is_some()).count(), published.len())
        };
        let nearest = conventions.iter().map(|c| (held(c), c.source)).max_by_key(|((found, _), _)| *found);
        // A few names are of a part of the right file, one or two occur in many networks.
        if let Some(((found, all), source)) = nearest.filter(|((found, _), _)| *found >= 4) {
            return Error::bad_input(format!(
                "{}: of the {all} weights of this network, called as in {source}, it holds {found}: the file is not \
                 whole",
                checkpoint.path().display()
            ));
        }
        let known: Vec<String> = conventions.iter().map(|c| format!("{} ({})", c.name, c.source)).collect();
        let entries = checkpoint.entries();
        let some: Vec<String> =
            entries.iter().take(5).map(|e| format!("{:?} {:?}", e.name, e.shape)).collect();
        Error::bad_input(format!(
            "{}: its {} tensors are not named as those of this network in any known scheme: {}. It holds {}{}",
            checkpoint.path().display(),
            entries.len(),
            known.join(", "),
            some.join(", "),
            if entries.len() > some.len() { " …" } else { "" }
        ))
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        list(&mut lines, "missing", self.missing, |(name, published)| match published {
            None => format!("{name} (such checkpoints have none)"),
            Some(published) => {
                let mut line = name.clone();
                if published != name {
                    line += &format!(", in the file {published:?}");
                }
                if let Some(near) = nearest(published, self.left_over) {
                    line += &format!("; the nearest left over is {near:?}");
                }
                line
            }
        });
        list(&mut lines, "of another shape", self.misshapen, |m| {
            format!("{:?} is {:?}, wanted is {:?}", m.name, m.found, m.wanted)
        });
        list(&mut lines, "left over", self.left_over, |name| format!("{name:?}"));
        f.write_str(&lines.join("\n"))
    }
}

fn list<T>(lines: &mut Vec<String>, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    lines.push(format!("  {title} ({}):", items.len()));
    lines.extend(items.iter().take(SHOWN).map(|item| format!("    {}", line(item))));
    if items.len() > SHOWN {
        lines.push(format!("    and {} more", items.len() - SHOWN));
    }
}

/// The name most like `wanted`, if any is like it. Bounded, for files with very many or very long names.
fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let candidates = names.iter().filter(|n| n.len() <= 200).take(2000);
    let scored = candidates.map(|&n| (strsim::normalized_levenshtein(wanted, n), n));
    scored.filter(|(score, _)| *score >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, n)| n)
}
