//! A store with rows of every kind and status, made by commands.

use std::sync::Arc;

use crate::decide::*;
use crate::event::{Cause, Event};
use crate::id::*;
use crate::json::Value;
use crate::load::Load;
use crate::query::EventQuery;
use crate::source::{Clock, ManualClock, Sources};
use crate::state::{Dump, State};
use crate::time::Timestamp;
use crate::value::Slug;

pub(super) fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn external(number: u8) -> UserId {
    format!("usr_019600000000700080000000000000{number:02x}").parse().unwrap()
}

const DOC: &str = "01960000-0000-7000-8000-00000000d0c1";

#[derive(Debug)]
pub(super) struct World {
    pub(super) state: State,
    clock: Arc<ManualClock>,
    /// Suspended, suspended and reinstated, revoked; brought by the import.
    pub(super) bert: UserId,
    pub(super) carl: UserId,
    pub(super) dora: UserId,
    pub(super) imported_user: UserId,
    /// Root, child and grandchild; another tree's tenth level.
    pub(super) acme: OrgId,
    pub(super) child: OrgId,
    pub(super) leaf: OrgId,
    pub(super) bottom: OrgId,
    /// Suspended; revoked with the one below it; imported.
    pub(super) paused: OrgId,
    pub(super) gone: OrgId,
    pub(super) gone_child: OrgId,
    pub(super) imported: OrgId,
    /// In acme: the owner, a member with the rows before, one who is suspended, one who left.
    pub(super) olga_mem: MembershipId,
    pub(super) ben_mem: MembershipId,
    pub(super) ben_chain: [MembershipId; 2],
    pub(super) suspended_mem: MembershipId,
    pub(super) left_mem: MembershipId,
    pub(super) gone_mem: MembershipId,
    pub(super) imported_owner: MembershipId,
    pub(super) imported_guest: MembershipId,
    /// In acme; the last one has expired and is stored as pending.
    pub(super) pending: InvitationId,
    pub(super) accepted: InvitationId,
    pub(super) declined: InvitationId,
    pub(super) taken_back: InvitationId,
    pub(super) swept: InvitationId,
    pub(super) lapsed: InvitationId,
    /// Revoked with its organization.
    pub(super) gone_inv: InvitationId,
    pub(super) imported_inv: InvitationId,
    /// In the scope of acme, without a scope, deleted, imported.
    pub(super) scoped: TupleId,
    pub(super) open: TupleId,
    pub(super) deleted: TupleId,
    pub(super) imported_tuple: TupleId,
}

/// Runs commands on a state.
struct Desk {
    state: State,
    clock: Arc<ManualClock>,
    sources: Sources,
}

impl Desk {
    #[expect(clippy::needless_pass_by_value, reason = "as a store takes its requests")]
    fn run<C: Command>(&mut self, command: C) -> C::Output {
        self.clock.advance_micros(1_000);
        let now = self.clock.now();
        let spec = command.load().unwrap();
        let seen = self.state.load(Load { spec: &spec, actor: None, at: now });
        let (caller, cause, mut ids) = (Caller::default(), Cause::default(), IdTape::new(Arc::clone(&self.sources.ids)));
        let decision = command.decide(&seen, &mut Env { now, caller: &caller, cause: &cause, ancestor_read: None, ids: &mut ids }).unwrap();
        self.state.apply(&decision.plan).unwrap();
        decision.output
    }

    fn in_seconds(&self, seconds: i64) -> Timestamp {
        self.clock.now().plus_seconds(seconds)
    }

    fn invite(&mut self, org: OrgId, identifier: &str, end: Timestamp) -> InvitationId {
        let promise = PreTuple::new("viewer", "doc", DOC);
        let input = InvitationInput::new(identifier, "member", end).pre_tuples(vec![promise]);
        self.run(CreateInvitation::new(org, external(1), input)).id
    }
}

impl World {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn dump(&self) -> Dump {
        self.state.dump()
    }

    pub(super) fn feed(&self) -> Vec<Event> {
        self.state.read_events(&EventQuery::All { after: None, fetch: u32::MAX }).unwrap()
    }

    #[expect(clippy::too_many_lines, reason = "one row after the other")]
    pub(super) fn build() -> Self {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let mut desk = Desk { state: State::new(), clock, sources };
        let never = Timestamp::MAX;

        let [olga, bert, carl, dora] = ["Olga", "Bert", "Carl", "Dora"].map(|name| desk.run(CreateUser::new().display_name(name)).user.id);
        desk.run(SuspendUser::new(bert));
        desk.run(SuspendUser::new(carl));
        desk.run(ReinstateUser::new(carl));
        desk.run(SuspendUser::new(dora));
        desk.run(RevokeUser::new(dora));

        let created = desk.run(CreateOrg::new(olga).name("Acme").slug("acme-first"));
        let (acme, olga_mem) = (created.org.id, created.owner_membership.id);
        let metadata = Value::Map([("k".to_owned(), Value::Float(1.5))].into());
        desk.run(
            UpdateOrg::new(acme)
                .slug(Patch::Set("acme".to_owned()))
                .seat_limit(Patch::Set(100))
                .external_id(Patch::Set("crm-1".to_owned()))
                .metadata(Patch::Set(metadata)),
        );
        let child = desk.run(CreateOrg::new(olga).parent(acme)).org.id;
        let leaf = desk.run(CreateOrg::new(olga).parent(child)).org.id;
        let mut bottom = desk.run(CreateOrg::new(olga)).org.id;
        for _ in 1..10 {
            bottom = desk.run(CreateOrg::new(olga).parent(bottom)).org.id;
        }
        let paused = desk.run(CreateOrg::new(olga)).org.id;
        desk.run(SuspendOrg::new(paused));

        let ben = external(2);
        let first = desk.run(AddMember::new(acme, ben, "guest").invited_by(olga)).id;
        let second = desk.run(ChangeRole::new(first, "owner")).id;
        let ben_mem = desk.run(ChangeRole::new(second, "member")).id;
        let suspended_mem = desk.run(AddMember::new(acme, external(3), "viewer").expires_at(never)).id;
        desk.run(SuspendMembership::new(suspended_mem));
        let left_mem = desk.run(AddMember::new(acme, external(4), "viewer")).id;
        desk.run(SelfLeave::new(left_mem));
        let removed = desk.run(AddMember::new(acme, external(5), "viewer")).id;
        desk.run(AdminRemove::new(removed, olga));
        // One whose end came, and whose place was taken.
        let soon = desk.in_seconds(1);
        desk.run(AddMember::new(acme, external(6), "guest").expires_at(soon));
        desk.run(AddMember::new(acme, external(7), "guest").expires_at(soon));

        let swept = desk.invite(acme, "early@example.org", soon);
        desk.clock.advance_micros(2_000_000);
        desk.run(Sweep::new());
        desk.run(AddMember::new(acme, external(6), "guest"));
        let pending = desk.invite(acme, "anna@example.org", never);
        let accepted = desk.invite(acme, "new@example.org", never);
        desk.run(AcceptInvitation::by_new_user(accepted));
        let declined = desk.invite(acme, "dora@example.org", never);
        desk.run(DeclineInvitation::new(declined));
        let taken_back = desk.invite(acme, "eve@example.org", never);
        desk.run(RevokeInvitation::new(taken_back, olga));
        let extended = desk.invite(acme, "late@example.org", desk.in_seconds(1));
        desk.run(ExtendInvitation::new(extended, never));
        let soon = desk.in_seconds(1);
        let lapsed = desk.invite(acme, "lapsed@example.org", soon);

        let viewer = |usr: UserId| CreateTuple::new(("usr", &usr.to_string()), "viewer", ("doc", DOC));
        let deleted = desk.run(viewer(ben).scope(acme)).id;
        desk.run(DeleteTuple::new(deleted));
        let scoped = desk.run(viewer(ben).scope(acme)).id;
        let open = desk.run(viewer(ben)).id;
        desk.run(CreateTuple::new(("doc", DOC), "parent", ("org", &acme.to_string())).expires_at(soon));
        // A role on what may become an organization, until its end has come.
        let imported: OrgId = "org_0196000000007000800000000000aa01".parse().unwrap();
        desk.run(CreateTuple::new(("doc", DOC), "viewer", ("org", &imported.to_string())).expires_at(soon));

        let gone = desk.run(CreateOrg::new(olga).slug("gone")).org.id;
        let gone_mem = desk.run(AddMember::new(gone, ben, "guest")).id;
        desk.run(viewer(ben).scope(gone));
        desk.invite(gone, "lapsed@example.org", desk.in_seconds(1));
        let gone_inv = desk.invite(gone, "anna@example.org", never);
        let gone_child = desk.run(CreateOrg::new(olga).parent(gone)).org.id;
        desk.clock.advance_micros(2_000_000);
        desk.run(RevokeOrg::new(gone_child));
        desk.run(RevokeOrg::new(gone));
        // What has no scope may stand on an organization that is revoked.
        desk.run(CreateTuple::new(("doc", DOC), "parent", ("org", &gone.to_string())));

        let (imported_user, now) = (external(0x10), desk.clock.now());
        let (imported_owner, imported_guest) = ("mem_0196000000007000800000000000aa01", "mem_0196000000007000800000000000aa02");
        let (imported_owner, imported_guest) = (imported_owner.parse().unwrap(), imported_guest.parse().unwrap());
        let (imported_inv, imported_tuple) = ("inv_0196000000007000800000000000aa01", "tup_0196000000007000800000000000aa01");
        let (imported_inv, imported_tuple): (InvitationId, TupleId) = (imported_inv.parse().unwrap(), imported_tuple.parse().unwrap());
        let old = Timestamp::MIN;
        let invitation = ImportInvitation {
            id: imported_inv,
            org_id: imported,
            identifier: "anna@example.org".to_owned(),
            role: "member".to_owned(),
            role_id: None,
            status: crate::entity::InvitationStatus::Declined,
            pre_tuples: Vec::new(),
            invited_by: olga,
            invited_user_id: None,
            created_at: Some(now),
            expires_at: old,
            terminal_at: Some(old),
            terminal_by: None,
        };
        let tuple = ImportTuple {
            id: imported_tuple,
            subject_type: "usr".to_owned(),
            subject_id: imported_user.to_string(),
            relation: "viewer".to_owned(),
            object_type: "doc".to_owned(),
            object_id: DOC.to_owned(),
            org_id: Some(imported),
            created_at: Some(old),
            created_by: None,
            expires_at: None,
        };
        // Times may be as they were elsewhere, and who removed somebody may be said of whom nobody removed.
        let user = ImportUser { created_at: Some(now), updated_at: Some(old), ..ImportUser::new(imported_user) };
        let org = ImportOrg { slug: Some("imported".to_owned()), created_at: Some(now), updated_at: Some(old), ..ImportOrg::new(imported) };
        let owner = ImportMember::new(imported_owner, olga, imported, "owner");
        let guest = ImportMember {
            status: crate::entity::MembershipStatus::Suspended,
            removed_by: Some(olga),
            ..ImportMember::new(imported_guest, imported_user, imported, "guest")
        };
        let rows = [
            ImportRow::User(user),
            ImportRow::Org(org),
            ImportRow::Member(owner),
            ImportRow::Member(guest),
            ImportRow::Invitation(invitation),
            ImportRow::Tuple(tuple),
        ];
        desk.run(Import::new((1..).zip(rows).collect()));
        desk.run(SuspendUser::new(imported_user));

        let Desk { state, clock, .. } = desk;
        Self {
            state,
            clock,
            bert,
            carl,
            dora,
            imported_user,
            acme,
            child,
            leaf,
            bottom,
            paused,
            gone,
            gone_child,
            imported,
            olga_mem,
            ben_mem,
            ben_chain: [first, second],
            suspended_mem,
            left_mem,
            gone_mem,
            imported_owner,
            imported_guest,
            pending,
            accepted,
            declined,
            taken_back,
            swept,
            lapsed,
            gone_inv,
            imported_inv,
            scoped,
            open,
            deleted,
            imported_tuple,
        }
    }
}
