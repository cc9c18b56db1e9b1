//! `--as`: a user's own request, refused what the user may not do; and what a command says of itself.

use crate::support::{Ran, SqliteFile, run, sqlite_file};

const MARTA: &str = "usr_018ce815ec00750caf31b9cad751b5dd";
const PRIYA: &str = "usr_018d6e08154070d99f0e64810ef33c44";
const ZSOFIA: &str = "usr_0191127a716075da8653975ee4140a6e";
const STRANGER: &str = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f";

fn company() -> SqliteFile {
    let file = sqlite_file();
    assert_eq!(run(&["--store", &file.store, "quickstart"]).code, 0);
    file
}

fn code(ran: &Ran) -> String {
    ran.error()["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_user_sees_and_does_what_the_user_may() {
    let file = company();
    let store = file.store.as_str();
    let may = |user: &str, args: &[&str]| run(&[&["--store", store, "--json", "--as", user], args].concat());
    for (user, args, exit, said) in [
        (ZSOFIA, vec!["org", "show", "acme"], 0, ""),
        (STRANGER, vec!["org", "show", "acme"], 3, "not_found"),
        (ZSOFIA, vec!["invite", "list", "acme"], 1, "forbidden"),
        (PRIYA, vec!["invite", "list", "acme"], 0, ""),
        (PRIYA, vec!["org", "list"], 1, "forbidden"),
        (MARTA, vec!["changes", "--all"], 1, "forbidden"),
        (MARTA, vec!["changes", "--all", "--follow"], 1, "forbidden"),
        (MARTA, vec!["sweep"], 1, "forbidden"),
        (MARTA, vec!["export"], 1, "forbidden"),
        (MARTA, vec!["export", "no/such/folder/rows.jsonl"], 1, "forbidden"),
        (MARTA, vec!["migrate", "status"], 1, "forbidden"),
        (MARTA, vec!["user", "create"], 1, "forbidden"),
        (PRIYA, vec!["invite", "create", "acme", "x", "--role", "owner", "--by", PRIYA], 1, "forbidden"),
        (PRIYA, vec!["invite", "create", "acme", "x", "--role", "admin", "--by", PRIYA], 0, ""),
    ] {
        let ran = may(user, &args);
        assert_eq!(ran.code, exit, "{user} {args:?}: {ran:?}");
        if exit > 0 {
            assert_eq!((code(&ran).as_str(), ran.out.as_str()), (said, ""), "{args:?}");
        }
    }
}

#[test]
fn quickstart_is_for_those_who_are_trusted() {
    let ran = run(&["--store", "memory:", "--json", "--as", MARTA, "quickstart"]);
    assert_eq!((ran.code, code(&ran)), (1, "forbidden".to_owned()));
}

#[test]
fn people_get_names_only_as_far_as_they_may() {
    let file = company();
    let trusted = run(&["--store", &file.store, "member", "list", "acme"]);
    let guarded = run(&["--store", &file.store, "--as", ZSOFIA, "member", "list", "acme"]);
    assert_eq!((trusted.code, guarded.code, guarded.err.as_str()), (0, 0, ""), "{guarded:?}");
    let nameless = |line: &str| line.split_once('\t').map(|(_, rest)| rest.to_owned());
    assert!(trusted.out.contains("Zsófia") && !guarded.out.contains("Zsófia"));
    assert_eq!(trusted.out.lines().map(nameless).collect::<Vec<_>>(), guarded.out.lines().map(nameless).collect::<Vec<_>>());
}

#[test]
fn an_identifier_is_vouched_for() {
    let file = company();
    let list = |more: &[&str]| {
        let args = ["--store", file.store.as_str(), "--json", "--as", STRANGER, "invite", "list", "--for", "lena.brandt@partner.example"];
        run(&[args.as_slice(), more].concat())
    };
    assert_eq!(code(&list(&[])), "forbidden");
    assert_eq!(code(&list(&["--vouch", "Lena.Brandt@partner.example"])), "forbidden");
    let open = list(&["--vouch", "x", "--vouch", "lena.brandt@partner.example"]).json();
    assert_eq!(open["data"][0]["status"], "pending");
    let id = open["data"][0]["id"].as_str().expect("an id");
    let accept = |user: &str| {
        let args = ["--store", file.store.as_str(), "--json", "--as", STRANGER, "invite", "accept", id, "--user", user];
        run(&[args.as_slice(), &["--identifier", "lena.brandt@partner.example"]].concat())
    };
    assert_eq!(code(&accept(MARTA)), "forbidden");
    assert_eq!(accept(STRANGER).json()["membership"]["role"], "guest");
}

#[test]
fn events_carry_the_request_and_the_reason() {
    let file = company();
    let store = file.store.as_str();
    let update = ["--store", store, "org", "update", "acme", "--name", "Acme Now"];
    assert_eq!(run(&[&update, ["--as", MARTA, "--request-id", "req-9", "--reason", "the new name"].as_slice()].concat()).code, 0);
    let changes = run(&["--store", store, "--json", "changes", "acme"]).json();
    let event = changes["data"].as_array().and_then(|events| events.last()).expect("an event");
    assert_eq!((&event["actor"]["id"], &event["request_id"], &event["reason"]), (&MARTA.into(), &"req-9".into(), &"the new name".into()));
    let shown = run(&["--store", store, "event", event["id"].as_str().expect("an id")]).out;
    assert!(shown.ends_with("request_id\treq-9\nreason\tthe new name\n"), "{shown}");
}
