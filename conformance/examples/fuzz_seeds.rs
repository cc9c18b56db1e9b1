//! Writes good inputs of each fuzz harness into a folder below the one that is named: what libFuzzer begins with.

use std::path::PathBuf;
use std::{env, fs, io};

use tenantry_conformance::fuzz::{HARNESSES, seeds};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "name the folder to write to"))?;
    for (harness, _) in HARNESSES {
        let folder = folder.join(harness);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds(harness).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}
