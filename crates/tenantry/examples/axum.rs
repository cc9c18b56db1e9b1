//! Tenantry behind axum: every request acts as the one who sent it, and every refusal has its HTTP status.
//!
//! ```sh
//! cargo run -p tenantry --example axum &
//! ada=usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f
//! curl -H "x-user: $ada" -H 'content-type: application/json' -d '{"name": "Acme"}' localhost:3000/orgs
//! curl -H "x-user: $ada" localhost:3000/memberships
//! curl -H "x-user: $ada" localhost:3000/orgs/org_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks through these")]

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tenantry::rules::Checked;
use tenantry::{
    AcceptInvitation, AcceptedInvitation, Caller, Cause, CheckOne, CreateInvitation, CreateOrg, CreatedOrg, DomainError, Error, Event, Id,
    Invitation, InvitationInput, InvitationStatus, ListInvitationsFor, ListMembers, ListMemberships, Membership, Organization, Page,
    PageRequest, PreTuple, RequestId, TenancyStore, Timestamp, UserId,
};

type Store = Arc<dyn TenancyStore>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    // This line chooses the store; nothing below knows which one it is.
    let store: Store = Arc::new(tenantry::memory::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(store)).await
}

/// Everything behind one address; a test calls it without a network.
pub(crate) fn router(store: Store) -> Router {
    Router::new()
        .route("/orgs", post(create_org))
        .route("/orgs/{org_id}", get(get_org))
        .route("/orgs/{org_id}/members", get(list_members))
        .route("/orgs/{org_id}/invitations", post(invite))
        .route("/memberships", get(my_memberships))
        .route("/invitations", get(my_invitations))
        .route("/invitations/{inv_id}/accept", post(accept))
        .route("/check/{object_type}/{object_id}/{relation}", get(check))
        .route("/outcome/{event_id}", get(outcome))
        .with_state(store)
}

/// Who sent a request, and the store as they may use it.
struct Acting {
    usr_id: UserId,
    email: Option<String>,
    store: Store,
}

impl FromRequestParts<Store> for Acting {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, store: &Store) -> Result<Self, StatusCode> {
        // A stand-in for your sign-in: headers say whatever the sender likes. Take both from a session or a token that you verify.
        let header = |name: &str| parts.headers.get(name)?.to_str().ok();
        let usr_id: UserId = header("x-user").and_then(|text| text.parse().ok()).ok_or(StatusCode::UNAUTHORIZED)?;
        let email = header("x-verified-email").map(str::to_owned);
        let cause = Cause { request_id: header("x-request-id").and_then(RequestId::parse), reason: None };
        let store = store.with_caller(Caller::guarded(usr_id).vouching(email.clone())).with_cause(cause);
        Ok(Self { usr_id, email, store })
    }
}

async fn my_memberships(acting: Acting) -> Result<Json<Page<Membership>>, Failed> {
    acting.store.list_memberships(ListMemberships::new(acting.usr_id)).await.map(Json).map_err(Failed)
}

/// A refusal or a failure on its way out.
struct Failed(Error);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (code, message) = (self.0.code(), self.0.to_string());
        if code.starts_with("backend.") {
            // What a driver said is behind the message, for the log alone.
            eprintln!("{:?}", self.0);
        }
        (status(&code), Json(json!({"error": {"code": code, "message": message}}))).into_response()
    }
}

/// The column `http` of spec/errors.md.
pub(crate) fn status(code: &str) -> StatusCode {
    match code.split('.').next().unwrap_or_default() {
        "invalid_format" | "invalid_id" | "invalid_id_type" | "invalid_cursor" => StatusCode::BAD_REQUEST,
        "forbidden" => StatusCode::FORBIDDEN,
        "not_found" => StatusCode::NOT_FOUND,
        "conflict" | "precondition" => StatusCode::CONFLICT,
        "evaluation_limit_exceeded" => StatusCode::UNPROCESSABLE_ENTITY,
        _ if matches!(code, "backend.unavailable" | "backend.unknown_outcome" | "backend.retryable") => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Deserialize)]
struct NewOrg {
    name: String,
    slug: Option<String>,
}

async fn create_org(acting: Acting, Json(new): Json<NewOrg>) -> Result<(StatusCode, Json<CreatedOrg>), Failed> {
    let mut request = CreateOrg::new(acting.usr_id).name(new.name);
    request.slug = new.slug;
    let created = acting.store.create_org(request).await.map_err(Failed)?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn get_org(acting: Acting, Path(org_id): Path<String>) -> Result<Json<Organization>, Failed> {
    acting.store.get_org(id("org_id", &org_id)?).await.map(Json).map_err(Failed)
}

#[derive(Deserialize)]
struct Part {
    cursor: Option<String>,
    limit: Option<i64>,
}

async fn list_members(acting: Acting, Path(org_id): Path<String>, Query(part): Query<Part>) -> Result<Json<Page<Membership>>, Failed> {
    let page = PageRequest::after_optional(part.cursor).limit(part.limit.unwrap_or(50));
    acting.store.list_members(ListMembers::new(id("org_id", &org_id)?).page(page)).await.map(Json).map_err(Failed)
}

#[derive(Deserialize)]
struct NewInvitation {
    email: String,
    role: String,
    expires_at: Timestamp,
    #[serde(default)]
    grants: Vec<NewGrant>,
}

#[derive(Deserialize)]
struct NewGrant {
    relation: String,
    object_type: String,
    object_id: String,
}

async fn invite(
    acting: Acting,
    Path(org_id): Path<String>,
    Json(new): Json<NewInvitation>,
) -> Result<(StatusCode, Json<Invitation>), Failed> {
    let grants = new.grants.into_iter().map(|grant| PreTuple::new(grant.relation, grant.object_type, grant.object_id)).collect();
    let offer = InvitationInput::new(new.email, new.role, new.expires_at).pre_tuples(grants);
    let request = CreateInvitation::new(id("org_id", &org_id)?, acting.usr_id, offer);
    let invited = acting.store.create_invitation(request).await.map_err(Failed)?;
    Ok((StatusCode::CREATED, Json(invited)))
}

async fn my_invitations(acting: Acting) -> Result<Json<Page<Invitation>>, Failed> {
    let request = ListInvitationsFor::new(acting.email.unwrap_or_default()).status(InvitationStatus::Pending);
    acting.store.list_invitations_for(request).await.map(Json).map_err(Failed)
}

/// With the address that the sign-in has verified, never with one that the request names: whoever knows an invitation's id and the
/// address in it could accept it otherwise.
async fn accept(acting: Acting, Path(inv_id): Path<String>) -> Result<Json<AcceptedInvitation>, Failed> {
    let request = AcceptInvitation::by(id("inv_id", &inv_id)?, acting.usr_id, acting.email.unwrap_or_default());
    acting.store.accept_invitation(request).await.map(Json).map_err(Failed)
}

/// May the one who asks do this? Somebody else's rights are asked for by trusted code, with the store itself.
async fn check(acting: Acting, Path((kind, object, relation)): Path<(String, String, String)>) -> Result<Json<Checked>, Failed> {
    let request = CheckOne::new(("usr", &acting.usr_id.to_string()), &relation, (&kind, &object));
    acting.store.check(request).await.map(Json).map_err(Failed)
}

/// What became of a command whose answer was `backend.unknown_outcome`; null when nothing is known of it.
async fn outcome(acting: Acting, Path(event_id): Path<String>) -> Result<Json<Option<Event>>, Failed> {
    acting.store.outcome(id("event_id", &event_id)?).await.map(Json).map_err(Failed)
}

/// An id from a path, with the error that the library itself has for one that is none.
fn id<I: Id>(field: &'static str, text: &str) -> Result<I, Failed> {
    text.parse().map_err(|error| Failed(DomainError::InvalidId { field, error }.into()))
}
