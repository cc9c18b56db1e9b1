//! Rules in a file are read strictly: what is wrong is refused, with its place and the word.

use tenantry_core::json::Value;
use tenantry_core::rules::{Rules, RulesError};

fn parse(text: &str) -> Result<Rules, RulesError> {
    Rules::parse(&serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// Texts, the place that the refusal names, and the word.
fn refused(cases: &[(&str, &str, &str)]) {
    for (text, place, word) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!(error.place, *place, "{text}: {error}");
        let message = error.to_string();
        assert!(message.contains(word) && message.contains(place), "{text}: {message}");
    }
}

#[test]
fn what_is_well_formed_is_read() {
    for (text, rules) in [
        ("{}", 0),
        (r#"{"doc": {}}"#, 0),
        (r#"{"doc": {"viewer": []}}"#, 1),
        (r#"{"doc": {"viewer": [{"type": "this"}]}, "folder": {"viewer": [{"type": "this"}], "owner": []}}"#, 3),
        (r#"{"ab": {"__": [{"type": "computed_userset", "relation": "__"}]}}"#, 1),
        // A circle of rules is no mistake.
        (
            r#"{"doc": {"viewer": [{"type": "computed_userset", "relation": "editor"}],
                "editor": [{"relation": "viewer", "type": "computed_userset"}]}}"#,
            2,
        ),
    ] {
        assert_eq!(parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).len(), rules, "{text}");
    }
}

// covers: RUL-16, RUL-17
#[test]
fn types_and_relations_have_their_form() {
    refused(&[
        (r#"{"d": {}}"#, "d", "d"),
        (r#"{"folders": {}}"#, "folders", "folders"),
        (r#"{"Doc": {}}"#, "Doc", "Doc"),
        (r#"{"do_c": {}}"#, "do_c", "do_c"),
        (r#"{"doc1": {}}"#, "doc1", "doc1"),
        (r#"{"doc\n": {}}"#, "doc\n", "doc\n"),
        (r#"{"": {}}"#, "", "type"),
        (r#"{"doc": {"v": []}}"#, "doc.v", "`v`"),
        (r#"{"doc": {"Viewer": []}}"#, "doc.Viewer", "`Viewer`"),
        (r#"{"doc": {"view-er": []}}"#, "doc.view-er", "`view-er`"),
        (r#"{"doc": {"abcdefghijklmnopqrstuvwxyzabcdefg": []}}"#, "doc.abcdefghijklmnopqrstuvwxyzabcdefg", "abcdefg`"),
        (r#"{"doc": {"viewer": [{"type": "this"}, {"type": "computed_userset", "relation": "x"}]}}"#, "doc.viewer[1]", "`x`"),
        (r#"{"doc": {"viewer": [{"type": "computed_userset", "relation": "viewer "}]}}"#, "doc.viewer[0]", "`viewer `"),
        (
            r#"{"doc": {"viewer": [{"type": "tuple_to_userset", "tupleset_relation": "P", "computed_userset_relation": "viewer"}]}}"#,
            "doc.viewer[0]",
            "`P`",
        ),
        (
            r#"{"doc": {"viewer": [{"type": "tuple_to_userset", "tupleset_relation": "viewer", "computed_userset_relation": "é"}]}}"#,
            "doc.viewer[0]",
            "`é`",
        ),
    ]);
}

// covers: RUL-16, RUL-17
#[test]
fn nodes_are_of_a_known_type_and_have_its_keys() {
    refused(&[
        (r#"{"proj": {"viewer": [{"type": "this"}, {"type": "this"}, {"type": "union"}]}}"#, "proj.viewer[2]", "`union`"),
        (r#"{"proj": {"viewer": [{"type": "This"}]}}"#, "proj.viewer[0]", "`This`"),
        (r#"{"proj": {"viewer": [{"type": ""}]}}"#, "proj.viewer[0]", "``"),
        (r#"{"proj": {"viewer": [{}]}}"#, "proj.viewer[0]", "type"),
        (r#"{"proj": {"viewer": [{"type": null}]}}"#, "proj.viewer[0]", "type"),
        (r#"{"proj": {"viewer": [{"relation": "viewer"}]}}"#, "proj.viewer[0]", "type"),
        (r#"{"proj": {"viewer": [{"type": "this", "relation": "viewer"}]}}"#, "proj.viewer[0]", "`relation`"),
        (r#"{"proj": {"viewer": [{"type": "this", "colour": null}]}}"#, "proj.viewer[0]", "`colour`"),
        (r#"{"proj": {"viewer": [{"type": "computed_userset"}]}}"#, "proj.viewer[0]", "relation"),
        (r#"{"proj": {"viewer": [{"type": "computed_userset", "relation": 7}]}}"#, "proj.viewer[0]", "relation"),
        (r#"{"proj": {"viewer": [{"type": "computed_userset", "relation": null}]}}"#, "proj.viewer[0]", "relation"),
        (
            r#"{"proj": {"viewer": [{"type": "computed_userset", "relation": "viewer", "tupleset_relation": "viewer"}]}}"#,
            "proj.viewer[0]",
            "`tupleset_relation`",
        ),
        (
            r#"{"proj": {"viewer": [{"type": "tuple_to_userset", "tupleset_relation": "viewer"}]}}"#,
            "proj.viewer[0]",
            "computed_userset_relation",
        ),
        (
            r#"{"proj": {"viewer": [{"type": "tuple_to_userset", "computed_userset_relation": "viewer"}]}}"#,
            "proj.viewer[0]",
            "tupleset_relation",
        ),
        (
            r#"{"proj": {"viewer": [{"type": "tuple_to_userset", "tupleset_relation": "viewer", "computed_userset_relation": "viewer",
                "relation": "viewer"}]}}"#,
            "proj.viewer[0]",
            "`relation`",
        ),
    ]);
}

// covers: RUL-16, RUL-17
#[test]
fn every_part_is_of_its_json_type() {
    refused(&[
        ("[]", "rules", "object"),
        ("null", "rules", "object"),
        (r#""doc""#, "rules", "object"),
        (r#"{"doc": []}"#, "doc", "object"),
        (r#"{"doc": null}"#, "doc", "object"),
        (r#"{"doc": {"viewer": {}}}"#, "doc.viewer", "list"),
        (r#"{"doc": {"viewer": null}}"#, "doc.viewer", "list"),
        (r#"{"doc": {"viewer": "this"}}"#, "doc.viewer", "list"),
        (r#"{"doc": {"viewer": ["this"]}}"#, "doc.viewer[0]", "object"),
        (r#"{"doc": {"viewer": [[]]}}"#, "doc.viewer[0]", "object"),
    ]);
}

// covers: RUL-16, RUL-17
#[test]
fn a_key_that_stands_there_twice_is_refused() {
    for (text, word) in [
        (r#"{"doc": {}, "doc": {}}"#, "doc"),
        (r#"{"doc": {"viewer": [], "editor": [], "viewer": []}}"#, "viewer"),
        (r#"{"doc": {"viewer": [{"type": "this", "type": "this"}]}}"#, "type"),
        (r#"{"doc": {"viewer": [{"type": "computed_userset", "relation": "viewer", "relation": "viewer"}]}}"#, "relation"),
    ] {
        let error = serde_json::from_str::<Rules>(text).expect_err(text).to_string();
        assert!(error.contains(word), "{text}: {error}");
        // The place is that in the text.
        assert!(error.contains("line 1 column"), "{text}: {error}");
    }
    let error = serde_json::from_str::<Rules>(r#"{"doc": {"viewer": [{"type": "union"}]}}"#).expect_err("a refusal").to_string();
    assert!(error.contains("doc.viewer[0]") && error.contains("union"), "{error}");
    let text = r#"{"doc": {"viewer": [{"type": "this"}]}}"#;
    assert_eq!(serde_json::from_str::<Rules>(text).expect("rules"), parse(text).expect("rules"));
}

// covers: RUL-17, RUL-18
#[test]
fn every_relation_that_a_node_leans_on_has_a_rule() {
    let through = |first: &str, second: &str| {
        format!(r#"{{"type": "tuple_to_userset", "tupleset_relation": "{first}", "computed_userset_relation": "{second}"}}"#)
    };
    // On the same type: another type's rule, and the name of a role, are not enough.
    let elsewhere = r#"{"doc": {"viewer": [{"type": "computed_userset", "relation": "editor"}]}, "proj": {"editor": []}}"#;
    let role = r#"{"org": {"biller": [{"type": "this"}, {"type": "computed_userset", "relation": "admin"}]}}"#;
    let hop = format!(r#"{{"doc": {{"viewer": [{}]}}, "proj": {{"parent": []}}}}"#, through("parent", "viewer"));
    let role_hop = format!(r#"{{"doc": {{"viewer": [{}]}}}}"#, through("owner", "viewer"));
    // On some type, or a role.
    let nowhere = format!(r#"{{"doc": {{"viewer": [{{"type": "this"}}, {}], "parent": []}}}}"#, through("parent", "reader"));
    refused(&[
        (elsewhere, "doc.viewer[0]", "`editor`"),
        (role, "org.biller[1]", "`admin`"),
        (&hop, "doc.viewer[0]", "`parent`"),
        (&role_hop, "doc.viewer[0]", "`owner`"),
        (&nowhere, "doc.viewer[1]", "`reader`"),
    ]);
    for name in ["reader", "owner", "admin", "member", "guest", "viewer", "editor"] {
        let text =
            format!(r#"{{"doc": {{"seen": [{}], "parent": [{{"type": "this"}}]}}, "proj": {{"reader": []}}}}"#, through("parent", name));
        assert_eq!(parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")).len(), 3, "{text}");
    }
}

// covers: RUL-19
#[test]
fn read_leniently_rules_are_held_to_the_same_form_but_need_not_lean_on_rules() {
    let lenient = |text: &str| Rules::parse_open(&serde_json::from_str::<Value>(text).expect("JSON"));
    let open = r#"{"doc": {"viewer": [{"type": "computed_userset", "relation": "editor"},
        {"type": "tuple_to_userset", "tupleset_relation": "parent", "computed_userset_relation": "reader"}]}}"#;
    assert_eq!(lenient(open).expect("rules").len(), 1);
    assert!(parse(open).is_err());
    for text in [
        "[]",
        r#"{"Doc": {}}"#,
        r#"{"doc": {"x": []}}"#,
        r#"{"doc": {"viewer": [{"type": "union"}]}}"#,
        r#"{"doc": {"viewer": [{"type": "this", "colour": 1}]}}"#,
        r#"{"doc": {"viewer": [{"type": "computed_userset"}]}}"#,
        r#"{"doc": {"viewer": [{"type": "computed_userset", "relation": "X"}]}}"#,
    ] {
        assert_eq!(lenient(text).expect_err(text), parse(text).expect_err(text), "{text}");
    }
}
