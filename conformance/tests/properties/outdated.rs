//! Each kind of write that changes what somebody may do: the next fresh answer tells of it, and so does the passing of each kind of end.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tenantry_core::{AncestorReadPolicy, CachedResolver, OrgId, PermissionResolver, Sources, TenancyStore, UserId};

use crate::cached::Counted;
use crate::moves;
use crate::support;

/// An operation, its input with names of rows in braces, and what its result is called; `+` counts seconds from now.
type Step = (&'static str, &'static str, &'static str);

/// What makes an answer outdated.
struct Case {
    name: &'static str,
    /// What is there before the first question.
    before: &'static [Step],
    /// What is written between the questions.
    write: &'static [Step],
    /// How many seconds pass.
    wait: i64,
    /// The answers before and behind it: whether bob may `a.read` in `org`.
    answers: (bool, bool),
}

const fn gains(name: &'static str, before: &'static [Step], write: &'static [Step]) -> Case {
    Case { name, before, write, wait: 0, answers: (false, true) }
}

const fn loses(name: &'static str, before: &'static [Step], write: &'static [Step]) -> Case {
    Case { name, before, write, wait: 0, answers: (true, false) }
}

/// Loses it ten seconds later, and nothing is written.
const fn ends(name: &'static str, before: &'static [Step]) -> Case {
    Case { name, before, write: &[], wait: 10, answers: (true, false) }
}

/// `aside` is a root of its own, and `low` stands below `org`, `mid` and `top`.
const SCENE: &[Step] = &[
    ("create_user", "{}", "ada"),
    ("create_user", "{}", "bob"),
    ("sync_catalog", r#"{"custom": [{"slug": "a.read"}, {"slug": "b.read"}]}"#, ""),
    ("seed_system_roles", "{}", ""),
    ("create_org", r#"{"creator": "{ada}"}"#, "aside"),
    ("create_org", r#"{"creator": "{ada}"}"#, "top"),
    ("create_org", r#"{"creator": "{ada}", "parent_id": "{top}"}"#, "mid"),
    ("create_org", r#"{"creator": "{ada}", "parent_id": "{mid}"}"#, "org"),
    ("create_org", r#"{"creator": "{ada}", "parent_id": "{org}"}"#, "low"),
    ("create_role", r#"{"org_id": "{top}", "slug": "clerk", "permissions": ["a.read"]}"#, "clerk"),
    ("create_role", r#"{"org_id": "{top}", "slug": "scribe"}"#, "scribe"),
    ("create_role", r#"{"org_id": "{org}", "slug": "porter", "permissions": ["a.read"]}"#, "porter"),
];

const CLERK: &[Step] = &[("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "clerk"}"#, "m")];
const SCRIBE: &[Step] = &[("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "scribe"}"#, "m")];

/// The role `member`, of the system.
const MEMBER: &str = "rol_74656e616e7487728000000000000003";

macro_rules! steps {
    ($($first:ident +)? [$($step:expr),* $(,)?]) => {{
        const STEPS: &[&[Step]] = &[$($first,)? &[$($step),*]];
        STEPS
    }};
}

/// Joined here, as constants of several parts cannot be.
fn flat(parts: &'static [&'static [Step]]) -> &'static [Step] {
    parts.concat().leak()
}

fn of_memberships() -> Vec<Case> {
    let team = |more: &[Step]| -> &'static [Step] {
        let group: &[Step] = &[("create_group", r#"{"org_id": "{org}", "slug": "team"}"#, "g")];
        [SCRIBE, group, more].concat().leak()
    };
    let put: Step = ("add_group_member", r#"{"group_id": "{g}", "usr_id": "{bob}"}"#, "");
    let give: Step = ("add_group_role", r#"{"group_id": "{g}", "role_id": "{clerk}"}"#, "");
    vec![
        loses("suspend_user", CLERK, &[("suspend_user", r#"{"usr_id": "{bob}"}"#, "")]),
        gains(
            "reinstate_user",
            flat(steps!(CLERK + [("suspend_user", r#"{"usr_id": "{bob}"}"#, "")])),
            &[("reinstate_user", r#"{"usr_id": "{bob}"}"#, "")],
        ),
        loses("revoke_user", CLERK, &[("revoke_user", r#"{"usr_id": "{bob}"}"#, "")]),
        gains("add_member", &[], CLERK),
        loses("suspend_membership", CLERK, &[("suspend_membership", r#"{"mem_id": "{m}"}"#, "")]),
        gains(
            "reinstate_membership",
            flat(steps!(CLERK + [("suspend_membership", r#"{"mem_id": "{m}"}"#, "")])),
            &[("reinstate_membership", r#"{"mem_id": "{m}"}"#, "")],
        ),
        loses("admin_remove", CLERK, &[("admin_remove", r#"{"mem_id": "{m}", "admin_usr_id": "{ada}"}"#, "")]),
        loses("self_leave", CLERK, &[("self_leave", r#"{"mem_id": "{m}"}"#, "")]),
        loses("change_role", CLERK, &[("change_role", r#"{"mem_id": "{m}", "new_role": "scribe"}"#, "")]),
        Case {
            name: "update_membership",
            before: CLERK,
            write: &[("update_membership", r#"{"mem_id": "{m}", "expires_at": "{+10}"}"#, "")],
            wait: 10,
            answers: (true, false),
        },
        gains(
            "accept_invitation",
            &[(
                "create_invitation",
                r#"{"org_id": "{org}", "invited_by": "{ada}", "identifier": "bob", "role": "clerk", "expires_at": "{+60}"}"#,
                "inv",
            )],
            &[("accept_invitation", r#"{"inv_id": "{inv}", "as_usr_id": "{bob}", "accepting_identifier": "bob"}"#, "")],
        ),
        loses(
            "a membership below one that reaches here",
            &[
                ("update_role", r#"{"role_id": "{clerk}", "inherits_to_descendants": true}"#, ""),
                ("add_member", r#"{"org_id": "{top}", "usr_id": "{bob}", "role": "clerk"}"#, ""),
            ],
            SCRIBE,
        ),
        gains("add_group_member", team(&[give]), &[("add_group_member", r#"{"group_id": "{g}", "usr_id": "{bob}"}"#, "")]),
        gains("add_group_role", team(&[put]), &[("add_group_role", r#"{"group_id": "{g}", "role_id": "{clerk}"}"#, "")]),
        loses("remove_group_member", team(&[put, give]), &[("remove_group_member", r#"{"group_id": "{g}", "usr_id": "{bob}"}"#, "")]),
        loses("remove_group_role", team(&[put, give]), &[("remove_group_role", r#"{"group_id": "{g}", "role_id": "{clerk}"}"#, "")]),
        loses("delete_group", team(&[put, give]), &[("delete_group", r#"{"group_id": "{g}"}"#, "")]),
        ends(
            "the end of a membership",
            &[("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "clerk", "expires_at": "{+10}"}"#, "m")],
        ),
        ends(
            "the end of a place in a group",
            team(&[give, ("add_group_member", r#"{"group_id": "{g}", "usr_id": "{bob}", "expires_at": "{+10}"}"#, "")]),
        ),
        ends(
            "the end of a role of a group",
            team(&[put, ("add_group_role", r#"{"group_id": "{g}", "role_id": "{clerk}", "expires_at": "{+10}"}"#, "")]),
        ),
        gains(
            "add_member, in place of one that has expired",
            &[
                ("update_role", r#"{"role_id": "{clerk}", "inherits_to_descendants": true}"#, ""),
                ("add_member", r#"{"org_id": "{top}", "usr_id": "{bob}", "role": "clerk"}"#, ""),
                ("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "scribe", "expires_at": "{+0.001}"}"#, ""),
                ("create_role", r#"{"org_id": "{aside}", "slug": "clerk"}"#, ""),
            ],
            &[("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "clerk"}"#, "")],
        ),
    ]
}

fn of_roles_and_overrides() -> Vec<Case> {
    vec![
        gains("grant_role_permission", SCRIBE, &[("grant_role_permission", r#"{"role_id": "{scribe}", "permission": "a.read"}"#, "")]),
        loses("revoke_role_permission", CLERK, &[("revoke_role_permission", r#"{"role_id": "{clerk}", "permission": "a.read"}"#, "")]),
        gains(
            "grant_role_permission, of the system",
            &[("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "member"}"#, "")],
            &[("grant_role_permission", r#"{"role_id": "rol_74656e616e7487728000000000000003", "permission": "a.read"}"#, "")],
        ),
        gains(
            "update_role",
            &[("add_member", r#"{"org_id": "{top}", "usr_id": "{bob}", "role": "clerk"}"#, "")],
            &[("update_role", r#"{"role_id": "{clerk}", "inherits_to_descendants": true}"#, "")],
        ),
        gains(
            "seed_system_roles",
            &[
                ("grant_role_permission", r#"{"role_id": "rol_74656e616e7487728000000000000003", "permission": "a.read"}"#, ""),
                ("add_member", r#"{"org_id": "{top}", "usr_id": "{bob}", "role": "member"}"#, ""),
            ],
            &[("seed_system_roles", r#"{"inherits_to_descendants": ["member"]}"#, "")],
        ),
        loses("delete_role", CLERK, &[("delete_role", r#"{"role_id": "{clerk}", "replacement_role_id": "{scribe}"}"#, "")]),
        ends(
            "the end of what a role grants",
            flat(steps!(
                SCRIBE + [("grant_role_permission", r#"{"role_id": "{scribe}", "permission": "a.read", "expires_at": "{+10}"}"#, "")]
            )),
        ),
        gains(
            "set_membership_override",
            SCRIBE,
            &[("set_membership_override", r#"{"mem_id": "{m}", "permission": "a.read", "effect": "grant"}"#, "")],
        ),
        loses(
            "set_membership_override, to deny",
            CLERK,
            &[("set_membership_override", r#"{"mem_id": "{m}", "permission": "a.read", "effect": "deny"}"#, "")],
        ),
        ends(
            "the end of an override of a membership",
            flat(steps!(
                SCRIBE
                    + [(
                        "set_membership_override",
                        r#"{"mem_id": "{m}", "permission": "a.read", "effect": "grant", "expires_at": "{+10}"}"#,
                        ""
                    )]
            )),
        ),
        gains("set_org_override", SCRIBE, &[("set_org_override", r#"{"org_id": "{org}", "permission": "a.read", "effect": "grant"}"#, "")]),
        loses(
            "set_org_override, above",
            CLERK,
            &[("set_org_override", r#"{"org_id": "{top}", "permission": "a.read", "effect": "deny"}"#, "")],
        ),
        gains(
            "set_org_override, to neither",
            flat(steps!(CLERK + [("set_org_override", r#"{"org_id": "{top}", "permission": "a.read", "effect": "deny"}"#, "")])),
            &[("set_org_override", r#"{"org_id": "{top}", "permission": "a.read", "effect": "inherit"}"#, "")],
        ),
        ends(
            "the end of an override of an organization above",
            flat(steps!(
                SCRIBE
                    + [(
                        "set_org_override",
                        r#"{"org_id": "{top}", "permission": "a.read", "effect": "grant", "expires_at": "{+10}"}"#,
                        ""
                    )]
            )),
        ),
    ]
}

fn of_organizations() -> Vec<Case> {
    const GRANTED_ABOVE: &[Step] = &[
        ("set_org_override", r#"{"org_id": "{mid}", "permission": "a.read", "effect": "grant"}"#, ""),
        ("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "member"}"#, "m"),
    ];
    vec![
        loses("suspend_org", CLERK, &[("suspend_org", r#"{"org_id": "{org}"}"#, "")]),
        loses("suspend_org, above", CLERK, &[("suspend_org", r#"{"org_id": "{mid}"}"#, "")]),
        loses("suspend_org, the root", CLERK, &[("suspend_org", r#"{"org_id": "{top}"}"#, "")]),
        gains(
            "reinstate_org, above",
            flat(steps!(CLERK + [("suspend_org", r#"{"org_id": "{mid}"}"#, "")])),
            &[("reinstate_org", r#"{"org_id": "{mid}"}"#, "")],
        ),
        loses(
            "revoke_org",
            flat(steps!(CLERK + [("revoke_org", r#"{"org_id": "{low}"}"#, "")])),
            &[("revoke_org", r#"{"org_id": "{org}"}"#, "")],
        ),
        loses(
            "delete_tenant",
            flat(steps!(CLERK + [("revoke_org", r#"{"org_id": "{low}"}"#, "")])),
            &[("delete_tenant", r#"{"usr_id": "{ada}", "org_id": "{org}"}"#, "")],
        ),
        loses("update_org, that grants", GRANTED_ABOVE, &[("update_org", r#"{"org_id": "{mid}", "cascade_permissions": false}"#, "")]),
        loses("update_org, that takes over", GRANTED_ABOVE, &[("update_org", r#"{"org_id": "{org}", "inherit_permissions": false}"#, "")]),
        loses("move_org", GRANTED_ABOVE, &[("move_org", r#"{"org_id": "{org}", "new_parent_id": "{aside}"}"#, "")]),
        loses("move_org, to a root", GRANTED_ABOVE, &[("move_org", r#"{"org_id": "{org}"}"#, "")]),
        gains(
            "move_org, of one above",
            &[
                ("set_org_override", r#"{"org_id": "{aside}", "permission": "a.read", "effect": "grant"}"#, ""),
                ("add_member", r#"{"org_id": "{org}", "usr_id": "{bob}", "role": "member"}"#, "m"),
            ],
            &[("move_org", r#"{"org_id": "{mid}", "new_parent_id": "{aside}"}"#, "")],
        ),
    ]
}

/// By the policy: members below may read.
fn of_reading_upwards() -> Vec<Case> {
    const MAY: &[Step] = &[("grant_role_permission", r#"{"role_id": "rol_74656e616e7487728000000000000003", "permission": "a.read"}"#, "")];
    const BELOW: &[Step] = &[
        ("grant_role_permission", r#"{"role_id": "rol_74656e616e7487728000000000000003", "permission": "a.read"}"#, ""),
        ("add_member", r#"{"org_id": "{low}", "usr_id": "{bob}", "role": "member"}"#, "m"),
    ];
    vec![
        gains("add_member, below", MAY, &[("add_member", r#"{"org_id": "{low}", "usr_id": "{bob}", "role": "member"}"#, "")]),
        loses("suspend_membership, below", BELOW, &[("suspend_membership", r#"{"mem_id": "{m}"}"#, "")]),
        loses("self_leave, below", BELOW, &[("self_leave", r#"{"mem_id": "{m}"}"#, "")]),
        loses("suspend_org, below", BELOW, &[("suspend_org", r#"{"org_id": "{low}"}"#, "")]),
        loses("move_org, from below", BELOW, &[("move_org", r#"{"org_id": "{low}", "new_parent_id": "{aside}"}"#, "")]),
        gains(
            "move_org, to below",
            flat(steps!(BELOW + [("move_org", r#"{"org_id": "{low}", "new_parent_id": "{aside}"}"#, "")])),
            &[("move_org", r#"{"org_id": "{low}", "new_parent_id": "{org}"}"#, "")],
        ),
        gains(
            "create_org, below",
            MAY,
            &[
                ("create_org", r#"{"creator": "{ada}", "parent_id": "{org}"}"#, "new"),
                ("add_member", r#"{"org_id": "{new}", "usr_id": "{bob}", "role": "member"}"#, ""),
            ],
        ),
        loses(
            "set_membership_override, below",
            BELOW,
            &[("set_membership_override", r#"{"mem_id": "{m}", "permission": "a.read", "effect": "deny"}"#, "")],
        ),
        loses(
            "set_org_override, above who reads",
            BELOW,
            &[("set_org_override", r#"{"org_id": "{org}", "permission": "a.read", "effect": "deny"}"#, "")],
        ),
        loses("suspend_user, who reads", BELOW, &[("suspend_user", r#"{"usr_id": "{bob}"}"#, "")]),
        ends(
            "the end of a membership below",
            flat(steps!(MAY + [("add_member", r#"{"org_id": "{low}", "usr_id": "{bob}", "role": "member", "expires_at": "{+10}"}"#, "m")])),
        ),
    ]
}

/// Names in braces give way to what they stand for.
fn filled(input: &str, names: &BTreeMap<&str, String>, now: tenantry_core::Timestamp) -> Value {
    let mut text = input.to_owned();
    for (name, id) in names {
        text = text.replace(&format!("\"{{{name}}}\""), &format!("\"{id}\""));
    }
    for (name, micros) in [("+0.001", 1_000), ("+10", 10_000_000), ("+60", 60_000_000)] {
        text = text.replace(&format!("{{{name}}}"), &now.plus_micros(micros).to_string());
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The id of what a result is about.
fn id_of(result: &Value) -> String {
    let id = ["/id", "/user/id", "/org/id"].iter().find_map(|place| result.pointer(place)?.as_str());
    id.unwrap_or_else(|| panic!("{result} has no id")).to_owned()
}

async fn play(
    store: &dyn TenancyStore,
    clock: &tenantry_core::source::ManualClock,
    steps: &[Step],
    names: &mut BTreeMap<&'static str, String>,
) {
    for (operation, input, name) in steps {
        clock.advance_micros(1_000);
        let input = filled(input, names, tenantry_core::Clock::now(clock));
        let result = moves::call(store, operation, &input).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"));
        if !name.is_empty() {
            names.insert(name, id_of(&result));
        }
    }
}

async fn tell(store_name: &str, marks: bool, case: &Case, upwards: bool) {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let fresh = support::store(store_name).fresh(sources).await.expect("a fresh store");
    let policy = AncestorReadPolicy::new(["member"], ["*"]).expect("a policy");
    let store = if upwards { fresh.store.with_ancestor_read(Some(Arc::new(policy))) } else { Arc::clone(&fresh.store) };
    let mut names = BTreeMap::new();
    play(&*store, &clock, SCENE, &mut names).await;
    play(&*store, &clock, case.before, &mut names).await;
    let counted = Counted::new(&store, marks);
    let resolver: Arc<dyn PermissionResolver> = Arc::<Counted>::clone(&counted);
    let cache = CachedResolver::with_clock(resolver, Arc::<tenantry_core::source::ManualClock>::clone(&clock));
    let (bob, org): (UserId, OrgId) = (names["bob"].parse().expect("an id"), names["org"].parse().expect("an id"));
    let place = format!("{}, {store_name}, {marks}", case.name);
    for _ in 0..2 {
        assert_eq!(cache.has_permission(bob, org, "a.read").await.expect("an answer"), case.answers.0, "{place}");
    }
    assert_eq!(counted.counts().0, 1, "{place}: it was kept");
    play(&*store, &clock, case.write, &mut names).await;
    clock.advance_micros(case.wait * 1_000_000);
    let now = cache.has_permission_now(bob, org, "a.read");
    assert!(now.is_none_or(|now| now == case.answers.1), "{place}");
    assert_eq!(cache.has_permission(bob, org, "a.read").await.expect("an answer"), case.answers.1, "{place}");
    assert_eq!(store.has_permission(bob, org, "a.read").await.expect("an answer"), case.answers.1, "{place}");
    drop((cache, counted, store, fresh));
}

fn each(cases: &[Case], upwards: bool) {
    support::block_on(async {
        for store in support::stores() {
            for case in cases {
                tell(store.name(), true, case, upwards).await;
                if store.name() == "memory" {
                    tell(store.name(), false, case, upwards).await;
                }
            }
        }
    });
}

// covers: PRM-40, PRM-41, PRM-44
#[test]
fn what_is_written_of_memberships_and_groups_is_seen() {
    each(&of_memberships(), false);
}

// covers: PRM-40, PRM-41, PRM-44
#[test]
fn what_is_written_of_roles_and_overrides_is_seen() {
    each(&of_roles_and_overrides(), false);
}

// covers: PRM-40, PRM-41, PRM-44
#[test]
fn what_is_written_of_organizations_is_seen() {
    each(&of_organizations(), false);
}

// covers: PRM-40, PRM-41, PRM-44
#[test]
fn what_is_written_below_is_seen_by_who_reads_upwards() {
    assert_eq!(tenantry_core::Role::Member.id().to_string(), MEMBER);
    each(&of_reading_upwards(), true);
}

// covers: PRM-40, PRM-41
#[test]
fn what_an_import_brings_below_is_seen_by_who_reads_upwards() {
    support::block_on(async {
        for name in support::stores().iter().map(|store| store.name()) {
            let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
            let fresh = support::store(name).fresh(sources).await.expect("a fresh store");
            let policy = AncestorReadPolicy::new(["member"], ["*"]).expect("a policy");
            let store = fresh.store.with_ancestor_read(Some(Arc::new(policy)));
            let mut names = BTreeMap::new();
            play(&*store, &clock, SCENE, &mut names).await;
            let grant: Step =
                ("grant_role_permission", r#"{"role_id": "rol_74656e616e7487728000000000000003", "permission": "a.read"}"#, "");
            play(&*store, &clock, &[grant], &mut names).await;
            let resolver: Arc<dyn PermissionResolver> = Arc::<Counted>::clone(&Counted::new(&store, true));
            let cache = CachedResolver::with_clock(resolver, Arc::<tenantry_core::source::ManualClock>::clone(&clock));
            let (bob, top): (UserId, OrgId) = (names["bob"].parse().expect("an id"), names["top"].parse().expect("an id"));
            assert!(!cache.has_permission(bob, top, "a.read").await.expect("an answer"));
            // The root as it is, and one right below it that comes with its members.
            let mut root = moves::call(&*store, "get_org", &serde_json::json!({"org_id": top})).await.expect("the root");
            let fields = root.as_object_mut().expect("an object");
            fields.insert("type".to_owned(), "organization".into());
            fields.retain(|name, _| !matches!(name.as_str(), "revision" | "ancestors"));
            let (child, ada) = ("org_01960000000070008000000000000001", &names["ada"]);
            let rows = serde_json::json!({"rows": [
                root,
                {"type": "organization", "id": child, "parent_id": top},
                {"type": "membership", "id": "mem_01960000000070008000000000000001", "usr_id": ada, "org_id": child, "role": "owner"},
                {"type": "membership", "id": "mem_01960000000070008000000000000002", "usr_id": bob, "org_id": child, "role": "member"},
            ]});
            moves::call(&*store, "import", &rows).await.unwrap_or_else(|error| panic!("{name}: {error}: {rows}"));
            assert!(cache.has_permission(bob, top, "a.read").await.expect("an answer"), "{name}");
            drop((cache, store, fresh));
        }
    });
}
