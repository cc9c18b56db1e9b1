//! `changes --all`: every event of the store, once, and on request as it comes.

use serde_json::Value;

use crate::support::{run, run_with_input, sqlite_file};

const USER: &str = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001";

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a document in each line")).collect()
}

#[test]
fn every_event_is_a_line() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let nothing = run(&["--store", store, "changes", "--all"]);
    assert_eq!((nothing.code, nothing.out.as_str(), nothing.err.as_str()), (0, "", ""));

    let mut lines = vec![format!("org create --creator {USER} --slug acme")];
    lines.extend((0..250).map(|number| format!("org update acme --name 'Acme {number}'")));
    lines.push("user create".to_owned());
    assert_eq!(run_with_input(&["--store", store, "batch", "-"], lines.join("\n").as_bytes()).code, 0);

    let all = events(&run(&["--store", store, "--json", "changes", "--all"]).out);
    let kinds: Vec<&str> = all.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds.len(), 253, "more than one page");
    assert_eq!((kinds[0], kinds[1], kinds[252]), ("organization.created", "membership.added", "user.created"));

    let after = all[250]["id"].as_str().expect("an id");
    let rest = run(&["--store", store, "changes", "--all", "--after", after]).out;
    let rows: Vec<Vec<&str>> = rest.lines().map(|line| line.split('\t').collect()).collect();
    let ids: Vec<&str> = rows.iter().map(|row| row[7]).collect();
    assert_eq!(ids, all[251..].iter().filter_map(|event| event["id"].as_str()).collect::<Vec<_>>());
    assert_eq!((rows[0][0], rows[0][4]), ("252", "name: Acme 248 -> Acme 249"));
    assert_eq!((rows[1][0], rows[1][6]), ("", ""));

    let few = events(&run(&["--store", store, "--json", "changes", "--all", "--limit", "2"]).out);
    assert_eq!(few, all[..2]);
    let unknown = run(&["--store", store, "--json", "changes", "--all", "--after", "aud_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"]);
    assert_eq!((unknown.code, unknown.error()["code"].clone()), (2, "invalid_cursor".into()));
}

#[cfg(unix)]
mod follow {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command, Stdio};

    use super::{USER, Value};
    use crate::support::{run, sqlite_file, tenantry};

    struct Follower {
        child: Child,
        lines: BufReader<std::process::ChildStdout>,
    }

    impl Follower {
        fn start(store: &str, more: &[&str]) -> Self {
            let mut command = tenantry();
            command.args(["--store", store, "changes", "--all", "--follow", "--interval", "20ms"]).args(more);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
            let lines = BufReader::new(child.stdout.take().expect("piped"));
            Self { child, lines }
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("it goes on");
            line
        }

        /// Sends a signal, and gives the exit code with what is said last on either output.
        fn end(mut self, signal: &str) -> (Option<i32>, String, String) {
            let pid = self.child.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().expect("it starts").success());
            let (mut out, mut err) = (String::new(), String::new());
            self.lines.read_to_string(&mut out).expect("it ends");
            self.child.stderr.take().expect("piped").read_to_string(&mut err).expect("it ends");
            (self.child.wait().expect("it ends").code(), out, err)
        }
    }

    #[test]
    fn events_are_shown_as_they_come_until_ctrl_c() {
        let file = sqlite_file();
        let store = file.store.as_str();
        assert_eq!(run(&["--store", store, "org", "create", "--creator", USER, "--slug", "acme"]).code, 0);
        let mut follower = Follower::start(store, &["--json"]);
        let mut kinds = Vec::new();
        let mut next = |follower: &mut Follower| {
            let event: Value = serde_json::from_str(&follower.line()).expect("a document in each line");
            kinds.push(event["type"].as_str().unwrap_or_default().to_owned());
        };
        next(&mut follower);
        next(&mut follower);
        assert_eq!(run(&["--store", store, "user", "create"]).code, 0);
        next(&mut follower);
        assert_eq!(run(&["--store", store, "org", "suspend", "acme"]).code, 0);
        next(&mut follower);
        assert_eq!(follower.end("-INT"), (Some(0), String::new(), String::new()));
        assert_eq!(kinds, ["organization.created", "membership.added", "user.created", "organization.suspended"]);
    }

    #[test]
    fn people_are_told_where_to_go_on() {
        let file = sqlite_file();
        let store = file.store.as_str();
        assert_eq!(run(&["--store", store, "user", "create"]).code, 0);
        let mut follower = Follower::start(store, &[]);
        let line = follower.line();
        let id = line.trim_end().rsplit('\t').next().unwrap_or_default().to_owned();
        assert_eq!(follower.end("-TERM"), (Some(0), String::new(), format!("to go on from here: --after {id}\n")));

        let mut follower = Follower::start(store, &["--after", &id]);
        assert_eq!(run(&["--store", store, "org", "create", "--creator", USER]).code, 0);
        assert!(follower.line().contains("\torganization.created\t"));
        assert!(follower.line().contains("\tmembership.added\t"));
        assert_eq!(follower.end("-INT").0, Some(0));
    }

    #[test]
    fn a_store_that_fails_ends_it() {
        let mut command = tenantry();
        command.args(["--store", "memory:", "--json", "changes", "--all", "--follow", "--after", "aud_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"]);
        assert_eq!(command.output().expect("it starts").status.code(), Some(2));
    }
}
