//! A slug is held by its bytes, by one organization at a time.

use serde_json::json;

use crate::{on_every_store, text};

// covers: ORG-4, ORG-5, ORG-6, ORG-11
#[test]
fn a_slug_is_found_and_taken_by_its_very_bytes_alone() {
    let others = [
        "Acme",
        "ACME",
        "acme ",
        " acme",
        "acme\n",
        "\nacme",
        "acme\0",
        "acme\0x",
        "\u{feff}acme",
        "ac\u{200b}me",
        "acmé",
        "ａｃｍｅ",
        "аcme",
        "acme-",
        "-acme",
        "acm",
        "acme1",
        "%",
        "acm_",
        "a%",
        "",
    ];
    on_every_store(async |place| {
        let acme = place.org(json!({"slug": "acme"})).await;
        let found = place.call("get_org_by_slug", json!({"slug": "acme"})).await;
        assert_eq!(text(&found["id"]), acme, "{}", place.name);
        for other in others {
            assert_eq!(place.code("get_org_by_slug", json!({ "slug": other })).await, "not_found", "{}: {other:?}", place.name);
        }
        // What has the form is free, and what has not cannot be had.
        for (slug, code) in [
            ("acm", "ok"),
            ("acme1", "ok"),
            ("acme-1", "ok"),
            ("i", "ok"),
            ("acme", "conflict.org_slug"),
            ("i", "conflict.org_slug"),
            ("I", "precondition.org_slug_format"),
            ("ı", "precondition.org_slug_format"),
            ("İ", "precondition.org_slug_format"),
            ("ACME", "precondition.org_slug_format"),
            ("acme\n", "precondition.org_slug_format"),
        ] {
            let created = json!({"creator": crate::OWNER, "slug": slug});
            assert_eq!(place.code("create_org", created).await, code, "{}: {slug:?}", place.name);
        }
        // Given up, and free at once for another one.
        place.call("update_org", json!({"org_id": acme, "slug": "acme-2"})).await;
        let next = place.org(json!({"slug": "acme"})).await;
        place.call("revoke_org", json!({ "org_id": next })).await;
        assert_eq!(place.code("get_org_by_slug", json!({"slug": "acme"})).await, "not_found", "{}", place.name);
        place.call("update_org", json!({"org_id": acme, "slug": "acme"})).await;
        assert_eq!(place.call("get_org_by_slug", json!({"slug": "acme"})).await["id"], json!(acme), "{}", place.name);
    });
}
