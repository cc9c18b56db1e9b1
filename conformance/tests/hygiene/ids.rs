//! Ids are compared by their bytes. On the wire they have one form, and the ids of subjects and objects two that mean the same.

use serde_json::json;

use crate::{OWNER, id, on_every_store, text};

// covers: IDS-5, IDS-9, IDS-10, IDS-14
#[test]
fn an_id_has_one_form_whatever_letters_look_like_it() {
    on_every_store(async |place| {
        let org = place.org(json!({})).await;
        let hex = org.strip_prefix("org_").expect("an id").to_owned();
        assert!(hex.contains(|letter: char| letter.is_ascii_lowercase()), "an id with letters: {hex}");
        let wide: String = hex.chars().map(|digit| if digit == '0' { '０' } else { digit }).collect();
        for (text, code) in [
            (org.clone(), "ok"),
            (format!("org_{}", hex.to_uppercase()), "invalid_id"),
            (format!("ORG_{hex}"), "invalid_id_type"),
            (format!("Org_{hex}"), "invalid_id_type"),
            (format!("usr_{hex}"), "invalid_id"),
            (format!("оrg_{hex}"), "invalid_id_type"),
            (format!("org_{wide}"), "invalid_id"),
            (format!("org__{}", &hex[1..]), "invalid_id"),
            (format!("{org} "), "invalid_id"),
            (format!(" {org}"), "invalid_id_type"),
            (format!("{org}\n"), "invalid_id"),
            (format!("{org}\0"), "invalid_id"),
            (format!("\u{feff}{org}"), "invalid_id_type"),
            (format!("org\u{200b}_{hex}"), "invalid_id_type"),
            (format!("org-{hex}"), "invalid_id"),
            (hex.clone(), "invalid_id"),
            (String::new(), "invalid_id"),
            ("_".to_owned(), "invalid_id_type"),
            ("org_".to_owned(), "invalid_id"),
        ] {
            assert_eq!(place.code("get_org", json!({ "org_id": text })).await, code, "{}: {text:?}", place.name);
        }
    });
}

// covers: TUP-3, TUP-4, TUP-5, TUP-6, TUP-7
#[test]
fn the_forms_of_an_object_s_id_mean_one_object_and_no_other_does() {
    on_every_store(async |place| {
        let object = "0196abcd-ef00-7000-8000-00000000d0c1";
        let tuple = |object: &str| json!({"subject_type": "usr", "subject_id": OWNER, "relation": "viewer", "object_type": "doc", "object_id": object});
        let first = place.call("create_tuple", tuple(&object.to_uppercase())).await;
        assert_eq!(first["object_id"], json!(object), "{}", place.name);
        for same in [object.to_owned(), object.to_uppercase(), format!("doc_{}", object.replace('-', ""))] {
            assert_eq!(place.code("create_tuple", tuple(&same)).await, "conflict.duplicate_tuple", "{}: {same}", place.name);
            let check = place.call("check", tuple(&same)).await;
            assert_eq!(check["matched_tuple_id"], first["id"], "{}: {same}", place.name);
        }
        for wrong in [
            object.replace('-', ""),
            format!("DOC_{}", object.replace('-', "")),
            format!("doc_{}", object.replace('-', "").to_uppercase()),
            format!("{{{object}}}"),
            format!("urn:uuid:{object}"),
            format!("{object}\n"),
            format!("{object}\0"),
            object.replace('0', "０"),
            String::new(),
        ] {
            assert_eq!(place.code("check", tuple(&wrong)).await, "invalid_format.object_id", "{}: {wrong:?}", place.name);
        }
        // One bit makes another object.
        for other in ["0196abcd-ef00-7000-8000-00000000d0c0", "8196abcd-ef00-7000-8000-00000000d0c1"] {
            assert_eq!(place.call("check", tuple(other)).await["allowed"], json!(false), "{}: {other}", place.name);
        }
        // Words that fold to a relation or a type are none.
        for (field, word) in
            [("relation", "Viewer"), ("relation", "vıewer"), ("relation", "viewer\n"), ("object_type", "DOC"), ("object_type", "dоc")]
        {
            let mut check = tuple(object);
            check[field] = json!(word);
            assert_eq!(place.code("check", check).await, format!("invalid_format.{field}"), "{}: {word:?}", place.name);
        }
        let roles = ["Owner", "OWNER", "owner ", "owner\n", "оwner", "ownеr", "owner\0"];
        let org = place.org(json!({})).await;
        for role in roles {
            let member = json!({"org_id": org, "usr_id": id("usr", 7), "role": role});
            assert_eq!(place.code("add_member", member).await, "precondition.unknown_role", "{}: {role:?}", place.name);
        }
        let member = json!({"org_id": org, "usr_id": id("usr", 7), "role": "owner"});
        assert_eq!(text(&place.call("add_member", member).await["role"]), "owner", "{}", place.name);
    });
}
