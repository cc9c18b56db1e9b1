//! What each field takes, byte by byte, and that it is answered as it was given.

use serde_json::{Value, json};

use crate::{LATE, OWNER, on_every_store, text};

/// Texts that people and programs send, with what a name, an opaque text such as an identifier, and a slug say to them.
struct Case {
    text: String,
    name: bool,
    opaque: bool,
    slug: bool,
}

fn case(text: impl Into<String>, name: bool, opaque: bool, slug: bool) -> Case {
    Case { text: text.into(), name, opaque, slug }
}

fn cases() -> Vec<Case> {
    let (all, free, odd, none) = ((true, true, true), (true, true, false), (false, true, false), (false, false, false));
    let mut cases = Vec::new();
    let mut add = |kind: (bool, bool, bool), texts: &[&str]| {
        cases.extend(texts.iter().map(|text| case(*text, kind.0, kind.1, kind.2)));
    };
    add(all, &["a", "0", "acme", "a-b", "a--b", "xn--zca", "null"]);
    // Slugs take none of these, whatever letters they look like; names and identifiers take them as they are.
    add(
        free,
        &["A", "Acme", "a b", " a", "a ", "-a", "a-", "a_b", "a.b", "é", "e\u{301}", "ß", "ẞ", "ı", "İ", "i\u{307}", "\u{212a}", "ﬁ", "ａ"],
    );
    add(free, &["\u{200b}", "a\u{200d}b", "\u{feff}a", "\u{202e}abc", "\u{2067}x\u{2069}", "\u{ad}", "\u{fffd}", "\u{ffff}", "\u{10ffff}"]);
    add(free, &["%", "_", "\\", "'", "\"", "';--", "{}", "\u{2028}", "\u{a0}", "👩\u{200d}👩\u{200d}👧", "𐐀", "ﷺ"]);
    // Control characters are in no name.
    add(odd, &["\n", "a\n", "a\r\nb", "\t", "\u{1}", "\u{1b}[2J", "\u{7f}", "\u{80}", "\u{85}", "\u{9f}"]);
    add(none, &["", "\0", "a\0", "\0a", "a\0b"]);
    cases
}

// covers: ORG-3, ORG-4, ORG-29, INV-2, USR-2, EVT-13, EVT-14
#[test]
fn each_kind_of_text_takes_what_it_says_and_answers_it_unchanged() {
    on_every_store(async |place| {
        let code = |fits: bool, code: &str| if fits { "ok".to_owned() } else { code.to_owned() };
        let home = place.org(json!({})).await;
        let mut held = None;
        for Case { text: sent, name, opaque, slug } in cases() {
            let shown = format!("{}: {sent:?}", place.name);
            let try_org = async |field: &str| place.try_call("update_org", &json!({"org_id": home, field: sent})).await;
            for (field, fits, wrong) in [
                ("name", name, "invalid_format.name"),
                ("external_id", opaque, "invalid_format.external_id"),
                ("slug", slug, "precondition.org_slug_format"),
            ] {
                let answer = try_org(field).await;
                assert_eq!(answer.as_ref().err().cloned().unwrap_or("ok".to_owned()), code(fits, wrong), "{shown} as {field}");
                if fits {
                    assert_eq!(answer.unwrap()[field], json!(sent), "{shown} as {field}");
                    assert_eq!(
                        place.call("get_org", json!({ "org_id": home })).await[field],
                        json!(sent),
                        "{shown} as {field}, read again"
                    );
                }
            }
            if slug {
                held = Some(sent.clone());
            }
            let found = place.try_call("get_org_by_slug", &json!({ "slug": sent })).await;
            // Only the slug that the organization has now, as it was given.
            assert_eq!(found.is_ok(), held.as_ref() == Some(&sent), "{shown} as a slug that is looked up");

            let user = place.try_call("create_user", &json!({ "display_name": sent })).await;
            assert_eq!(user.as_ref().err().cloned().unwrap_or("ok".to_owned()), code(name, "invalid_format.display_name"), "{shown}");
            if let Ok(user) = user {
                assert_eq!(user["user"]["display_name"], json!(sent));
            }
            let invite = json!({"org_id": home, "identifier": sent, "role": "guest", "invited_by": OWNER, "expires_at": LATE});
            let invitation = place.try_call("create_invitation", &invite).await;
            let answered = invitation.as_ref().err().cloned().unwrap_or("ok".to_owned());
            assert_eq!(answered, code(opaque, "invalid_format.identifier"), "{shown} as an identifier");
            if let Ok(invitation) = invitation {
                assert_eq!(invitation["identifier"], json!(sent));
            }
            for field in ["request_id", "reason"] {
                let before = place.call("get_org", json!({ "org_id": home })).await;
                let turned = json!(!before["cascade_permissions"].as_bool().unwrap());
                let answered = place.code("update_org", json!({"org_id": home, "cascade_permissions": turned, field: sent})).await;
                assert_eq!(answered, code(opaque, &format!("invalid_format.{field}")), "{shown} as {field}");
                if opaque {
                    let events = json!({"org_id": home, "after_revision": before["revision"]});
                    assert_eq!(place.call("changes", events).await["data"][0][field], json!(sent), "{shown} as {field}");
                }
            }
            // Metadata takes every text, as a key and as a value.
            let metadata = json!({ sent.as_str(): [sent] });
            let updated = place.call("update_org", json!({"org_id": home, "metadata": metadata})).await;
            assert_eq!(updated["metadata"], metadata, "{shown} in metadata");
            let read = place.call("get_org", json!({ "org_id": home })).await;
            assert_eq!(read["metadata"], metadata, "{shown} in metadata, read again");
        }
    });
}

/// The longest that each field takes, and one more, in letters of one to four bytes.
// covers: ORG-3, ORG-4, ORG-29, ORG-30, INV-2, USR-2, EVT-13, EVT-14
#[test]
fn each_bound_is_exact_whatever_the_letters() {
    on_every_store(async |place| {
        let home = place.org(json!({})).await;
        let updated = async |field: &str, value: Value| place.code("update_org", json!({"org_id": home, field: value})).await;
        for letter in ["a", "é", "語", "𐐀"] {
            let bytes = letter.len();
            let many = |count: usize| letter.repeat(count);
            // Names count characters.
            for (count, code) in [(200, "ok"), (201, "invalid_format.name")] {
                assert_eq!(updated("name", json!(many(count))).await, code, "{}: {count} of {letter}", place.name);
            }
            for (count, code) in [(200, "ok"), (201, "invalid_format.display_name")] {
                assert_eq!(
                    place.code("create_user", json!({"display_name": many(count)})).await,
                    code,
                    "{}: {count} of {letter}",
                    place.name
                );
            }
            // The others count bytes: filled up to the bound with letters of one byte.
            let of_bytes = |length: usize| many(length / bytes) + &"b".repeat(length % bytes);
            for (length, code) in [(200, "ok"), (201, "invalid_format.external_id")] {
                assert_eq!(updated("external_id", json!(of_bytes(length))).await, code, "{}: {length} bytes of {letter}", place.name);
            }
            for (length, code) in [(320, "ok"), (321, "invalid_format.identifier")] {
                let invite =
                    json!({"org_id": home, "identifier": of_bytes(length), "role": "guest", "invited_by": OWNER, "expires_at": LATE});
                assert_eq!(place.code("create_invitation", invite).await, code, "{}: {length} bytes of {letter}", place.name);
            }
            for (field, most) in [("request_id", 200), ("reason", 1000)] {
                assert_eq!(place.code("create_user", json!({field: of_bytes(most)})).await, "ok", "{}: {letter}", place.name);
                let more = place.code("create_user", json!({field: of_bytes(most + 1)})).await;
                assert_eq!(more, format!("invalid_format.{field}"), "{}: {letter}", place.name);
            }
            // {"k":"..."} has eight bytes beside the text.
            for (length, code) in [(4088, "ok"), (4089, "invalid_format.metadata")] {
                assert_eq!(updated("metadata", json!({"k": of_bytes(length)})).await, code, "{}: {length} bytes of {letter}", place.name);
            }
        }
        for (length, code) in [(63, "ok"), (64, "precondition.org_slug_format")] {
            assert_eq!(updated("slug", json!("x".repeat(length))).await, code, "{}", place.name);
        }
    });
}

/// Identifiers are the same when their bytes are, and at no other time.
// covers: INV-3, INV-9, INV-20
#[test]
fn identifiers_that_only_look_alike_are_different() {
    let looks = [
        "anna@example.org",
        "Anna@example.org",
        "ANNA@EXAMPLE.ORG",
        "anna@example.org ",
        " anna@example.org",
        "anna@example.org\n",
        "anna\u{200b}@example.org",
        "\u{430}nna@example.org",
        "é@example.org",
        "e\u{301}@example.org",
        "É@example.org",
        "straße@example.org",
        "strasse@example.org",
        "STRASSE@example.org",
        "i@example.org",
        "I@example.org",
        "ı@example.org",
        "İ@example.org",
        "i\u{307}@example.org",
        "k@example.org",
        "\u{212a}@example.org",
        "ﬁ@example.org",
        "fi@example.org",
        "σ@example.org",
        "ς@example.org",
        "Σ@example.org",
        "%@example.org",
        "_@example.org",
    ];
    on_every_store(async |place| {
        let org = place.org(json!({})).await;
        let invite =
            |identifier: &str| json!({"org_id": org, "identifier": identifier, "role": "guest", "invited_by": OWNER, "expires_at": LATE});
        let mut ids = Vec::new();
        for look in looks {
            ids.push(text(&place.call("create_invitation", invite(look)).await["id"]));
        }
        for (look, id) in looks.iter().zip(&ids) {
            assert_eq!(place.code("create_invitation", invite(look)).await, "conflict.duplicate_invitation", "{}: {look:?}", place.name);
            let found = place.all("list_invitations_for", &json!({ "identifier": look }), 200).await;
            let found: Vec<String> = found.iter().map(|inv| text(&inv["id"])).collect();
            assert_eq!(found, std::slice::from_ref(id), "{}: {look:?}", place.name);
        }
        // Nobody accepts with another one.
        for (number, (look, id)) in looks.iter().zip(&ids).enumerate() {
            let user = crate::id("usr", 100 + u32::try_from(number).unwrap());
            for other in looks.iter().filter(|other| *other != look) {
                let accept = json!({"inv_id": id, "as_usr_id": user, "accepting_identifier": other});
                assert_eq!(place.code("accept_invitation", accept).await, "precondition.identifier_mismatch", "{}: {other:?}", place.name);
            }
            let accept = json!({"inv_id": id, "as_usr_id": user, "accepting_identifier": look});
            assert_eq!(place.code("accept_invitation", accept).await, "ok", "{}: {look:?}", place.name);
        }
        for nobody in ["", "\0", "anna@example.org\0", &"x".repeat(321)] {
            assert_eq!(place.all("list_invitations_for", &json!({ "identifier": nobody }), 1).await, [Value::Null; 0], "{nobody:?}");
        }
    });
}

/// Half of a surrogate pair is no text, so that none comes as far as a store.
#[test]
fn half_a_surrogate_pair_cannot_be_sent() {
    for text in [r#""\ud800""#, r#""a\udc00""#, r#""\udc00\ud800""#] {
        assert!(serde_json::from_str::<tenantry_core::json::Value>(text).is_err(), "{text}");
    }
    assert!(String::from_utf8(vec![0xed, 0xa0, 0x80]).is_err());
    let pair: tenantry_core::json::Value = serde_json::from_str(r#""\ud801\udc00""#).expect("a pair is one letter");
    assert_eq!(pair.as_text(), Some("𐐀"));
}
