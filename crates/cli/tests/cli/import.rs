//! `import`: what is wrong is said with its line, and nothing is written then.

use crate::support::{data, run, run_with_input, sqlite_file};

const USER: &str = r#"{"type":"user","id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001"}"#;
const ORG: &str = r#"{"type":"organization","id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","slug":"one"}"#;
const CHILD: &str =
    r#"{"type":"organization","id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0004","parent_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003"}"#;
const OWNER: &str = r#"{"type":"membership","id":"mem_0196f3c21b7a7c3d9e4f5a6b7c8d0005","usr_id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","role":"owner"}"#;
const ROLE: &str =
    r#"{"type":"role","id":"rol_0196f3c21b7a7c3d9e4f5a6b7c8d0008","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","slug":"clerk"}"#;

/// One file, and what is said of it: exit code, code, and the lines that are named.
struct Case {
    name: &'static str,
    lines: &'static [&'static str],
    exit: i32,
    code: &'static str,
    named: &'static [u64],
    says: &'static str,
}

const CASES: &[Case] = &[
    Case { name: "bad JSON", lines: &[USER, "{\"type\": user}"], exit: 2, code: "invalid_format.line", named: &[2], says: "column 10" },
    Case { name: "no object", lines: &["[]"], exit: 2, code: "invalid_format.input", named: &[1], says: "an object" },
    Case {
        name: "a field twice",
        lines: &[r#"{"type":"user","type":"user"}"#],
        exit: 2,
        code: "invalid_format.line",
        named: &[1],
        says: "a field is given twice",
    },
    Case {
        name: "unknown field",
        lines: &[USER, r#"{"type":"user","id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0002","nickname":"K"}"#],
        exit: 2,
        code: "invalid_format.nickname",
        named: &[2],
        says: "no such field",
    },
    Case {
        name: "wrong prefix",
        lines: &[r#"{"type":"user","id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003"}"#],
        exit: 2,
        code: "invalid_id",
        named: &[1],
        says: "expected an id with prefix `usr`, found `org`",
    },
    Case { name: "unknown type", lines: &[r#"{"type":"planet"}"#], exit: 2, code: "invalid_format.type", named: &[1], says: "membership" },
    Case {
        name: "several",
        lines: &["x", USER, "y", "z"],
        exit: 2,
        code: "invalid_format.line",
        named: &[1, 3, 4],
        says: "expected value",
    },
    Case {
        name: "duplicate id",
        lines: &[USER, ORG, OWNER, USER],
        exit: 1,
        code: "conflict.import",
        named: &[4],
        says: "in the rows twice",
    },
    Case { name: "missing owner", lines: &[USER, ORG], exit: 1, code: "precondition.no_owner", named: &[2], says: "no active owner" },
    Case {
        name: "unknown role",
        lines: &[
            USER,
            ORG,
            OWNER,
            r#"{"type":"membership","id":"mem_0196f3c21b7a7c3d9e4f5a6b7c8d0006","usr_id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0002","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","role":"emperor"}"#,
        ],
        exit: 1,
        code: "precondition.unknown_role",
        named: &[4],
        says: "no such role",
    },
    Case {
        name: "role before its organization",
        lines: &[ROLE, ORG, OWNER],
        exit: 3,
        code: "not_found",
        named: &[1],
        says: "no such organization",
    },
    Case {
        name: "role of an organization beside",
        lines: &[
            ORG,
            OWNER,
            ROLE,
            r#"{"type":"organization","id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0007"}"#,
            r#"{"type":"membership","id":"mem_0196f3c21b7a7c3d9e4f5a6b7c8d0006","usr_id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0002","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0007","role":"clerk"}"#,
        ],
        exit: 1,
        code: "precondition.unknown_role",
        named: &[5],
        says: "no such role",
    },
    Case {
        name: "group with somebody from elsewhere",
        lines: &[
            ORG,
            OWNER,
            r#"{"type":"group","id":"grp_0196f3c21b7a7c3d9e4f5a6b7c8d0009","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","slug":"night"}"#,
            r#"{"type":"group_member","group_id":"grp_0196f3c21b7a7c3d9e4f5a6b7c8d0009","org_id":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","usr_id":"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0002"}"#,
        ],
        exit: 1,
        code: "precondition.not_a_member",
        named: &[4],
        says: "member",
    },
    Case {
        name: "override of an unknown permission",
        lines: &[
            ORG,
            OWNER,
            r#"{"type":"override","holder":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","permission":"invoices.send","effect":"deny"}"#,
        ],
        exit: 1,
        code: "precondition.unknown_permission",
        named: &[3],
        says: "catalog",
    },
    Case {
        name: "override that neither grants nor denies",
        lines: &[
            r#"{"type":"override","holder":"org_0196f3c21b7a7c3d9e4f5a6b7c8d0003","permission":"invoices.send","effect":"inherit"}"#,
            r#"{"type":"override","holder":"rol_0196f3c21b7a7c3d9e4f5a6b7c8d0003","permission":"invoices.send","effect":"deny"}"#,
        ],
        exit: 2,
        code: "invalid_format.effect",
        named: &[1, 2],
        says: "`grant` or `deny`",
    },
    Case {
        name: "child before its parent",
        lines: &[USER, CHILD, ORG],
        exit: 3,
        code: "not_found",
        named: &[2],
        says: "no such organization",
    },
];

#[test]
fn what_is_wrong_is_said_with_its_line_and_nothing_is_written() {
    for case in CASES {
        let file = sqlite_file();
        let path = file.folder.path().join("rows.jsonl");
        std::fs::write(&path, case.lines.join("\n")).expect("written");
        let path = path.display().to_string();
        let store = file.store.as_str();

        let json = run(&["--store", store, "--json", "import", &path]);
        let error = json.error();
        assert_eq!((json.code, json.out.as_str(), &error["code"]), (case.exit, "", &case.code.into()), "{}: {json:?}", case.name);

        let people = run(&["--store", store, "import", &path]);
        assert_eq!(people.code, case.exit, "{}", case.name);
        assert!(people.err.contains(case.says), "{}: {}", case.name, people.err);
        for line in case.named {
            assert!(people.err.contains(&format!("line {line}: ")), "{}: {}", case.name, people.err);
        }

        assert_eq!(run(&["--store", store, "--json", "org", "tree"]).json(), serde_json::json!({"data": []}), "{}", case.name);
        let user = run(&["--store", store, "user", "show", "usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001"]);
        assert_eq!(user.code, 3, "{}: {user:?}", case.name);
    }
}

#[test]
fn all_wrong_lines_are_listed_up_to_twenty() {
    let ran = run_with_input(&["--store", "memory:", "import", "-"], "{}\n".repeat(23).as_bytes());
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: 23 lines are wrong, and nothing was written\n  line 1: "), "{}", ran.err);
    assert!(ran.err.contains("\n  line 20: ") && !ran.err.contains("line 21") && ran.err.ends_with("\n  and 3 more\n"), "{}", ran.err);

    let json = run_with_input(&["--store", "memory:", "--json", "import", "-"], b"{}\n\n{\"type\":\"user\",\"id\":\"x\"}\n");
    insta::assert_snapshot!(json.err);
}

#[test]
fn the_same_rows_again_change_nothing() {
    let file = sqlite_file();
    let path = data("people.jsonl").display().to_string();
    let counts = |args: &[&str]| run(&[&["--store", file.store.as_str(), "import"], args].concat());
    let access = "permissions\t0\nroles\t0\nrole_permissions\t0\ngroups\t0\ngroup_members\t0\ngroup_roles\t0\noverrides\t0\n";
    let people = format!("users\t2\norganizations\t2\nmemberships\t5\ninvitations\t0\ntuples\t0\n{access}unchanged\t0\n");
    assert_eq!(counts(&[&path]).out, people);
    let json = counts(&[&path, "--json"]).out;
    assert!(json.starts_with("{\"users\":0,\"organizations\":0,") && json.ends_with("\"overrides\":0,\"unchanged\":9}\n"), "{json}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let file = sqlite_file();
    let missing = file.folder.path().join("missing.jsonl").display().to_string();
    for path in [missing.as_str(), &file.folder.path().display().to_string()] {
        let ran = run(&["--store", &file.store, "--json", "import", path]);
        assert_eq!((ran.code, &ran.error()["code"]), (2, &"usage".into()), "{ran:?}");
        assert!(ran.err.contains(path), "{}", ran.err);
    }
}

#[test]
fn text_of_a_file_cannot_draw_over_the_terminal() {
    let line = "{\"type\":\"user\",\"id\":\"usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001\",\"\\u001b[2J\":1}";
    let ran = run_with_input(&["--store", "memory:", "import", "-"], line.as_bytes());
    assert!(ran.err.contains("\\u{1b}[2J") && !ran.err.contains('\u{1b}'), "{:?}", ran.err);
}
