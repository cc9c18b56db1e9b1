//! What a move would change, asked in parts that hold a bounded number of rows.

use std::collections::BTreeSet;

use super::Engine;
use crate::backend::Backend;
use crate::decide::{ForeseeMove, ForeseenMove, MoveOrg};
use crate::error::{DomainError, Error};
use crate::id::{Id, OrgId, UserId};
use crate::page::{ListKey, Page};
use crate::permissions::{self, AccessChange};
use crate::query::{AccessQuery, Window};
use crate::store::PreviewMoveOrg;

/// The kind of list, as cursors number them.
const PREVIEW: u8 = 19;

/// How many organizations, and users in them, are looked at together.
const ORGS: u32 = 200;
const PAIRS: u32 = 400;

/// How many users in organizations a page is looked for in at most.
const LOOKED_AT: usize = 4_000;

/// How far it has come: first through what moves, and then, where members read upwards, through what is above it before and behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    outside: bool,
    org: OrgId,
    usr: UserId,
}

impl Mark {
    fn text(self) -> String {
        // What lies before every organization and behind every user has no id.
        let org = if self.org == OrgId::LOWEST { "-".to_owned() } else { self.org.to_string() };
        let usr = if self.usr == UserId::HIGHEST { "-".to_owned() } else { self.usr.to_string() };
        format!("{}{org}/{usr}", if self.outside { "above:" } else { "" })
    }

    fn parse(text: &str) -> Option<Self> {
        let (outside, rest) = text.strip_prefix("above:").map_or((false, text), |rest| (true, rest));
        let (org, usr) = rest.split_once('/')?;
        let org = if org == "-" { OrgId::LOWEST } else { org.parse().ok()? };
        let usr = if usr == "-" { UserId::HIGHEST } else { usr.parse().ok()? };
        let mark = Self { outside, org, usr };
        (mark.text() == text).then_some(mark)
    }

    const fn at(outside: bool, (org, usr): (OrgId, UserId)) -> Self {
        Self { outside, org, usr }
    }
}

impl<B: Backend> Engine<B> {
    pub(super) async fn preview(&self, request: PreviewMoveOrg) -> Result<Page<AccessChange>, Error> {
        let PreviewMoveOrg { org_id, new_parent_id, page } = request;
        let parent = new_parent_id.map(|parent| parent.as_uuid());
        let parent = parent.as_ref().map(|parent| parent.as_bytes().as_slice()).unwrap_or_default();
        let key = ListKey::new(PREVIEW, &[org_id.as_uuid().as_bytes(), parent]);
        let mark = key.open_text(page.cursor.as_deref())?;
        let mut mark = mark.map(|text| Mark::parse(&text).ok_or(DomainError::InvalidCursor)).transpose()?;
        let foreseen = self.run(ForeseeMove(MoveOrg { org_id, new_parent_id })).await?;
        // It is there already.
        let Some(foreseen) = foreseen else { return Ok(Page::whole(Vec::new())) };
        let (mut rows, mut looked_at) = (Vec::new(), 0);
        loop {
            let (pairs, next) = self.concerned(&foreseen, mark).await?;
            looked_at += pairs.len();
            rows.extend(self.changes_of(&foreseen, pairs).await?);
            if rows.len() > page.limit.get() {
                rows.truncate(page.limit.get());
                let last = rows.last().map(|(mark, _)| *mark);
                return Ok(part(rows, key, last));
            }
            mark = next;
            if mark.is_none() || looked_at >= LOOKED_AT {
                return Ok(part(rows, key, mark));
            }
        }
    }

    /// Whom it may concern where, behind a mark, and how far that is; no mark where it is all.
    async fn concerned(&self, foreseen: &ForeseenMove, mark: Option<Mark>) -> Result<(Vec<Mark>, Option<Mark>), Error> {
        if let Some(mark) = mark.filter(|mark| mark.outside) {
            return self.concerned_above(foreseen, mark).await;
        }
        let query = AccessQuery::PairsWithin {
            org: foreseen.org,
            also: foreseen.parent,
            below: self.below(),
            after: mark.map(|mark| (mark.org, mark.usr)),
            orgs: ORGS,
            fetch: PAIRS,
        };
        let found = self.found(query).await?;
        let full = |count: usize, most: u32| u32::try_from(count).is_ok_and(|count| count >= most);
        let next = if full(found.pairs.len(), PAIRS) {
            found.pairs.last().copied()
        } else if full(found.orgs.len(), ORGS) {
            found.orgs.last().map(|org| (*org, UserId::HIGHEST))
        } else {
            None
        };
        // Only where a policy lets members read upwards does a move concern what does not move.
        let above = || (self.below() > 0).then_some(Mark::at(true, (OrgId::LOWEST, UserId::HIGHEST)));
        let next = next.map(|pair| Mark::at(false, pair)).or_else(above);
        Ok((found.pairs.into_iter().map(|pair| Mark::at(false, pair)).collect(), next))
    }

    /// The same for the organizations above: who has a membership about them now, or would have one below them.
    async fn concerned_above(&self, foreseen: &ForeseenMove, mark: Mark) -> Result<(Vec<Mark>, Option<Mark>), Error> {
        let orgs: BTreeSet<OrgId> = foreseen.from.iter().chain(&foreseen.to).copied().collect();
        let open = |org: &&OrgId| **org > mark.org || (**org == mark.org && mark.usr < UserId::HIGHEST);
        let Some(org) = orgs.iter().find(open).copied() else { return Ok((Vec::new(), None)) };
        let after = (org == mark.org).then_some(mark.usr);
        let window = Window { after, fetch: PAIRS };
        let (mut users, mut until) = (BTreeSet::new(), UserId::HIGHEST);
        for about in [org, foreseen.org] {
            let found = self.found(AccessQuery::UsersAbout { org: about, below: self.below(), window }).await?.users;
            if found.len() >= usize::try_from(PAIRS).unwrap_or(usize::MAX) {
                until = found.last().copied().unwrap_or(until).min(until);
            }
            users.extend(found);
        }
        let pairs = users.into_iter().filter(|usr| *usr <= until).map(|usr| Mark::at(true, (org, usr))).collect();
        Ok((pairs, Some(Mark::at(true, (org, until)))))
    }

    /// What changes for these users there.
    async fn changes_of(&self, foreseen: &ForeseenMove, pairs: Vec<Mark>) -> Result<Vec<(Mark, AccessChange)>, Error> {
        let mut asks: BTreeSet<(UserId, OrgId)> = pairs.iter().map(|pair| (pair.usr, pair.org)).collect();
        for pair in &pairs {
            asks.extend(foreseen.parent.map(|parent| (pair.usr, parent)));
            if pair.outside {
                asks.insert((pair.usr, foreseen.org));
            }
        }
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.facts(asks.into_iter().collect(), None).await?;
        let after = before.clone().with_moved(foreseen.org, &foreseen.to);
        let asking = self.asking();
        let mut rows = Vec::new();
        for pair in pairs {
            // Whatever is gone in the meantime changes for nobody.
            let Ok(change) = permissions::difference(&before, &after, asking.of(pair.usr, pair.org, None)) else { continue };
            if !change.is_nothing() {
                rows.push((pair, change));
            }
        }
        let slugs = rows.iter().flat_map(|(_, change)| change.gained.iter().chain(&change.lost)).cloned().collect();
        if let Some((first, _)) = rows.first() {
            let known = self.known((first.usr, first.org), slugs).await?;
            for (_, change) in &mut rows {
                change.gained.retain(|slug| known.contains(slug));
                change.lost.retain(|slug| known.contains(slug));
            }
            rows.retain(|(_, change)| !change.is_nothing());
        }
        Ok(rows)
    }
}

fn part(rows: Vec<(Mark, AccessChange)>, key: ListKey, next: Option<Mark>) -> Page<AccessChange> {
    let data = rows.into_iter().map(|(_, change)| change).collect();
    Page { data, next_cursor: next.map(|mark| key.cursor_text(&mark.text())) }
}
