//! What goes along when a pupil comes under another CLB (overdracht), and what cannot be kept back.

use crate::operation::closed_enum;

closed_enum! {
    /// The part of a dossier whose transfer cannot be refused (domain facts §4.2).
    ObligatoryPart {
        /// Who the pupil is.
        Identification = "identification",
        /// Guidance of compulsory education (leerplichtbegeleiding).
        CompulsoryEducation = "compulsory_education",
        /// Systematic contacts, medical examinations and their follow-up.
        Contact = "contact",
        /// Vaccinations.
        Vaccination = "vaccination",
        /// A copy of a formal report (verslag, gemotiveerd verslag).
        Report = "report",
    }
}

closed_enum! {
    /// In whose keeping a dossier is.
    Custody {
        /// This CLB keeps it.
        Held = "held",
        /// The transfer was announced; the term to object runs.
        Announced = "announced",
        /// All of it went to the new CLB.
        Transferred = "transferred",
        /// The obligatory part went, with a copy of the objection; the rest stays here.
        Partly = "partly",
    }
}
