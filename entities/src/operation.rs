//! Who asks, on whose behalf, why and when: built once per request or job, passed everywhere.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::id::{ClbId, PrincipalId, PupilId, SchoolId, SourceId};
use crate::time::brussels_day;

macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, sea_orm::DeriveValueType,
        )]
        #[sea_orm(value_type = "String")]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in storage, configuration and headers.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.name()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::operation::NotInList;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|one| one.name() == text).ok_or($crate::operation::NotInList)
            }
        }
    };
}

pub(crate) use closed_enum;

/// A text that is not one of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the closed list")]
pub struct NotInList;

closed_enum! {
    /// The schema a token opens (design §3): a school cannot even name a secret.
    Realm {
        /// Schools and their software.
        School = "school",
        /// CLB front-ends.
        Clb = "clb",
        /// Pupils, parents, data protection officers.
        Person = "person",
        /// Operators: sources, runs, deliveries, health; no pupil content.
        Operations = "operations",
    }
}

closed_enum! {
    /// The one acting role of a principal. Roles are never added up.
    Role {
        /// A vendor's software, by a grant the school issues and can revoke.
        SchoolClient = "school_client",
        /// School care team (zorgteam).
        SchoolCareTeam = "school_care_team",
        /// Who keeps the school's data in order (databeheerder).
        SchoolDataManager = "school_data_manager",
        /// A CLB worker with a discipline.
        ClbWorker = "clb_worker",
        /// Director of a CLB.
        ClbDirector = "clb_director",
        /// CLB administration: plans, sees no content of dossiers.
        ClbAdministration = "clb_administration",
        /// CLBch@t: no pupil at all, not even basic data.
        ClbChatWorker = "clb_chat_worker",
        /// A pupil.
        Pupil = "pupil",
        /// A parent with verified authority.
        Parent = "parent",
        /// Data protection officer of one controller.
        DataProtectionOfficer = "dpo",
        /// Runs the hub; sees no pupil content.
        Operator = "operator",
    }
}

impl Role {
    /// The realm in which this role acts.
    pub const fn realm(self) -> Realm {
        match self {
            Self::SchoolClient | Self::SchoolCareTeam | Self::SchoolDataManager => Realm::School,
            Self::ClbWorker | Self::ClbDirector | Self::ClbAdministration | Self::ClbChatWorker => Realm::Clb,
            Self::Pupil | Self::Parent | Self::DataProtectionOfficer => Realm::Person,
            Self::Operator => Realm::Operations,
        }
    }
}

closed_enum! {
    /// The discipline of a CLB worker.
    Discipline {
        /// Psychologist.
        Psychologist = "psychologist",
        /// Pedagogue.
        Pedagogue = "pedagogue",
        /// Social worker (maatschappelijk werker).
        SocialWorker = "social_worker",
        /// Doctor (CLB-arts).
        Doctor = "doctor",
        /// Nurse (verpleegkundige).
        Nurse = "nurse",
        /// Paramedic.
        Paramedic = "paramedic",
        /// Intercultural mediator.
        Mediator = "mediator",
    }
}

closed_enum! {
    /// Why it is asked: the header `CLB-Purpose`.
    Purpose {
        /// Guidance of a pupil (begeleiding).
        Guidance = "guidance",
        /// Follow-up of compulsory education (leerplicht).
        CompulsoryEducation = "compulsory_education",
        /// Systematic contact (systematisch contactmoment).
        SystematicContact = "systematic_contact",
        /// Prophylaxis of contagious disease.
        Prophylaxis = "prophylaxis",
        /// Planning and administration.
        Administration = "administration",
        /// A right of the person in the data.
        RightsOfThePerson = "rights_of_the_person",
        /// Keeping the hub running.
        Operations = "operations",
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person or client that signed in: a row of ours, in its one role.
    Principal {
        /// The row.
        id: PrincipalId,
        /// The one acting role.
        role: Role,
        /// The school it acts for, in realm `school`.
        school: Option<SchoolId>,
        /// The CLB it acts for, in realm `clb`.
        clb: Option<ClbId>,
        /// The pupil it acts for, in realm `person`.
        pupil: Option<PupilId>,
    },
    /// A sync of one source, limited to the school that source speaks for.
    Source {
        /// The connection.
        id: SourceId,
        /// Its school.
        school: SchoolId,
    },
    /// The hub's own work: sequencing, re-evaluation, retention.
    Hub,
}

impl Actor {
    /// The realm in which it acts, if it is a principal.
    pub const fn realm(&self) -> Option<Realm> {
        match self {
            Self::Principal { role, .. } => Some(role.realm()),
            Self::Source { .. } | Self::Hub => None,
        }
    }
}

/// One request or job: who, why, when, and the ids that tie its traces together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who acts.
    pub actor: Actor,
    /// Why, where one was given.
    pub purpose: Option<Purpose>,
    /// When it began. Every decision inside uses this instant.
    pub now: DateTime<Utc>,
    /// Ties log lines, spans and access lines of one request together.
    pub request: Uuid,
}

impl Operation {
    /// The date in Europe/Brussels: relations are compared with it.
    pub fn today(&self) -> NaiveDate {
        brussels_day(self.now)
    }

    /// The realm of the actor, if it is a principal.
    pub const fn realm(&self) -> Option<Realm> {
        self.actor.realm()
    }
}
