//! `export`: what it writes, `import` takes, and the next export writes it again.

use crate::support::{Ran, data, fill_in, run, run_with_input, scene, sqlite_file, tenantry};

/// Everything that the tour leaves behind, and rows of each kind and status beside it.
fn filled(store: &str) -> Ran {
    let scene = scene();
    let path = scene.path().join("all.batch");
    // As the last lines take groups and roles away again, they stop at their fullest.
    let (lines, _) = include_str!("../data/mixed.template").split_once("\ngroup take").expect("the permissions");
    std::fs::write(&path, fill_in(lines)).expect("written");
    let mut command = tenantry();
    command.args(["--store", store, "--deterministic", "batch"]).arg(&path).current_dir(scene.path());
    command.output().expect("it starts").into()
}

/// What is counted of a store where nobody was given permissions.
const NO_PERMISSIONS: &str = "permissions\t0\nroles\t0\nrole_permissions\t0\ngroups\t0\ngroup_members\t0\ngroup_roles\t0\noverrides\t0\n";

/// Each kind of row, and what counts it.
const KINDS: [(&str, &str); 12] = [
    ("user", "users"),
    ("organization", "organizations"),
    ("membership", "memberships"),
    ("invitation", "invitations"),
    ("tuple", "tuples"),
    ("permission", "permissions"),
    ("role", "roles"),
    ("role_permission", "role_permissions"),
    ("group", "groups"),
    ("group_member", "group_members"),
    ("group_role", "group_roles"),
    ("override", "overrides"),
];

#[test]
fn an_export_comes_back_the_same_through_an_empty_store() {
    let full = sqlite_file();
    filled(&full.store);
    let first = run(&["--store", &full.store, "export"]);
    assert_eq!((first.code, first.err.as_str()), (0, ""));

    let kinds = |kind: &str| first.out.lines().filter(|line| line.starts_with(&format!("{{\"type\":\"{kind}\","))).count();
    let found = KINDS.map(|(kind, _)| kinds(kind));
    assert!(found.iter().take(5).all(|count| *count > 3) && found.iter().all(|count| *count > 0), "{found:?}");
    assert_eq!(found.iter().sum::<usize>(), first.out.lines().count());
    for status in ["expired", "suspended", "revoked", "accepted", "declined", "pending"] {
        assert!(first.out.contains(&format!("\"status\":\"{status}\"")), "{status}");
    }

    let empty = sqlite_file();
    let imported = run_with_input(&["--store", &empty.store, "--json", "import", "-"], first.out.as_bytes());
    assert_eq!(imported.code, 0, "{imported:?}");
    let counts = imported.json();
    let counted = KINDS.map(|(_, counter)| counts[counter].as_u64());
    assert_eq!(counted, found.map(|count| u64::try_from(count).ok()));
    assert_eq!(run(&["--store", &empty.store, "export", "-"]).out, first.out);

    // And where all of it is already, it changes nothing.
    let again = run_with_input(&["--store", &full.store, "--json", "import", "-"], first.out.as_bytes());
    assert_eq!(again.json()["unchanged"].as_u64(), u64::try_from(first.out.lines().count()).ok(), "{again:?}");
}

#[test]
fn a_file_is_written_whole() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let sample = data("../../../../examples/acme.jsonl").display().to_string();
    assert_eq!(run(&["--store", store, "import", &sample]).code, 0);
    let path = file.folder.path().join("rows.jsonl");
    std::fs::write(&path, "what was here before\n".repeat(10_000)).expect("written");
    let path = path.display().to_string();
    let ran = run(&["--store", store, "export", &path]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, format!("users\t40\norganizations\t3\nmemberships\t49\ninvitations\t2\ntuples\t2\n{NO_PERMISSIONS}").as_str(), "")
    );
    assert_eq!(std::fs::read_to_string(&path).expect("read"), run(&["--store", store, "export"]).out);
    let json = run(&["--store", store, "--json", "export", &path]).json();
    assert_eq!(json["memberships"], 49);
    assert!(!file.folder.path().join("rows.jsonl.part").exists());

    let nowhere = file.folder.path().join("no/such/folder/rows.jsonl").display().to_string();
    let ran = run(&["--store", store, "--json", "export", &nowhere]);
    assert_eq!((ran.code, ran.error()["code"].clone()), (4, "output".into()));
    assert!(ran.err.contains("no/such/folder"), "{}", ran.err);
}

#[test]
fn an_empty_store_is_an_empty_file() {
    let ran = run(&["--store", "memory:", "export"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn a_batch_exports_into_files_only() {
    let ran = run_with_input(&["--store", "memory:", "batch", "-"], b"export\n");
    assert!(ran.code == 1 && ran.err.contains("line 1: the standard output holds the answers of the batch"), "{ran:?}");
}
