//! Runs the examples, and holds what the README shows against them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../examples/axum.rs"]
#[allow(dead_code, reason = "`main` listens on a port")]
mod axum_example;
mod down;
#[cfg(feature = "sqlite")]
#[path = "../examples/own_transaction.rs"]
#[allow(dead_code, reason = "`main` reads the command line")]
mod own_transaction;
#[path = "../examples/quickstart.rs"]
#[allow(dead_code, reason = "`main` reads the command line")]
mod quickstart;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use axum::{Router, http};
use serde_json::{Value, json};
use tenantry::{BackendError, BackendKind, ListAllChanges, TenancyStore};
use tower::ServiceExt;

const ADA: &str = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0a";
const BEN: &str = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0b";
const FOLDER: &str = "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f";

const README: &str = include_str!("../../../README.md");
const AXUM: &str = include_str!("../examples/axum.rs");

#[tokio::test]
async fn the_quickstart_runs_in_memory() {
    quickstart::tour(&*quickstart::open("memory:").await.unwrap()).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_quickstart_runs_on_sqlite_and_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = format!("sqlite:{}", folder.path().join("quickstart.db").display());
    for _ in 0..2 {
        quickstart::tour(&*quickstart::open(&place).await.unwrap()).await.unwrap();
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn the_application_s_rows_and_ours_commit_together_on_sqlite() {
    own_transaction::on_sqlite().unwrap();
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn the_application_s_rows_and_ours_commit_together_on_postgres() {
    let url = std::env::var("TENANTRY_TEST_POSTGRES_URL").expect("`cargo xtask test` starts a server and names it");
    own_transaction::on_postgres(&url).await.unwrap();
}

#[tokio::test]
async fn the_quickstart_names_the_stores_that_it_knows() {
    for place in ["", "oracle:db", "quickstart.db"] {
        let refused = quickstart::open(place).await.unwrap_err();
        assert!(refused.to_string().contains("`memory:`"), "{place}: {refused}");
    }
}

/// A client of the web service, without a network.
struct Web {
    router: Router,
    store: Arc<dyn TenancyStore>,
}

impl Web {
    fn over(store: Arc<dyn TenancyStore>) -> Self {
        Self { router: axum_example::router(Arc::clone(&store)), store }
    }

    fn in_memory() -> Self {
        Self::over(Arc::new(tenantry::memory::new()))
    }

    /// Sends a request with these headers.
    async fn send(&self, request: http::request::Builder, body: Option<Value>) -> (StatusCode, Value) {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        // What axum itself refuses is no JSON.
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, usr: &str, path: &str) -> (StatusCode, Value) {
        self.send(Request::get(path).header("x-user", usr), None).await
    }

    async fn post(&self, usr: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Request::post(path).header("x-user", usr), Some(body)).await
    }
}

fn as_ben(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("x-user", BEN).header("x-verified-email", "ben@example.org")
}

/// A status and the code of an error.
fn refused((status, body): &(StatusCode, Value)) -> (u16, &str) {
    (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn who_is_not_signed_in_is_nobody() {
    let web = Web::in_memory();
    for request in [Request::get("/memberships"), Request::get("/memberships").header("x-user", "ada")] {
        assert_eq!(web.send(request, None).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(web.get(ADA, "/memberships").await, (StatusCode::OK, json!({"data": [], "page": {"next_cursor": null}})));
}

#[tokio::test]
async fn people_invite_accept_and_are_refused() {
    let web = Web::in_memory();
    let (status, created) = web.post(ADA, "/orgs", json!({"name": "Acme", "slug": "acme"})).await;
    assert_eq!((status, &created["owner_membership"]["usr_id"]), (StatusCode::CREATED, &json!(ADA)));
    let org = created["org"]["id"].as_str().unwrap();
    let (org_path, members) = (format!("/orgs/{org}"), format!("/orgs/{org}/members"));
    let invitations = format!("/orgs/{org}/invitations");

    // Ben is no member yet: for him there is no such organization.
    assert_eq!(refused(&web.get(BEN, &org_path).await), (404, "not_found"));

    let editor = json!({"relation": "editor", "object_type": "folder", "object_id": FOLDER});
    let offer = json!({"email": "ben@example.org", "role": "member", "expires_at": "9999-01-01T00:00:00Z", "grants": [editor]});
    let (status, invited) = web.post(ADA, &invitations, offer.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{invited}");
    assert_eq!(refused(&web.post(ADA, &invitations, offer.clone()).await), (409, "conflict.duplicate_invitation"));

    // Only who signed in with the address sees and accepts what is waiting for it.
    assert_eq!(refused(&web.get(BEN, "/invitations").await), (403, "forbidden"));
    let (status, waiting) = web.send(as_ben(Method::GET, "/invitations"), None).await;
    assert_eq!((status, &waiting["data"]), (StatusCode::OK, &json!([invited])));
    let accept = format!("/invitations/{}/accept", invited["id"].as_str().unwrap());
    assert_eq!(refused(&web.post(BEN, &accept, Value::Null).await), (403, "forbidden"));
    let request = as_ben(Method::POST, &accept).header("x-request-id", "req-7");
    let (status, accepted) = web.send(request, None).await;
    assert_eq!((status, &accepted["membership"]["role"]), (StatusCode::OK, &json!("member")));

    // What he may do now, and what not.
    let (status, checked) = web.get(BEN, &format!("/check/folder/{FOLDER}/editor")).await;
    assert_eq!((status, &checked["allowed"]), (StatusCode::OK, &json!(true)));
    assert_eq!(web.get(ADA, &format!("/check/folder/{FOLDER}/editor")).await.1["allowed"], json!(false));
    assert_eq!(web.get(BEN, &org_path).await.1["name"], json!("Acme"));
    assert_eq!(refused(&web.post(BEN, &invitations, offer).await), (403, "forbidden"));
    let (_, first) = web.get(BEN, &format!("{members}?limit=1")).await;
    let cursor = first["page"]["next_cursor"].as_str().unwrap();
    let (_, second) = web.get(BEN, &format!("{members}?limit=1&cursor={cursor}")).await;
    assert_eq!((&first["data"][0]["usr_id"], &second["data"][0]["usr_id"]), (&json!(ADA), &json!(BEN)));
    assert_eq!(refused(&web.get(BEN, &format!("{members}?cursor=x")).await), (400, "invalid_cursor"));

    // The events carry who did it and with which request, and are found by their ids.
    let events = web.store.changes_all(ListAllChanges::new()).await.unwrap().data;
    let of_request: Vec<_> = events.iter().filter(|event| event.request_id.as_ref().is_some_and(|id| id.as_str() == "req-7")).collect();
    assert_eq!(of_request.len(), 3, "accepted, joined, granted: {events:?}");
    assert!(of_request.iter().all(|event| event.actor.id.unwrap().to_string() == BEN));
    let (_, found) = web.get(BEN, &format!("/outcome/{}", of_request[0].id)).await;
    assert_eq!(found["type"], json!("invitation.accepted"));
}

#[tokio::test]
async fn what_has_not_its_form_is_a_bad_request() {
    let web = Web::in_memory();
    for (path, code) in [("/orgs/acme", "invalid_id"), ("/orgs/abc_1", "invalid_id_type"), (&format!("/orgs/{ADA}"), "invalid_id")] {
        assert_eq!(refused(&web.get(ADA, path).await), (400, code), "{path}");
    }
    assert_eq!(refused(&web.post(ADA, "/orgs", json!({"name": ""})).await), (400, "invalid_format.name"));
    assert_eq!(refused(&web.post(ADA, "/orgs", json!({"name": "A", "slug": "A"})).await), (409, "precondition.org_slug_format"));
    for body in [json!({}), json!([]), json!({"name": 1})] {
        assert!(web.post(ADA, "/orgs", body).await.0.is_client_error());
    }
}

#[tokio::test]
async fn a_store_that_fails_is_told_without_its_driver() {
    let event_id = "aud_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
    for (kind, status, code) in [
        (BackendKind::Unavailable, 503, "backend.unavailable"),
        (BackendKind::UnknownOutcome { event_id }, 503, "backend.unknown_outcome"),
        (BackendKind::Schema, 500, "backend.schema"),
    ] {
        let failure = move || BackendError::new(kind.clone(), format!("ask for {event_id}")).caused_by("the password is hunter2");
        let web = Web::over(down::store(failure));
        for answer in [web.get(ADA, "/memberships").await, web.post(ADA, "/orgs", json!({"name": "Acme"})).await] {
            assert_eq!(refused(&answer), (status, code));
            assert_eq!(answer.1["error"]["message"], json!(format!("ask for {event_id}")));
            assert!(!answer.1.to_string().contains("hunter2"), "{answer:?}");
        }
    }
}

/// The table of codes is the one in the specification.
#[test]
fn every_code_has_the_status_of_the_specification() {
    let rows: Vec<(&str, &str)> = include_str!("../../../spec/errors.md").lines().filter_map(row).collect();
    assert!(rows.len() >= 40, "{rows:?}");
    for (code, http) in rows {
        let example = code.replace(".*", ".name");
        assert_eq!(axum_example::status(&example).as_str(), http, "{code}");
    }
}

/// Of a table with code, class, status and meaning: the code and the status.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let code = cells.next()?.trim_end_matches('`');
    cells.nth(1).filter(|http| http.parse::<u16>().is_ok()).map(|http| (code, http))
}

/// Each paragraph of the README's handler stands in the example as it is, but for the imports.
#[test]
fn the_readme_shows_the_example() {
    let (_, section) = README.split_once("### In a web handler").unwrap();
    let (_, code) = section.split_once("```rust\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let (imports, items) = code.split_once("\n\ntype ").unwrap();
    assert!(imports.lines().all(|line| line.is_empty() || line.starts_with("use ")), "{imports}");
    let items = format!("type {items}");
    let paragraphs: Vec<&str> = items.split("\n\n").map(str::trim_end).collect();
    assert!(paragraphs.len() >= 6, "{paragraphs:?}");
    for paragraph in paragraphs {
        assert!(AXUM.contains(paragraph), "examples/axum.rs says it otherwise:\n{paragraph}");
    }
    let routes = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][AXUM.matches(".route(").count()];
    assert!(README.contains(&format!("has {routes} routes")), "it has {routes}");
}
