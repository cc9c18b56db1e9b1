//! `cargo xtask layers`: the picture of the layers in the chapter on permissions, drawn from the
//! table that the resolution itself follows.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::{run, workspace};

/// Where the picture stands, and between which lines.
const DOCUMENT: &str = "docs/how-a-permission-is-decided.md";
const BEGIN: &str = "<!-- The picture is drawn by `cargo xtask layers`. -->\n";
const END: &str = "<!-- End of the picture. -->\n";

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Write nothing, and fail where the picture in the document is another one
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let path = workspace::root().join(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let drawn = with_picture(&text, &draw()?)?;
    if drawn == text {
        println!("{DOCUMENT} has the picture of the layers as they are");
        return Ok(());
    }
    if args.check {
        bail!("{DOCUMENT} shows other layers than there are: run `cargo xtask layers`");
    }
    fs::write(&path, drawn).with_context(|| format!("cannot write {DOCUMENT}"))?;
    println!("{DOCUMENT} was brought up to date");
    Ok(())
}

/// The check, as a phase of the tests.
pub(crate) fn check() -> Result<()> {
    run(&Args { check: true })
}

fn draw() -> Result<String> {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--package", "tenantry-core", "--example", "layers"]).current_dir(workspace::root());
    let output = command.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the layers cannot be drawn: {}", String::from_utf8_lossy(&output.stderr).trim());
    String::from_utf8(output.stdout).context("the picture is no text")
}

/// The document with this picture in the place of the one that it has.
fn with_picture(text: &str, picture: &str) -> Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{DOCUMENT} has no place for the picture"))?;
    Ok(format!("{before}{BEGIN}\n{picture}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_takes_the_place_of_the_old_one() {
        let text = format!("before\n{BEGIN}an old one\n{END}after\n");
        let drawn = with_picture(&text, "a new one\n").unwrap();
        assert_eq!(drawn, format!("before\n{BEGIN}\na new one\n\n{END}after\n"));
        assert_eq!(with_picture(&drawn, "a new one\n").unwrap(), drawn);
        assert!(with_picture("no place", "a new one\n").is_err());
    }
}
