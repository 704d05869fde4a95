//! An entry of the dossier: a text of a worker, and what decides who may read it.

use crate::operation::closed_enum;

closed_enum! {
    /// Whom an entry is about (domain facts §4.4).
    About {
        /// The pupil: their own data.
        Pupil = "pupil",
        /// Parents, who raises the pupil, and who lives with the pupil at the moment of the request
        /// (contextuele gegevens).
        Context = "context",
        /// Anyone else.
        ThirdParty = "third_party",
    }
}

closed_enum! {
    /// Why an entry is never open to the pupil (domain facts §4.4); what is health data is marked apart.
    ClosedGround {
        /// A third person gave it and expressly asked to keep it confidential.
        ThirdPartyConfidential = "third_party_confidential",
        /// It is only about third persons.
        ThirdPartyOnly = "third_party_only",
        /// It was made for the court.
        Court = "court",
        /// The worker judges that telling is not in the minor's interest (agogische exceptie).
        Agogic = "agogic",
    }
}

/// The closed grounds of one entry, as bits: the position in [`ClosedGround::ALL`] never changes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, sea_orm::DeriveValueType)]
pub struct ClosedGrounds(i32);

impl ClosedGrounds {
    /// None: nothing closes the entry.
    pub const NONE: Self = Self(0);

    const fn bit(ground: ClosedGround) -> i32 {
        match ground {
            ClosedGround::ThirdPartyConfidential => 1,
            ClosedGround::ThirdPartyOnly => 1 << 1,
            ClosedGround::Court => 1 << 2,
            ClosedGround::Agogic => 1 << 3,
        }
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, ground: ClosedGround) -> Self {
        Self(self.0 | Self::bit(ground))
    }

    /// Whether this ground is among them.
    pub const fn has(self, ground: ClosedGround) -> bool {
        self.0 & Self::bit(ground) != 0
    }

    /// Whether nothing closes the entry.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = ClosedGround> {
        ClosedGround::ALL
            .iter()
            .copied()
            .filter(move |ground| self.has(*ground))
    }
}

impl FromIterator<ClosedGround> for ClosedGrounds {
    fn from_iter<I: IntoIterator<Item = ClosedGround>>(of: I) -> Self {
        of.into_iter().fold(Self::NONE, Self::with)
    }
}

impl std::fmt::Debug for ClosedGrounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(ClosedGround::name)).finish()
    }
}
