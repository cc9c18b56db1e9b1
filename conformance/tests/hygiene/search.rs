//! What a search finds: `spec/organizations.md#list_orgs`, with letters that databases fold each in their own way.

use serde_json::json;

use crate::{Place, on_every_store, text};

/// Names of organizations; one has a slug beside it.
const NAMES: [&str; 31] = [
    "100% wool",
    "100 wool",
    "snake_case",
    "snakeXcase",
    "back\\slash",
    "Straße",
    "STRASSE",
    "STRAẞE",
    "İstanbul",
    "Istanbul",
    "ıstanbul",
    "istanbul",
    "ΟΔΟΣ",
    "οδος",
    "οδοσ",
    "caf\u{e9}",
    "cafe\u{301}",
    "CAF\u{c9}",
    "\u{212a}elvin",
    "kelvin",
    "\u{212b}ngström",
    "Ångström",
    "Жёлтый",
    "жёлтый",
    "желтый",
    "ＡＢＣ",
    "ａｂｃ",
    "𐐀𐐁",
    "𐐨𐐩",
    "\u{202e}drow",
    "zero\u{200b}width",
];

/// A query, and the places of the names that it finds.
const QUERIES: &[(&str, &[usize])] = &[
    // Signs that a pattern would take for others.
    ("%", &[0]),
    ("100%", &[0]),
    ("0%W", &[]),
    ("_", &[2]),
    ("e_c", &[2]),
    ("\\", &[4]),
    ("K\\S", &[4]),
    ("\\\\", &[]),
    ("*", &[]),
    ("'", &[]),
    (".", &[]),
    // The sharp s has a capital that folds to it, and is no pair of letters.
    ("straße", &[5, 7]),
    ("STRAẞE", &[5, 7]),
    ("strasse", &[6]),
    ("SS", &[6]),
    ("ß", &[5, 7]),
    // The dotted capital folds to two characters, the second a mark that is found alone; the dotless small letter only to itself.
    ("İSTANBUL", &[8]),
    ("i\u{307}stanbul", &[8]),
    ("ISTANBUL", &[9, 11]),
    ("istanbul", &[9, 11]),
    ("ıSTANBUL", &[10]),
    ("ı", &[10]),
    ("STANBUL", &[8, 9, 10, 11]),
    ("\u{307}", &[8]),
    // One sigma, wherever it stands.
    ("οδος", &[12, 13, 14]),
    ("ΟΔΟΣ", &[12, 13, 14]),
    ("οδοσ", &[12, 13, 14]),
    ("ς", &[12, 13, 14]),
    // Composed and decomposed accents stay different.
    ("CAFÉ", &[15, 17]),
    ("CAFE\u{301}", &[16]),
    ("cafe", &[16]),
    ("\u{e9}", &[15, 17]),
    ("\u{301}", &[16]),
    // Signs that are letters, and fold to them.
    ("KELVIN", &[18, 19]),
    ("\u{212a}", &[2, 3, 4, 18, 19]),
    ("ÅNGSTRÖM", &[20, 21]),
    ("\u{212b}", &[20, 21]),
    ("angstrom", &[]),
    // Scripts beyond the first two, and beyond two bytes.
    ("ЖЁЛТЫЙ", &[22, 23]),
    ("ЖЕЛТЫЙ", &[24]),
    ("ａｂｃ", &[25, 26]),
    ("abc", &[]),
    ("𐐀", &[27, 28]),
    ("𐐩", &[27, 28]),
    // What cannot be seen is there.
    ("\u{202e}", &[29]),
    ("zerowidth", &[]),
    ("zero\u{200b}WIDTH", &[30]),
    ("\u{200b}", &[30]),
    // What no name has.
    ("\0", &[]),
    ("a\0", &[]),
    ("\n", &[]),
    ("nothing of the kind", &[]),
];

async fn found(place: &Place, query: &str, orgs: &[String]) -> Vec<usize> {
    let rows = place.all("list_orgs", &json!({ "query": query }), 3).await;
    rows.iter().map(|org| orgs.iter().position(|id| *id == text(&org["id"])).expect("one of them")).collect()
}

// covers: ORG-17, ORG-18
#[test]
fn a_search_folds_each_character_alone_and_knows_no_patterns() {
    on_every_store(async |place| {
        let mut orgs = Vec::new();
        for name in NAMES {
            orgs.push(place.org(json!({ "name": name })).await);
        }
        for (query, expected) in QUERIES {
            assert_eq!(found(place, query, &orgs).await, *expected, "{}: {query:?}", place.name);
        }
        let all: Vec<usize> = (0..NAMES.len()).collect();
        assert_eq!(found(place, "", &orgs).await, all, "{}: the empty query", place.name);
        // Each name is found by itself, and by itself in capitals.
        for (number, name) in NAMES.iter().enumerate() {
            for query in [(*name).to_owned(), name.to_lowercase()] {
                assert!(found(place, &query, &orgs).await.contains(&number), "{}: {query:?}", place.name);
            }
        }
    });
}

// covers: ORG-17
#[test]
fn a_search_looks_at_slugs_and_follows_each_change_of_a_name() {
    on_every_store(async |place| {
        let first = place.org(json!({"name": "İlk", "slug": "needle-1"})).await;
        let second = place.org(json!({"slug": "needle-2"})).await;
        let orgs = [first.clone(), second.clone()];
        for (query, expected) in [("NEEDLE", &[0, 1][..]), ("e-2", &[1]), ("needle_1", &[]), ("İLK", &[0]), ("ilk", &[])] {
            assert_eq!(found(place, query, &orgs).await, expected, "{}: {query:?}", place.name);
        }
        place.call("update_org", json!({"org_id": first, "name": "Son", "slug": null})).await;
        place.call("update_org", json!({"org_id": second, "name": "ILK"})).await;
        for (query, expected) in [("NEEDLE", &[1][..]), ("İLK", &[]), ("ilk", &[1]), ("son", &[0])] {
            assert_eq!(found(place, query, &orgs).await, expected, "{}: {query:?}", place.name);
        }
        // A revoked organization is still found by the name and the slug that it had.
        place.call("revoke_org", json!({ "org_id": second })).await;
        for (query, status, expected) in [("needle", json!("revoked"), 1), ("needle", json!("active"), 0), ("ilk", json!(null), 1)] {
            let rows = place.all("list_orgs", &json!({"query": query, "status": status}), 200).await;
            assert_eq!(rows.len(), expected, "{}: {query:?} {status}", place.name);
        }
    });
}
