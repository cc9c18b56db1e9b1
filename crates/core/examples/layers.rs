//! Draws the layers of a resolution, from the table that the resolution itself follows: what `cargo xtask layers` puts into
//! docs/how-a-permission-is-decided.md.
#![allow(clippy::print_stdout, reason = "its output is the picture")]

use tenantry_core::{Effect, Layer};

fn main() {
    println!("```text");
    println!("        nothing is held");
    let width = Layer::ALL.iter().map(|layer| layer.as_str().len()).max().unwrap_or_default();
    for (number, layer) in (1..).zip(Layer::ALL) {
        let sign = match layer.effect() {
            Effect::Grant => "+ gives",
            Effect::Deny => "- takes",
        };
        println!("           |");
        println!("  {number}  {sign}  {:width$}  {}", layer.as_str(), layer.sentence().trim());
    }
    println!("           |");
    println!("           v");
    println!("        what is held now may be done");
    println!("```");
}
