//! Which entries are there for whom: for pupil and parent a closed one is an absent, uncounted row.

use super::verdict::Reader;
use crate::dossier::entry::{About, ClosedGround, ClosedGrounds};

/// What decides whether an entry is there for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryFacts {
    /// Whom it is about.
    pub about: About,
    /// Whether it is context about this very viewer.
    pub about_the_viewer: bool,
    /// What closes it.
    pub closed: ClosedGrounds,
}

impl EntryFacts {
    /// Whether the entry is there for a reader in this capacity, once its class was granted.
    ///
    /// Domain facts §4.4: closed by ground 1 (third party confidential), 2 (only about third persons),
    /// 3 (court), 4 (agogic) it is never open to the pupil, nor to a parent. Issue 4.8: an emergency
    /// never opens what a third person asked to keep confidential.
    pub const fn is_there_for(self, reader: Reader) -> bool {
        match reader {
            Reader::Team => true,
            // Nor is it passed on to a colleague outside the team.
            Reader::Urgency | Reader::Lent => !self.closed.has(ClosedGround::ThirdPartyConfidential),
            Reader::Pupil => {
                let own = matches!(self.about, About::Pupil | About::Context);
                own && self.closed.is_empty()
            }
            // What concerns the pupil; of the context only what concerns this parent, never the other one.
            Reader::Parent => {
                let theirs = matches!(self.about, About::Pupil) || self.about_the_viewer;
                theirs && self.closed.is_empty()
            }
            Reader::ParentOfSelf => self.about_the_viewer && self.closed.is_empty(),
            Reader::Anchor
            | Reader::Planner
            | Reader::School
            | Reader::Published
            | Reader::Person
            | Reader::Officer
            | Reader::Responsible
            | Reader::Asker => false,
        }
    }
}
