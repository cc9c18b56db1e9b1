//! Looks into a file of this store, or fills one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks through these")]

use std::env::args;
use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use tenantry_core::{CreateOrg, CreateUser, TenancyStore};

const USAGE: &str = "\
jsonl-store show FILE   prints every row that the file holds, as JSON
jsonl-store fill FILE   adds organizations until it is stopped, and prints the id of each once it is safe: kill it at any moment,
                        and `show` has every one that was printed";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["show", file] => show(file),
        ["fill", file] => fill(file).await,
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn show(file: &str) -> Result<(), Box<dyn Error>> {
    println!("{}", serde_json::to_string_pretty(&jsonl_store::read(file)?)?);
    Ok(())
}

async fn fill(file: &str) -> Result<(), Box<dyn Error>> {
    let store = jsonl_store::open(file)?;
    let owner = store.create_user(CreateUser::new()).await?.user;
    loop {
        let org = store.create_org(CreateOrg::new(owner.id)).await?.org;
        writeln!(stdout(), "{}", org.id)?;
    }
}
