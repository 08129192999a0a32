//! `kinetograph models`: networks and operators.

use std::collections::BTreeSet;

use clap::Args;
use kinetograph::graph::{Family, Traits};
use kinetograph::models::{self, NETWORKS};
use kinetograph::ops::{CATALOG, Door, Layout};
use kinetograph::verify;
use kinetograph::{Error, Precision, Result};
use serde_json::json;

use super::output;

#[derive(Args)]
pub(crate) struct Models {
    /// Show the layers of this network at its published size
    model: Option<String>,
    /// List the operators instead
    #[arg(long, conflicts_with = "model")]
    ops: bool,
    /// With --ops: print the table of docs/operators.md
    #[arg(long, requires = "ops", conflicts_with = "json")]
    markdown: bool,
    /// Print one JSON document on standard output
    #[arg(long)]
    json: bool,
}

impl Models {
    pub(crate) fn run(&self) -> Result<()> {
        if self.ops {
            return self.operators();
        }
        if let Some(name) = &self.model {
            let network = models::find(name)?;
            if self.json {
                return Err(Error::usage("--json lists all networks; leave the name out"));
            }
            output::print(&format!("{}\n{}\n{}\n", network.title, network.paper, network.published))?;
            return output::print(&(network.outline)()?.to_string());
        }
        let mut list = Vec::new();
        for network in NETWORKS {
            let graph = (network.outline)()?;
            let input = graph.inputs().map(|(_, t)| t.shape.to_string()).next().unwrap_or_default();
            list.push((network, graph.params(), graph.flops() as f64 / 2e9, input));
        }
        if self.json {
            let entries = list.iter().map(|(n, params, gmac, input)| {
                json!({
                    "name": n.name, "title": n.title, "paper": n.paper, "published": n.published,
                    "variants": n.variants, "params": params, "gmac": gmac, "input": input,
                })
            });
            return output::json(&entries.collect());
        }
        for (n, params, gmac, input) in list {
            output::print(&format!(
                "{}\n  {}\n  {}\n  input {input}, {:.2} M parameters, {gmac:.2} GMAC\n  published: {}\n  variants: {}",
                n.name,
                n.title,
                n.paper,
                params as f64 / 1e6,
                n.published,
                n.variants.join(", ")
            ))?;
        }
        Ok(())
    }

    fn operators(&self) -> Result<()> {
        if self.markdown {
            return output::print(table()?.trim_end());
        }
        if self.json {
            let entries = by_name().into_iter().map(|d| {
                let inputs: Vec<_> =
                    d.inputs.iter().map(|p| json!({"name": p.name, "optional": p.optional})).collect();
                json!({"name": d.name, "summary": d.summary, "inputs": inputs, "attributes": d.attributes})
            });
            return output::json(&entries.collect());
        }
        by_name().into_iter().try_for_each(operator)
    }
}

fn by_name() -> Vec<&'static Door> {
    let mut doors = CATALOG.to_vec();
    doors.sort_by_key(|d| d.name);
    doors
}

/// Every operator as a Markdown table.
fn table() -> Result<String> {
    let mut text = String::from(
        "# The operators\n\n\
         Written by `kinetograph models --ops --markdown`; a test compares. Activations are channels last; the command's \
         `op --layout ncthw` takes and gives PyTorch's layouts of what is marked with a star; attributes such as dim count the \
         axes as they are here. Inputs in brackets may be left out, those with … may be \
         given several times. Cases are what `kinetograph verify OPERATOR/` runs, each in every kernel, with f32 and f16 \
         storage. The methods of `Graph` say what shapes, errors, NaN and infinities mean.\n\n\
         | operator | computes | inputs | attributes | kernels | cases |\n\
         |---|---|---|---|---|---|\n",
    );
    let cases = verify::cases::all();
    for door in by_name() {
        let own = cases.iter().filter(|c| c.name.split('/').next() == Some(door.name));
        let mut count = 0;
        let mut kernels = BTreeSet::new();
        for case in own {
            count += 1;
            for family in Family::ALL {
                let dispatches = case.dispatches(Traits { family, precision: Precision::F32 })?;
                kernels.extend(dispatches.iter().map(|d| format!("`{}`", d.entry())));
            }
        }
        let inputs = door.inputs.iter().map(|p| {
            let star = if p.layout == Layout::Plain { "" } else { "*" };
            match (p.optional, p.variadic) {
                (true, _) => format!("[{}]{star}", p.name),
                (_, true) => format!("{}{star} …", p.name),
                _ => format!("{}{star}", p.name),
            }
        });
        let kernels = if count == 0 { "a view".to_owned() } else { Vec::from_iter(kernels).join(", ") };
        let cells = [
            format!("`{}`", door.name),
            door.summary.to_owned(),
            inputs.collect::<Vec<_>>().join(", "),
            door.attributes.to_owned(),
            kernels,
            count.to_string(),
        ];
        text.push_str(&format!("| {} |\n", cells.map(|c| c.replace('|', "\\|")).join(" | ")));
    }
    Ok(text)
}

/// One operator, its inputs and attributes.
pub(crate) fn operator(d: &Door) -> Result<()> {
    let inputs = d.inputs.iter().map(|p| {
        let more = if p.variadic { format!(" [--{} FILE …]", p.name) } else { String::new() };
        if p.optional { format!("[--{} FILE]", p.name) } else { format!("--{} FILE{more}", p.name) }
    });
    output::print(&format!("{}: {}", d.name, d.summary))?;
    output::print(&format!("  {}", inputs.collect::<Vec<_>>().join(" ")))?;
    if !d.attributes.is_empty() {
        output::print(&format!("  attributes: {}", d.attributes))?;
    }
    Ok(())
}
