//! Where the figures come from.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::measure::quantile;

/// The machine, as far as it can be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system and the architecture.
    pub system: String,
    /// The processor's model.
    pub cpu: Option<String>,
    /// How many threads run at once.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// What an 8 KB write behind the last one costs with `fdatasync`, in microseconds: the median.
    pub fdatasync_us: f64,
    /// The ninth tenth.
    pub fdatasync_p90_us: f64,
    /// What it takes to wake another thread over a socket and to be woken by it, in microseconds: every round trip to a server has
    /// this in it, and on a virtual machine whose processors sleep when they have nothing to do it can be most of it.
    #[serde(default)]
    pub wake_us: Option<f64>,
    /// The load of the last minute when the run began: other work on the machine.
    pub load: Option<String>,
}

impl Machine {
    /// Looks at the machine, and tries the disk that holds the folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn look(folder: &Path) -> Result<Self> {
        let (fdatasync_us, fdatasync_p90_us) = flushes(folder).context("cannot try the disk")?;
        Ok(Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: kilobytes("/proc/meminfo", "MemTotal"),
            fdatasync_us,
            fdatasync_p90_us,
            wake_us: wakes(),
            load: fs::read_to_string("/proc/loadavg").ok().and_then(|text| Some(text.split_whitespace().next()?.to_owned())),
        })
    }
}

/// This process's resident set in bytes; nothing where the system does not tell it in `/proc`.
pub fn resident() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS")
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let text = field(file, name)?;
    text.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The value of a line `name: value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// Two threads that answer each other; nothing where there are no such sockets.
#[cfg(unix)]
fn wakes() -> Option<f64> {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    const TIMES: usize = 2000;
    let (mut here, mut there) = UnixStream::pair().ok()?;
    let answering = std::thread::spawn(move || {
        let mut byte = [0];
        while there.read_exact(&mut byte).is_ok() && there.write_all(&byte).is_ok() {}
    });
    let mut times = Vec::with_capacity(TIMES);
    let mut byte = [0];
    for _ in 0..TIMES {
        let begun = Instant::now();
        here.write_all(&byte).ok()?;
        here.read_exact(&mut byte).ok()?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    drop(here);
    answering.join().ok()?;
    Some(quantile(&mut times, 0.5))
}

#[cfg(not(unix))]
fn wakes() -> Option<f64> {
    None
}

fn flushes(folder: &Path) -> Result<(f64, f64)> {
    const TIMES: u32 = 200;
    const BLOCK: [u8; 8192] = [0x5a; 8192];
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    // As a log does that was there before: the file does not grow while it is flushed.
    for _ in 0..TIMES {
        file.write_all(&BLOCK)?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        file.write_all(&BLOCK)?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(&path)?;
    Ok((quantile(&mut times, 0.5), quantile(&mut times, 0.9)))
}
