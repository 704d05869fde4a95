//! The multidisciplinary dossier (multidisciplinair dossier): what a CLB keeps of a pupil under
//! professional secrecy (beroepsgeheim), and the words in which it is kept.
//!
//! One dossier per pupil and CLB, in principle indivisible; every pupil has one, if only for the
//! contact moments (domain facts §4.1). The CLB is its controller, so the tenant of everything here
//! is the CLB. Ids are UUIDv4: the time in a UUIDv7 would tell when help began (design §8).

pub mod access;
pub mod consent;
pub mod correction;
pub mod emergency;
pub mod entry;
pub mod hold;
pub mod release;
pub mod request;
pub mod trajectory;
pub mod transfer;

use crate::operation::closed_enum;

closed_enum! {
    /// Where the dossiers of a CLB are kept: a setting of the CLB, and never two masters (design §3).
    Mode {
        /// The hub is the master.
        Hub = "hub",
        /// Another system is (LARS); the hub holds the reference and what that system released.
        External = "external",
        /// The hub knows of no dossiers of this CLB. What a CLB that said nothing has.
        Off = "off",
    }
}

closed_enum! {
    /// One of the four domains of pupil guidance (begeleidingsdomein, domain facts §5.1).
    Domain {
        /// Learning and studying (leren en studeren).
        Learning = "learning",
        /// School career (onderwijsloopbaan).
        Career = "career",
        /// Preventive health care (preventieve gezondheidszorg).
        Health = "health",
        /// Psychological and social functioning (psychisch en sociaal functioneren).
        Wellbeing = "wellbeing",
    }
}

impl Domain {
    /// Whether it belongs to the psychosocial part of the dossier; the other part is the medical one
    /// (domain facts §4.1).
    pub const fn is_psychosocial(self) -> bool {
        match self {
            Self::Learning | Self::Career | Self::Wellbeing => true,
            Self::Health => false,
        }
    }
}

closed_enum! {
    /// What a worker is for at a school: it allows intake, and opens nothing that is there.
    Post {
        /// First contact of school, pupil and parents (ankerfiguur).
        Anchor = "anchor",
        /// The doctor of the school (CLB-arts).
        Doctor = "doctor",
        /// The nurse of the school (CLB-verpleegkundige).
        Nurse = "nurse",
    }
}

impl Post {
    /// Whether this post may open a first trajectory in the domain. The two parts of the dossier are
    /// kept apart (domain facts §4.1), and so is who begins in them.
    pub const fn takes_in(self, domain: Domain) -> bool {
        match self {
            Self::Anchor => domain.is_psychosocial(),
            Self::Doctor | Self::Nurse => !domain.is_psychosocial(),
        }
    }
}
