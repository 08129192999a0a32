//! `kinetograph models`: networks and operators.

use clap::Args;
use kinetograph::models::{self, NETWORKS};
use kinetograph::ops::{CATALOG, Door};
use kinetograph::{Error, Result};
use serde_json::json;

use super::output;

#[derive(Args)]
pub(crate) struct Models {
    /// Show the layers of this network at its published size
    model: Option<String>,
    /// List the operators instead
    #[arg(long, conflicts_with = "model")]
    ops: bool,
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
        if self.json {
            let entries = CATALOG.iter().map(|d| {
                let inputs: Vec<_> =
                    d.inputs.iter().map(|p| json!({"name": p.name, "optional": p.optional})).collect();
                json!({"name": d.name, "summary": d.summary, "inputs": inputs, "attributes": d.attributes})
            });
            return output::json(&entries.collect());
        }
        CATALOG.iter().try_for_each(|d| operator(d))
    }
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
