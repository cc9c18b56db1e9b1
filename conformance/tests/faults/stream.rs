//! Writes without an end, each with a request id of its own that its events carry: so it can be told afterwards which of them are
//! there, and whether they are there as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_conformance::testing::invariants;
use tenantry_core::wire::{self, CallError};
use tenantry_core::{BackendKind, Dump, Error, Event, EventId, Inspect, ListAllChanges, OrgId, TenancyStore, Timestamp, doctor};

/// What a writer says of a write, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// It is about to be made; these events it will cause.
    Tried { request: String, events: Vec<String> },
    /// It was acknowledged, with these rows.
    Done { request: String, rows: Vec<String> },
    /// It failed, with this code, and the event to ask for where that is open.
    Failed { request: String, code: String, event: Option<String> },
}

impl Note {
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Tried { request, events } => json!({"request": request, "events": events}),
            Self::Done { request, rows } => json!({"request": request, "rows": rows}),
            Self::Failed { request, code, event } => json!({"request": request, "code": code, "event": event}),
        }
        .to_string()
    }

    pub(crate) fn from_line(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let request = line["request"].as_str().unwrap().to_owned();
        let texts = |field: &Value| field.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
        if let Some(code) = line["code"].as_str() {
            return Self::Failed { request, code: code.to_owned(), event: line["event"].as_str().map(str::to_owned) };
        }
        match line.get("rows") {
            Some(rows) => Self::Done { request, rows: texts(rows) },
            None => Self::Tried { request, events: texts(&line["events"]) },
        }
    }
}

/// Where a writer says it.
pub(crate) type Log = Arc<dyn Fn(Note) + Send + Sync>;

/// One of several writers over a store.
pub(crate) struct Writer {
    store: Arc<dyn TenancyStore>,
    log: Log,
    /// Where all writers write.
    shared: OrgId,
    /// What nobody else has: which run, and which writer in it.
    name: String,
    number: u64,
    tried: AtomicU32,
    acknowledged: AtomicU32,
}

/// How long a writer rests whose write has failed.
const PAUSE: Duration = Duration::from_millis(5);

/// A write that failed in a way that a fault explains.
#[derive(Debug)]
pub(crate) struct Failed;

impl Writer {
    pub(crate) fn new(store: Arc<dyn TenancyStore>, log: Log, shared: OrgId, run: u32, writer: u32) -> Self {
        let number = (u64::from(run) << 32) | (u64::from(writer) << 24);
        Self { store, log, shared, name: format!("{run}-{writer}"), number, tried: AtomicU32::new(0), acknowledged: AtomicU32::new(0) }
    }

    /// How many of its writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> u32 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Writes one round after the other for as long as it may. A round that fails is left behind.
    pub(crate) async fn write(&self, may_go_on: impl Fn() -> bool) {
        for round in 0.. {
            if !may_go_on() {
                break;
            }
            // Whatever was cut off had things of its own: the next round needs none of them.
            if self.round(round).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn call(&self, operation: &str, mut input: Value, events: &[&str]) -> Result<Value, Failed> {
        let number = self.tried.fetch_add(1, Ordering::SeqCst);
        let request = format!("{}-{number}", self.name);
        input["request_id"] = json!(request);
        let what = format!("{operation} {input}");
        let input = serde_json::from_value(input).expect("JSON is a value");
        let events = events.iter().map(|&event| event.to_owned()).collect();
        (self.log)(Note::Tried { request: request.clone(), events });
        match wire::call(&*self.store, operation, &input).await {
            Ok(reply) => {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                let reply = serde_json::to_value(reply).unwrap();
                let mut rows = Vec::new();
                named(&reply, &mut rows);
                (self.log)(Note::Done { request, rows });
                Ok(reply)
            }
            Err(CallError::Store(Error::Backend(error))) => {
                let event = match error.kind() {
                    BackendKind::UnknownOutcome { event_id } => Some(event_id.to_string()),
                    BackendKind::Unavailable | BackendKind::Retryable => None,
                    other => panic!("{what}: {other:?}"),
                };
                (self.log)(Note::Failed { request, code: error.code().to_owned(), event });
                Err(Failed)
            }
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    async fn round(&self, round: u64) -> Result<(), Failed> {
        const ADDED: &str = "membership.added";
        let id = |prefix: &str, number: u64| format!("{prefix}_01960000000070008{:015x}", (self.number | round << 8 | number) << 4);
        let (doc, never) = ("01960000-0000-7000-8000-00000000d0c1", Timestamp::MAX.to_string());

        let user = self.call("create_user", json!({"display_name": "Ada"}), &["user.created"]).await?["user"]["id"].clone();
        let slug = format!("w{}-{round}", self.name);
        let created = ["organization.created", ADDED];
        let org = self.call("create_org", json!({"creator": user, "slug": slug, "name": "Acme"}), &created).await?;
        let (org, owner) = (org["org"]["id"].clone(), org["owner_membership"]["id"].clone());
        let created = ["organization.created", ADDED, "organization.child_added"];
        let child = self.call("create_org", json!({"creator": user, "parent_id": org}), &created).await?["org"]["id"].clone();

        let mem = json!({"org_id": org, "usr_id": id("usr", 1), "role": "admin", "invited_by": user});
        let mem = self.call("add_member", mem, &[ADDED]).await?["id"].clone();
        let role = json!({"mem_id": mem, "new_role": "member"});
        let mem = self.call("change_role", role, &["membership.role_changed"]).await?["id"].clone();
        self.call("suspend_membership", json!({ "mem_id": mem }), &["membership.suspended"]).await?;
        self.call("reinstate_membership", json!({ "mem_id": mem }), &["membership.reinstated"]).await?;
        self.call("update_membership", json!({"mem_id": mem, "metadata": {"desk": round}}), &["membership.updated"]).await?;

        let promise = json!([{"relation": "viewer", "object_type": "doc", "object_id": doc}]);
        let invite = |who: &str| json!({"identifier": who, "role": "member", "expires_at": never, "pre_tuples": promise});
        let mut one = invite("anna@example.org");
        (one["org_id"], one["invited_by"]) = (org.clone(), user.clone());
        let inv = self.call("create_invitation", one, &["invitation.created"]).await?["id"].clone();
        let accept = json!({"inv_id": inv, "as_usr_id": id("usr", 2), "accepting_identifier": "anna@example.org"});
        self.call("accept_invitation", accept, &["invitation.accepted", ADDED, "tuple.created"]).await?;
        let several = json!({"org_id": org, "invited_by": user, "invitations": [invite("b"), invite("c"), invite("d")]});
        let several = self.call("create_invitations", several, &["invitation.created"; 3]).await?;
        let inv = |place: usize| several["data"][place]["invitation"]["id"].clone();
        self.call("decline_invitation", json!({"inv_id": inv(0)}), &["invitation.declined"]).await?;
        self.call("revoke_invitation", json!({"inv_id": inv(1), "admin_usr_id": user}), &["invitation.revoked"]).await?;
        let later = json!({"inv_id": inv(2), "expires_at": "2999-01-01T00:00:00Z"});
        self.call("extend_invitation", later, &["invitation.extended"]).await?;

        // Where all others are too.
        let mem_there = json!({"org_id": self.shared, "usr_id": id("usr", 3), "role": "member"});
        let mem_there = self.call("add_member", mem_there, &[ADDED]).await?["id"].clone();
        let tuple = json!({"subject_type": "usr", "subject_id": id("usr", 3), "relation": "editor", "object_type": "doc",
            "object_id": doc, "org_id": self.shared});
        self.call("create_tuple", tuple, &["tuple.created"]).await?;
        let role = json!({"mem_id": mem_there, "new_role": "admin"});
        let mem_there = self.call("change_role", role, &["membership.role_changed"]).await?["id"].clone();
        self.call("self_leave", json!({ "mem_id": mem_there }), &["membership.left"]).await?;

        let tuple = json!({"subject_type": "usr", "subject_id": id("usr", 2), "relation": "editor", "object_type": "doc",
            "object_id": doc, "org_id": org});
        let tuple = self.call("create_tuple", tuple, &["tuple.created"]).await?["id"].clone();
        self.call("delete_tuple", json!({ "tup_id": tuple }), &["tuple.deleted"]).await?;
        let transfer = json!({"org_id": org, "from_mem_id": owner, "to_mem_id": mem});
        self.call("transfer_ownership", transfer, &["membership.role_changed"; 2]).await?;
        self.call("update_org", json!({"org_id": org, "name": "Other", "slug": null}), &["organization.updated"]).await?;
        self.call("suspend_org", json!({ "org_id": org }), &["organization.suspended"]).await?;
        self.call("reinstate_org", json!({ "org_id": org }), &["organization.reinstated"]).await?;
        self.call("revoke_org", json!({ "org_id": child }), &["organization.revoked"]).await?;

        let rows = json!([
            {"type": "user", "id": id("usr", 4), "display_name": "Ida"},
            {"type": "organization", "id": id("org", 1), "name": "Imported"},
            {"type": "membership", "id": id("mem", 1), "usr_id": id("usr", 4), "org_id": id("org", 1), "role": "owner"},
            {"type": "tuple", "id": id("tup", 1), "subject_type": "usr", "subject_id": id("usr", 4), "relation": "viewer",
                "object_type": "doc", "object_id": doc, "org_id": id("org", 1)},
        ]);
        self.call("import", json!({ "rows": rows }), &["import.applied"; 2]).await?;
        self.call("suspend_user", json!({ "usr_id": user }), &["user.suspended"]).await?;
        self.call("reinstate_user", json!({ "usr_id": user }), &["user.reinstated"]).await?;
        self.call("revoke_user", json!({ "usr_id": user }), &["user.revoked"]).await?;
        Ok(())
    }
}

/// The ids of the rows in a reply that never go.
fn named(reply: &Value, ids: &mut Vec<String>) {
    match reply {
        Value::Object(fields) => {
            if let Some(id) = fields.get("id").and_then(Value::as_str).filter(|id| !id.starts_with("tup_")) {
                ids.push(id.to_owned());
            }
            fields.values().for_each(|value| named(value, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, ids)),
        _ => {}
    }
}

/// What became of a write, as far as its writer knows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// Nobody knows.
    Open,
    Done {
        rows: Vec<String>,
    },
    /// The store says that nothing was written.
    Absent,
    /// The store does not know, and names the event to ask for.
    Unknown(EventId),
}

/// Every write that was tried.
#[derive(Debug, Default)]
pub(crate) struct Book(BTreeMap<String, (Vec<String>, Fate)>);

/// What was found.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Found {
    /// Acknowledged writes that are there.
    pub(crate) acknowledged: usize,
    /// Writes whose fate was open, and that are there, or not.
    pub(crate) open: [usize; 2],
    /// Writes that were said not to have taken place.
    pub(crate) absent: usize,
    /// Writes whose outcome the store did not know, and that are there, or not.
    pub(crate) unknown: [usize; 2],
}

impl std::ops::AddAssign for Found {
    fn add_assign(&mut self, more: Self) {
        self.acknowledged += more.acknowledged;
        self.absent += more.absent;
        for place in 0..2 {
            self.open[place] += more.open[place];
            self.unknown[place] += more.unknown[place];
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { acknowledged, open, absent, unknown } = self;
        write!(
            f,
            "{acknowledged} acknowledged writes are there; of those cut off, {} are there and {} are not; {absent} were told absent and are; \
             of those with an unknown outcome, {} are there and {} are not, as it is told afterwards",
            open[0], open[1], unknown[0], unknown[1]
        )
    }
}

impl Book {
    fn note(&mut self, note: Note) {
        match note {
            Note::Tried { request, mut events } => {
                events.sort();
                let before = self.0.insert(request, (events, Fate::Open));
                assert_eq!(before, None, "a request comes twice");
            }
            Note::Done { request, rows } => self.0.get_mut(&request).unwrap().1 = Fate::Done { rows },
            Note::Failed { request, code: _, event } => {
                let fate = event.map_or(Fate::Absent, |event| Fate::Unknown(event.parse().unwrap()));
                self.0.get_mut(&request).unwrap().1 = fate;
            }
        }
    }

    pub(crate) fn note_all(&mut self, notes: Vec<Note>) {
        for note in notes {
            self.note(note);
        }
    }

    /// Looks for every write in a store where nobody writes any more. Each is there as a whole or not at all, as its writer was told;
    /// and everything else that must hold, holds.
    pub(crate) async fn check<S: TenancyStore + Inspect>(&self, store: &S, now: Timestamp) -> Found {
        let rows = store.dump().await.unwrap();
        let broken = invariants::broken_rows(&rows, now);
        assert!(broken.is_empty(), "{broken:#?}");
        let feed = feed(store).await;
        let findings = [doctor::examine(&rows, now), doctor::examine_feed(&rows, &feed)].concat();
        assert!(findings.is_empty(), "{findings:#?}");

        let mut written: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for event in &feed {
            if let Some(request) = &event.request_id {
                written.entry(request.as_str()).or_default().push(event.kind.as_str());
            }
        }
        let there = ids(&rows);
        let mut found = Found::default();
        for (request, (events, fate)) in &self.0 {
            let is_there = match written.remove(request.as_str()) {
                Some(mut caused) => {
                    caused.sort_unstable();
                    assert_eq!(caused, *events, "{request} is there in part");
                    true
                }
                None => false,
            };
            let place = usize::from(!is_there);
            match fate {
                Fate::Open => found.open[place] += 1,
                Fate::Done { rows } => {
                    assert!(is_there, "{request} was acknowledged, and is lost");
                    let lost: Vec<_> = rows.iter().filter(|id| !there.contains(id.as_str())).collect();
                    assert!(lost.is_empty(), "{request} was acknowledged with rows that are lost: {lost:?}");
                    found.acknowledged += 1;
                }
                Fate::Absent => {
                    assert!(!is_there, "{request} was said not to be written, and is there");
                    found.absent += 1;
                }
                Fate::Unknown(event) => {
                    let outcome = store.outcome(*event).await.unwrap();
                    assert_eq!(outcome.is_some(), is_there, "{event} tells wrongly of {request}");
                    found.unknown[place] += 1;
                }
            }
        }
        assert!(written.is_empty(), "nobody tried {written:?}");
        found
    }
}

/// Every event, page by page.
async fn feed(store: &dyn TenancyStore) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let mut request = ListAllChanges::new().limit(200);
        request.after = events.last().map(|event| event.id);
        let page = store.changes_all(request).await.unwrap();
        events.extend(page.data);
        if page.next_cursor.is_none() {
            return events;
        }
    }
}

fn ids(rows: &Dump) -> std::collections::BTreeSet<String> {
    let users = rows.users.iter().map(|user| user.id.to_string());
    let orgs = rows.organizations.iter().map(|org| org.id.to_string());
    let mems = rows.memberships.iter().map(|mem| mem.id.to_string());
    users.chain(orgs).chain(mems).chain(rows.invitations.iter().map(|inv| inv.id.to_string())).collect()
}
