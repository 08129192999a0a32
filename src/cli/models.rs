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
    /// Of this variant
    #[arg(long, requires = "model")]
    variant: Option<String>,
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
            let variant = network.variant(self.variant.as_deref())?;
            output::print(&format!(
                "{}\n{}\n{}: {}\n{} parameters\n",
                network.title,
                network.paper,
                variant.name,
                variant.published,
                network.parameters(Some(variant.name))?
            ))?;
            return output::print(&network.outline(Some(variant.name))?.to_string());
        }
        let mut entries = Vec::new();
        for network in NETWORKS {
            let mut variants = Vec::new();
            for v in network.variants {
                let graph = network.outline(Some(v.name))?;
                let (params, gmac) = (network.parameters(Some(v.name))?, graph.flops() as f64 / 2e9);
                let input = graph.inputs().map(|(_, t)| t.shape.to_string()).collect::<Vec<_>>().join(", ");
                variants.push(json!({
                    "name": v.name, "published": v.published, "input": input, "params": params, "gmac": gmac,
                }));
                if !self.json {
                    let first = if variants.len() == 1 {
                        format!("{}: {}\n  {}\n", network.name, network.title, network.paper)
                    } else {
                        String::new()
                    };
                    output::print(&format!(
                        "{first}  {}: input {input}, {:.2} M parameters, {gmac:.2} GMAC\n    {}",
                        v.name,
                        params as f64 / 1e6,
                        v.published
                    ))?;
                }
            }
            entries.push(json!({
                "name": network.name, "title": network.title, "paper": network.paper, "variants": variants,
                "names_as": network.conventions.iter().map(|c| c.source).collect::<Vec<_>>(),
            }));
        }
        if self.json { output::json(&entries.into()) } else { Ok(()) }
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
                let dispatches = case.dispatches(Traits::new(family, Precision::F32))?;
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
