//! A Postgres server of the test's own, which it may kill. Everything that a server does against a crash is switched on.
//!
//! The folder has the name and the lock of a throw-away cluster of `cargo xtask test`: should a run be killed itself, the next one
//! ends the server and removes the folder.
#![cfg(unix)]

use std::cmp::Reverse;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, process};

/// What a user can do who has no server of their own.
const MISSING: &str = "no Postgres server is installed here, and this test starts and kills one of its own, whatever server \
    TENANTRY_TEST_POSTGRES_URL names: install one (`cargo xtask test` without that variable does or says how), or decide to go without \
    this test by TENANTRY_FAULT_SERVER_KILLS=0";

/// Where packages put the programs; a `*` stands for a version.
const USUAL: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
];

const USER: &str = "tenantry";
const PORT: &str = "5432";
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(5);

/// The programs' folder: in PATH, or where packages put it, the highest version first.
fn binaries() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    for pattern in USUAL {
        let Some((before, after)) = pattern.split_once('*') else {
            folders.push(PathBuf::from(pattern));
            continue;
        };
        let (parent, prefix) = before.rsplit_once('/').unwrap();
        let names = fs::read_dir(parent).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort_by_key(|name| {
            let numbers = name.split(|character: char| !character.is_ascii_digit());
            Reverse(numbers.filter_map(|number| number.parse().ok()).collect::<Vec<u32>>())
        });
        folders.extend(names.iter().map(|name| PathBuf::from(format!("{parent}/{name}{after}"))));
    }
    let is_complete = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file());
    folders.into_iter().find(is_complete).expect(MISSING)
}

/// Whom the server's programs run as: they refuse to be root, and take an account that has nothing else.
#[derive(Debug, Clone, Copy)]
struct Account(Option<(u32, u32)>);

impl Account {
    fn for_owner_of(folder: &Path) -> Self {
        if fs::metadata(folder).unwrap().uid() != 0 {
            return Self(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap();
        let find = |wanted: &str| {
            accounts.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                (fields.first() == Some(&wanted)).then(|| (fields[2].parse().unwrap(), fields[3].parse().unwrap()))
            })
        };
        Self(Some(find("postgres").or_else(|| find("nobody")).expect("an account other than root")))
    }

    fn can_reach(self, path: &Path) -> bool {
        let is_open = |folder: &Path| fs::metadata(folder).is_ok_and(|data| data.permissions().mode() & 0o001 != 0);
        self.0.is_none() || path.ancestors().all(is_open)
    }
}

/// The server, with its folder.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    binaries: PathBuf,
    account: Account,
    server: Option<Child>,
    _lock: File,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let (folder, account) = make_folder();
        let lock = File::create(folder.join("owner.lock")).unwrap();
        lock.lock().unwrap();
        let mut cluster = Self { folder, binaries, account, server: None, _lock: lock };
        let mut init = cluster.command("initdb");
        init.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER, "-D"]).arg(cluster.data());
        let made = init.output().unwrap();
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        cluster.restart();
        cluster
    }

    /// The address, in the form that the driver reads.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.to_str().expect("a name in UTF-8").replace('%', "%25").replace('/', "%2F").replace(' ', "%20");
        format!("postgres://{USER}@localhost:{PORT}/postgres?host={folder}")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        for (key, _) in env::vars_os() {
            if key.to_string_lossy().starts_with("PG") {
                command.env_remove(key);
            }
        }
        if let Some((user, group)) = self.account.0 {
            command.uid(user).gid(group);
        }
        command.env("LC_ALL", "C").stdin(Stdio::null()).current_dir(&self.folder);
        command
    }

    /// Starts the server, over whatever the last one left behind, and waits until it lets clients in.
    pub(crate) fn restart(&mut self) {
        let start = Instant::now();
        while !self.try_start(start) {
            // What is left of the last one may hold its memory for a moment.
            assert!(start.elapsed() < PATIENCE, "the server does not start: {}", self.log());
            thread::sleep(PAUSE);
        }
    }

    fn try_start(&mut self, start: Instant) -> bool {
        let log = File::options().create(true).append(true).open(self.folder.join("server.log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", PORT, "-c", "listen_addresses=", "-k"]).arg(&self.folder);
        for setting in ["fsync=on", "full_page_writes=on", "synchronous_commit=on", "checkpoint_timeout=30s", "max_connections=50"] {
            command.args(["-c", setting]);
        }
        // Away from a Ctrl-C in the terminal, which is for the tests.
        command.process_group(0).stdout(log.try_clone().unwrap()).stderr(log);
        let mut server = command.spawn().unwrap();
        let status = self.data().join("postmaster.pid");
        let id = server.id().to_string();
        loop {
            // The file of the last one stays until the new one has written its own.
            let lines = fs::read_to_string(&status).unwrap_or_default();
            let lines: Vec<&str> = lines.lines().map(str::trim).collect();
            if lines.first() == Some(&id.as_str()) && lines.get(7) == Some(&"ready") {
                self.server = Some(server);
                return true;
            }
            if server.try_wait().unwrap().is_some() {
                return false;
            }
            if start.elapsed() > PATIENCE {
                server.kill().unwrap();
                server.wait().unwrap();
                return false;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Ends the server and all its processes, each in the middle of whatever it does. How many there were.
    pub(crate) fn kill(&mut self) -> usize {
        let Some(mut server) = self.server.take() else { return 0 };
        // First it is kept from making further processes.
        signal("STOP", &[server.id()]);
        let mut all = children(server.id());
        all.push(server.id());
        signal("KILL", &all);
        server.wait().unwrap();
        all.len()
    }

    /// What the server has written down.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
        // Processes on their way out may still write.
        for _ in 0..100 {
            if fs::remove_dir_all(&self.folder).is_ok() {
                return;
            }
            thread::sleep(PAUSE);
        }
        eprintln!("{} stays behind", self.folder.display());
    }
}

/// A folder that only the account of the server can look into, with a name that is short enough for a socket in it.
fn make_folder() -> (PathBuf, Account) {
    /// As long as a socket's name may be, without what the server adds.
    const LONGEST: usize = 89;
    for base in [env::temp_dir(), PathBuf::from("/tmp")] {
        let folder = base.join(format!("tenantry-pg-{}-faults", process::id()));
        if folder.as_os_str().len() > LONGEST {
            continue;
        }
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let account = Account::for_owner_of(&folder);
        if account.can_reach(&base) {
            if let Some((user, group)) = account.0 {
                chown(&folder, Some(user), Some(group)).unwrap();
            }
            return (folder, account);
        }
        fs::remove_dir(&folder).unwrap();
    }
    panic!("no temporary folder has a name that is short enough and can be reached by the server");
}

/// The processes that a process has made.
fn children(parent: u32) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = if Path::new("/proc/self/stat").exists() {
        let ids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter_map(|id: u32| {
            let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The name, in brackets, may hold anything; behind it come the state and the parent.
            let parent = text.rsplit_once(')')?.1.split_whitespace().nth(1)?;
            Some((id, parent.parse().ok()?))
        })
        .collect()
    } else {
        let listed = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).output().unwrap();
        let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
        let numbers = lines.lines().map(|line| line.split_whitespace().map(|number| number.parse().unwrap()).collect::<Vec<u32>>());
        numbers.filter(|numbers| numbers.len() == 2).map(|numbers| (numbers[0], numbers[1])).collect()
    };
    pairs.into_iter().filter(|(_, of)| *of == parent).map(|(id, _)| id).collect()
}

/// Through the shell, whose `kill` is everywhere.
fn signal(name: &str, ids: &[u32]) {
    let ids = ids.iter().map(u32::to_string);
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$@\"", name]).args(ids).output().unwrap();
    // Some process may have gone by itself.
    let complaints = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(sent.status.success() || complaints.to_lowercase().contains("no such process"), "{complaints}");
}
