//! Roles, grants and groups at random: what is written, loaded and resolved over them is what core's state says.

use tenantry_core::source::Sources;
use tenantry_core::{
    AccessQuery, AddMember, Change, CreateOrg, CreateRole, CreateUser, Effect, Engine, FactsQuery, Group, GroupMember, GroupRole, Guard,
    Holder, ImportIds, Load, LoadSpec, Name, OrgId, Permission, PermissionAsk, PermissionDefinition, PermissionGrant, PermissionSlug, Plan,
    RoleDefinition, RoleSlug, SetOrgOverride, Slug, State, SuspendOrg, SyncCatalog, Timestamp, UserId, Wants, Window,
};

use crate::access;
use crate::agreement::{Dice, FEW, MANY, change, orgs, written};
use crate::direct::{BlockingStore, Direct};
use crate::list;
use crate::load::load;
use crate::samples::{id, moment};
use crate::session::Session;
use crate::statements::PREFIX;

const SLUGS: [&str; 3] = ["a.read", "a.write", "b.sendNow"];

fn permission(dice: &mut Dice) -> PermissionSlug {
    PermissionSlug::parse(dice.pick(&SLUGS)).unwrap()
}

fn name(dice: &mut Dice) -> Name {
    Name::parse(dice.pick(&["One", "Two"])).unwrap()
}

fn holder(dice: &mut Dice) -> Holder {
    match dice.below(3) {
        0 => Holder::Role(id(dice.one(FEW))),
        1 => Holder::Organization(id(dice.one(FEW))),
        _ => Holder::Membership(id(dice.one(MANY))),
    }
}

fn wants(dice: &mut Dice) -> Wants {
    Wants {
        org: dice.some(|dice| id(dice.one(FEW + 1))),
        role: dice.some(|dice| id(dice.one(FEW + 1))),
        other_role: dice.some(|dice| id(dice.one(FEW))),
        new_role: dice.some(|dice| RoleSlug::parse(dice.slug_of_role()).unwrap()),
        group: dice.some(|dice| id(dice.one(FEW + 1))),
        new_group: None,
        membership: dice.some(|dice| id(dice.one(MANY))),
        user: dice.some(|dice| id(dice.one(FEW))),
        permissions: (0..dice.below(3)).map(|_| permission(dice)).collect(),
    }
}

fn ids_of_import(dice: &mut Dice) -> ImportIds {
    let slugs = |dice: &mut Dice| (0..dice.below(3)).map(|_| RoleSlug::parse(dice.slug_of_role()).unwrap()).collect();
    let group = |dice: &mut Dice| id(dice.one(FEW + 1));
    ImportIds {
        orgs: (0..dice.below(4)).map(|_| id(dice.one(FEW + 2))).collect(),
        permissions: (0..dice.below(3)).map(|_| permission(dice)).collect(),
        roles: (0..dice.below(3)).map(|_| id(dice.one(FEW + 1))).collect(),
        role_slugs: slugs(dice),
        system_slugs: slugs(dice),
        grants: (0..dice.below(6)).map(|_| (holder(dice), permission(dice))).collect(),
        groups: (0..dice.below(3)).map(|_| group(dice)).collect(),
        group_members: (0..dice.below(6)).map(|_| (group(dice), id(dice.one(FEW)))).collect(),
        ..ImportIds::default()
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each change, and each is short")]
fn access_change(dice: &mut Dice, state: &State, at: Timestamp) -> Change {
    let (org, usr, role, group) = (id(dice.one(FEW)), id(dice.one(FEW)), dice.one(FEW), dice.one(FEW));
    let seen = |wants: Wants| state.load(Load { spec: &LoadSpec::Access(Box::new(wants)), actor: None, at });
    let (created_at, end) = (dice.at(), dice.some(Dice::at));
    match dice.below(17) {
        0 => {
            let row =
                Permission { slug: permission(dice), name: dice.some(name), description: None, category: None, created_at, updated_at: at };
            Change::PutPermissions(vec![row])
        }
        1 | 2 => Change::InsertRole({
            let org_id = dice.some(|_| org);
            RoleDefinition {
                id: id(role),
                org_id,
                slug: RoleSlug::parse(if role.is_multiple_of(2) { "chief" } else { "clerk" }).unwrap(),
                name: name(dice),
                description: None,
                is_system: org_id.is_none(),
                inherits_to_descendants: dice.below(2) == 0,
                permissions: Vec::new(),
                created_at,
                updated_at: created_at,
            }
        }),
        3 => Change::UpdateRole { id: id(role), name: name(dice), description: None, inherits_to_descendants: dice.below(2) == 0 },
        4 if dice.below(3) == 0 => {
            let access = seen(Wants { role: Some(id(role)), ..Wants::default() }).access;
            Change::DeleteRole { id: id(role), grants: access.role_grants, lapsed: access.lapsed }
        }
        5 if dice.below(2) == 0 => {
            let usage = seen(Wants { role: Some(id(role)), ..Wants::default() }).access.usage;
            // A role is never put in its own place.
            let to = std::iter::repeat_with(|| dice.role()).find(|to| to.id() != id(role)).unwrap();
            Change::ReplaceRole { from: id(role), to, usage }
        }
        6..=8 => Change::PutGrants(vec![PermissionGrant {
            holder: holder(dice),
            permission: permission(dice),
            effect: dice.pick(&[Effect::Grant, Effect::Deny]),
            granted_by: dice.some(|_| usr),
            created_at,
            expires_at: end,
        }]),
        9 => Change::DropGrants { holder: holder(dice), permissions: vec![permission(dice)] },
        10 => {
            let from = id(dice.one(MANY));
            let spec = LoadSpec::Member { mem: from, peer: None, role: None };
            Change::CopyGrants { from, to: id(MANY + dice.one(1000)), count: state.load(Load { spec: &spec, actor: None, at }).overrides }
        }
        11 => {
            let slug = Slug::parse(dice.pick(&["x", "y"])).unwrap();
            Change::InsertGroup(Group { id: id(group), org_id: org, slug, name: name(dice), created_at, updated_at: created_at })
        }
        12 => {
            let (members, roles) = seen(Wants { group: Some(id(group)), ..Wants::default() }).access.group_size;
            if dice.below(3) == 0 {
                Change::DeleteGroup { id: id(group), members, roles }
            } else {
                Change::UpdateGroup { id: id(group), name: name(dice) }
            }
        }
        13 => match seen(Wants { group: Some(id(group)), ..Wants::default() }).access.group.clone() {
            Some(group) => {
                let by = dice.some(|_| usr);
                Change::PutGroupMember(GroupMember {
                    group_id: group.id,
                    org_id: group.org_id,
                    usr_id: usr,
                    granted_by: by,
                    created_at,
                    expires_at: end,
                })
            }
            None => Change::DropGroupMember { org_id: org, group_id: id(group), usr_id: usr },
        },
        14 => match seen(Wants { group: Some(id(group)), ..Wants::default() }).access.group.clone() {
            Some(group) => {
                let row = GroupRole {
                    group_id: group.id,
                    org_id: group.org_id,
                    role: dice.role(),
                    granted_by: None,
                    created_at,
                    expires_at: end,
                };
                Change::PutGroupRole(row)
            }
            None => Change::DropGroupRole { group_id: id(group), role_id: id(role) },
        },
        15 => {
            let spec = LoadSpec::Join { org, usr, role: None };
            let count = state.load(Load { spec: &spec, actor: None, at }).member_groups;
            Change::DropGroupMembersOfUser { org_id: org, usr_id: usr, count }
        }
        _ => {
            let (from, to): (OrgId, Option<OrgId>) = (org, dice.some(|dice| id(dice.one(FEW))));
            let spec = LoadSpec::Move { org: from, parent: to };
            let seen = state.load(Load { spec: &spec, actor: None, at });
            let (row, moving) = (seen.org.unwrap(), seen.moving.unwrap());
            let parent = moving.parent.filter(|parent| parent.id != from && !parent.ancestors.contains(&from));
            let ancestors: Vec<OrgId> = parent.iter().flat_map(|row| row.ancestors.iter().copied().chain([row.id])).collect();
            let to = parent.map(|parent| parent.id);
            Change::MoveOrg { id: from, from: row.parent_id, to, depth: row.depth(), ancestors, count: moving.size }
        }
    }
}

fn guard(dice: &mut Dice, state: &State) -> Guard {
    let revision = state.load(Load { spec: &LoadSpec::Catalog { slugs: Vec::new() }, actor: None, at: Timestamp::MIN }).system_revision;
    match dice.below(2) {
        0 => Guard::Tree { root: id(dice.one(FEW)), revision: dice.below(2).into(), advance: dice.below(2) == 0 },
        _ => Guard::System { revision: revision + u64::from(dice.below(2)), advance: dice.below(2) == 0 },
    }
}

fn reads(db: &Session, state: &State, dice: &mut Dice, at: Timestamp) {
    let (usr, org): (UserId, OrgId) = (id(dice.one(FEW)), id(dice.one(FEW + 1)));
    let (after, fetch) = (dice.some(|dice| dice.below(FEW)), dice.below(4));
    let slug = dice.some(permission);
    let queries = [
        AccessQuery::Permissions { after: slug.clone(), fetch },
        AccessQuery::Role(id(dice.one(FEW + 1))),
        AccessQuery::Roles { org: dice.some(|_| org), window: Window { after: after.map(id), fetch } },
        AccessQuery::Group(id(dice.one(FEW + 1))),
        AccessQuery::Groups { org, window: Window { after: after.map(id), fetch } },
        AccessQuery::GroupMembers { group: id(dice.one(FEW + 1)), window: Window { after: after.map(id), fetch } },
        AccessQuery::GroupRoles { group: id(dice.one(FEW + 1)), window: Window { after: after.map(id), fetch } },
        AccessQuery::Grants { holder: holder(dice), after: slug, fetch },
        AccessQuery::UsersAbout { org, below: dice.below(3), window: Window { after: after.map(id), fetch } },
        AccessQuery::PairsWithin {
            org,
            also: dice.some(|dice| id(dice.one(FEW + 1))),
            below: dice.below(3),
            after: dice.some(|dice| (id(dice.one(FEW)), id(dice.one(FEW)))),
            orgs: dice.below(4),
            fetch: dice.below(8),
        },
        AccessQuery::OrgsAbout { usr, above: dice.below(3), window: Window { after: after.map(id), fetch } },
    ];
    for query in queries {
        assert_eq!(access::read(db, &query, at).unwrap(), state.read_access(&query, at), "{query:?}");
    }
    let all = SLUGS.map(|slug| PermissionSlug::parse(slug).unwrap());
    let unknown = PermissionSlug::parse("c.read").unwrap();
    for permissions in [None, Some(vec![permission(dice)]), Some(all.to_vec()), Some(vec![unknown, permission(dice)]), Some(Vec::new())] {
        let asks = (0..dice.one(3)).map(|_| (id(dice.one(FEW)), id(dice.one(FEW + 1)))).collect();
        let roles = (0..dice.below(3)).map(|_| id(dice.one(FEW + 1))).collect();
        let groups = (0..dice.below(3)).map(|_| id(dice.one(FEW + 1))).collect();
        let grantors = permissions.is_some() && dice.below(2) == 0;
        let query = FactsQuery { asks, grantors, permissions, below: dice.below(3), roles, groups, ..FactsQuery::default() };
        assert_eq!(access::facts(db, &query).unwrap(), state.facts(&query), "{query:?}");
        // With levels below more may be read than is asked for.
        let query = FactsQuery { only_revisions: true, below: 0, ..query };
        assert_eq!(access::facts(db, &query).unwrap(), state.facts(&query), "{query:?}");
    }
}

/// One permission, several at once and all of them, each by statements of its own, say what the statement for everything says. Answers how
/// many of so many were held.
fn answers(db: Session, dice: &mut Dice) -> (u32, u32) {
    // Most of it in use, and one permission that no one overrides and more roles grant: what is overridden anywhere is asked in another way.
    let (shut, plain) = (id::<OrgId>(dice.one(FEW)), dice.pick(&SLUGS));
    let hex = shut.as_uuid().simple();
    let tidied = format!(
        "UPDATE tenantry_organization SET status = CASE id WHEN x'{hex}' THEN 'suspended' ELSE 'active' END; \
        UPDATE tenantry_user_account SET status = 'active' WHERE status = 'suspended'; \
        UPDATE tenantry_membership SET status = 'active' WHERE status = 'suspended'; \
        DELETE FROM tenantry_permission_grant WHERE permission = '{plain}' AND holder_type <> 'rol'; \
        INSERT OR IGNORE INTO tenantry_permission_grant (holder_type, holder_id, permission, effect, created_at) \
        SELECT 'rol', role_id, '{plain}', 'grant', 0 FROM tenantry_membership WHERE status = 'active'"
    );
    db.connection().execute_batch(&tidied).unwrap();
    let (sources, clock) = Sources::deterministic(moment(0), 1);
    let store = BlockingStore::new(Engine::new(Direct::new(db, Vec::new()), sources));
    let (mut held, mut asked) = (0, 0);
    for _ in 0..FEW {
        for _ in 0..40 {
            // Few organizations, so that one is asked about for several users and permissions.
            let (one, other) = (dice.one(FEW + 1), dice.one(FEW));
            let mut ask = || PermissionAsk::new(id(dice.one(FEW)), id(dice.pick(&[one, other])), dice.pick(&SLUGS));
            let asks: Vec<PermissionAsk> = std::iter::repeat_with(&mut ask).take(6).collect();
            let rows = store.has_permissions(&asks).unwrap();
            for (PermissionAsk { usr_id, org_id, permission, .. }, row) in asks.into_iter().zip(rows) {
                let wanted = store.has_all_permissions(usr_id, org_id, &[&permission]).ok();
                let resolved = store.resolve_permissions(usr_id, org_id).ok().map(|found| found.allows(&permission));
                assert_eq!(row.0.ok(), wanted, "{usr_id} {org_id} {permission}");
                assert_eq!(store.has_permission(usr_id, org_id, &permission).ok(), wanted, "{usr_id} {org_id} {permission}");
                assert_eq!(resolved, wanted, "{usr_id} {org_id} {permission}");
                (held, asked) = (held + u32::from(wanted == Some(true)), asked + 1);
            }
        }
        clock.advance_micros(moment(1).as_micros() - moment(0).as_micros());
    }
    (held, asked)
}

#[test]
fn access_over_random_rows_is_as_the_state_says() {
    let (mut taken, mut refused, mut held, mut yes, mut asked) = (0, 0, 0, 0, 0);
    for seed in 1..=6 {
        let mut dice = Dice(seed * 0x51_7cc1_b727);
        let (db, mut state) = (Session::scratch(PREFIX), State::new());
        let catalog = SLUGS.map(|slug| Permission {
            slug: PermissionSlug::parse(slug).unwrap(),
            name: None,
            description: None,
            category: None,
            created_at: Timestamp::MIN,
            updated_at: Timestamp::MIN,
        });
        let catalog = Plan { changes: vec![Change::PutPermissions(catalog.to_vec())], ..Plan::default() };
        for first in [orgs(&mut dice), catalog] {
            written(&db, &first).unwrap();
            state.apply(&first).unwrap();
        }
        for step in 0..500 {
            let at = dice.at();
            let plan = match dice.below(8) {
                0 => Plan { at: Some(at), guards: vec![guard(&mut dice, &state)], ..Plan::default() },
                1 | 2 => Plan { at: Some(at), changes: vec![change(&mut dice, &state, at)], ..Plan::default() },
                _ => Plan { at: Some(at), changes: vec![access_change(&mut dice, &state, at)], ..Plan::default() },
            };
            let done = written(&db, &plan);
            assert_eq!(done, state.apply(&plan), "{plan:?}");
            *(if done.is_ok() { &mut taken } else { &mut refused }) += 1;
            if step % 4 > 0 {
                continue;
            }
            let (found, wanted) = (list::dump(&db).unwrap(), state.dump());
            assert_eq!(found.grants, wanted.grants, "{plan:?}");
            assert_eq!((&found.group_members, &found.group_roles), (&wanted.group_members, &wanted.group_roles), "{plan:?}");
            assert_eq!((&found.roles, &found.groups), (&wanted.roles, &wanted.groups), "{plan:?}");
            assert_eq!(found, wanted, "{plan:?}");
            let slugs = SLUGS.map(|slug| PermissionSlug::parse(slug).unwrap()).to_vec();
            let specs = [
                LoadSpec::Ids(Box::new(ids_of_import(&mut dice))),
                LoadSpec::Access(Box::new(wants(&mut dice))),
                LoadSpec::Access(Box::new(wants(&mut dice))),
                LoadSpec::Catalog { slugs },
                LoadSpec::SystemRoles { slugs: vec![RoleSlug::parse("chief").unwrap()], with_grants: false },
                LoadSpec::SystemRoles {
                    slugs: ["chief", "owner", "admin"].iter().filter_map(|slug| RoleSlug::parse(slug)).collect(),
                    with_grants: true,
                },
                LoadSpec::Move { org: id(dice.one(FEW + 1)), parent: dice.some(|dice| id(dice.one(FEW + 1))) },
            ];
            for spec in specs {
                let asked = Load { spec: &spec, actor: dice.some(|dice| id(dice.one(FEW))), at };
                assert_eq!(load(&db, asked).unwrap(), state.load(asked), "{asked:?}");
            }
            let at = dice.at();
            reads(&db, &state, &mut dice, at);
            held += state.dump().grants.len();
        }
        let (seen, all) = answers(db, &mut dice);
        (yes, asked) = (yes + seen, asked + all);
    }
    assert!(yes > 100 && asked > 2 * yes, "{yes} {asked}");
    assert!(taken > 900 && refused > 500 && held > 1000, "{taken} {refused} {held}");
}

#[test]
fn an_organization_is_asked_about_in_two_ways_at_once() {
    for (overridden, plain) in [("a.read", "b.read"), ("b.read", "a.read")] {
        let (sources, _) = Sources::deterministic(moment(0), 1);
        let store = BlockingStore::new(Engine::new(Direct::new(Session::scratch(PREFIX), Vec::new()), sources));
        let definitions = [overridden, plain].map(PermissionDefinition::new).to_vec();
        store.sync_catalog(SyncCatalog::new(definitions)).unwrap();
        let [ada, bob] = [(); 2].map(|()| store.create_user(CreateUser::new()).unwrap().user.id);
        let root = store.create_org(CreateOrg::new(ada)).unwrap().org.id;
        let leaf = store.create_org(CreateOrg::new(ada).parent(root)).unwrap().org.id;
        let role = store.create_role(CreateRole::new(root, "clerk").permissions([plain])).unwrap();
        store.add_member(AddMember::new(leaf, bob, role.slug.as_str())).unwrap();
        store.set_org_override(SetOrgOverride::grant(root, overridden)).unwrap();
        // The one rests on the organization above, the other does not.
        let asks = [overridden, plain].map(|permission| PermissionAsk::new(bob, leaf, permission));
        assert_eq!(store.has_permissions(&asks).unwrap().into_iter().map(|row| row.0).collect::<Vec<_>>(), [Ok(true), Ok(true)]);
        store.suspend_org(SuspendOrg::new(root)).unwrap();
        assert_eq!(store.has_permissions(&asks).unwrap().into_iter().map(|row| row.0).collect::<Vec<_>>(), [Ok(false), Ok(false)]);
    }
}
