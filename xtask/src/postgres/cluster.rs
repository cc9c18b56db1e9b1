//! A throw-away cluster: made, started, awaited, and gone without a trace when it is dropped.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::binaries::Binaries;
use super::folder::{self, Folder};
use super::url;
use crate::run;

const USER: &str = "tenantry";
const LOG: &str = "server.log";

/// The port only completes the socket's name; nothing listens on TCP.
const SOCKET_PORT: u16 = 5432;

/// Long enough for a busy machine, short enough for somebody who waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the server does for its data.
#[derive(Clone, Copy, Debug)]
pub(super) enum Promises {
    /// Nothing in it outlives the run, so nothing has to reach the disk.
    None,
    /// A commit is on the disk when it is answered, as with a server that somebody relies on.
    Kept,
}

impl Promises {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::None => &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB"],
            // Large enough that neither reads of the larger stores nor checkpoints come between two figures.
            Self::Kept => &[
                "fsync=on",
                "synchronous_commit=on",
                "full_page_writes=on",
                "shared_buffers=2GB",
                "max_wal_size=8GB",
                "checkpoint_timeout=1h",
            ],
        }
    }
}

#[derive(Debug)]
pub(crate) struct Cluster {
    url: String,
    server: Child,
    binaries: Binaries,
    // Dropped last, when nobody writes to it any more.
    folder: Folder,
}

impl Cluster {
    pub(super) fn start(binaries: &Binaries, promises: Promises) -> Result<Self> {
        let folder = Folder::create()?;
        folder.sweep_leftovers(binaries);
        init(binaries, &folder)?;
        let port = if cfg!(unix) { SOCKET_PORT } else { free_port()? };
        let url = if cfg!(unix) { url::socket(folder.path(), USER, port) } else { url::tcp(USER, port) };
        let server = spawn(binaries, &folder, port, promises)?;
        let mut cluster = Self { url, server, binaries: binaries.clone(), folder };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The server itself writes down when it lets clients in; `pg_ctl start` goes by the same line.
    fn wait_until_ready(&mut self) -> Result<()> {
        let status = folder::data(self.folder.path()).join("postmaster.pid");
        let start = Instant::now();
        loop {
            run::check_interrupt()?;
            let ready = fs::read_to_string(&status).is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"));
            if ready {
                return Ok(());
            }
            let log = self.folder.path().join(LOG);
            if let Some(status) = self.server.try_wait().context("cannot watch Postgres")? {
                bail!("Postgres ended while it started ({status}); the end of its log:\n{}", tail(&log));
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "Postgres is not ready after {} s; the end of its log:\n{}",
                PATIENCE.as_secs(),
                tail(&log)
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = folder::stop_server(&self.binaries, self.folder.account(), self.folder.path());
        // A server that never came up, or does not listen, goes the hard way. One that is gone
        // already is just as well.
        let killed = if stopped { Ok(()) } else { self.server.kill() };
        if let Err(error) = killed.and_then(|()| self.server.wait()) {
            eprintln!("cannot end Postgres: {error}");
        }
    }
}

fn init(binaries: &Binaries, folder: &Folder) -> Result<()> {
    let mut init = binaries.command("initdb", folder.account(), folder.path());
    init.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    init.arg(format!("--username={USER}")).arg("-D").arg(folder::data(folder.path()));
    let output = init.output().context("cannot run initdb")?;
    // The terminal's Ctrl-C ends initdb too; that is no failure of initdb.
    run::check_interrupt()?;
    ensure!(
        output.status.success(),
        "initdb failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn spawn(binaries: &Binaries, folder: &Folder, port: u16, promises: Promises) -> Result<Child> {
    let log = File::create(folder.path().join(LOG)).context("cannot make the log of Postgres")?;
    let errors = log.try_clone().context("cannot share the log of Postgres")?;
    let mut server = binaries.command("postgres", folder.account(), folder.path());
    server.arg("-D").arg(folder::data(folder.path())).args(["-p", &port.to_string()]);
    if cfg!(unix) {
        server.arg("-k").arg(folder.path()).args(["-c", "listen_addresses="]);
    } else {
        server.args(["-c", "listen_addresses=127.0.0.1"]);
    }
    // Autovacuum would add its own transactions to those that a test counts, and its own work to what a bench measures.
    for setting in promises.settings().iter().chain(&["autovacuum=off", "max_connections=200"]) {
        server.args(["-c", setting]);
    }
    own_group(&mut server);
    server.stdout(log).stderr(errors).spawn().context("cannot start Postgres")
}

/// Keeps a Ctrl-C in the terminal from reaching the server before the tests have ended.
#[cfg(unix)]
fn own_group(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut std::process::Command) {}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port")?;
    Ok(listener.local_addr().context("cannot read the free port")?.port())
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(20);
    lines.get(start..).unwrap_or_default().join("\n")
}
