//! A word for each table that holds anything of a pupil: where an export has it, or why it has not. A test compares it with the
//! schema, and the places with documents.

/// What an export says of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It is in the document, here (a JSON pointer; `*` stands for each).
    In(&'static str),
    /// It is not, for this reason.
    Not(&'static str),
}

/// A table, and what a person's own document and a worker's say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The table, those of the secrecy store under its name.
    pub table: &'static str,
    /// In the person's own document.
    pub person: Word,
    /// In the worker's.
    pub worker: Word,
}

const fn said(table: &'static str, person: Word, worker: Word) -> Said {
    Said { table, person, worker }
}

/// The same of both.
const fn neither(table: &'static str, why: &'static str) -> Said {
    said(table, Word::Not(why), Word::Not(why))
}

const MADE_OF_IT: Word = Word::Not("it is put together of what is there");
const NOT_OURS: Word = Word::Not("a CLB has of it what was agreed, and no more");
const LOG: Word = Word::Not("the access log is not for colleagues (class audit)");
const CANNOT_BE_CLOSED: Word = Word::Not("it cannot be closed to the person row by row, and is not read by persons");

/// All of them.
pub const EXPORTED: &[Said] = &[
    // ------------------------------------------------------------------------------------ the main store
    said("pupil", Word::In("/pupilId"), Word::In("/pupilId")),
    neither(
        "principal",
        "who signs in, and not what is kept of a pupil; the person knows",
    ),
    neither(
        "pupil_merge",
        "it speaks of two pupils, of whom one may be another; the school that tied them answers",
    ),
    said(
        "record",
        Word::In("/basic/value/records"),
        Word::In("/basic/value/record"),
    ),
    said(
        "enrolment",
        Word::In("/basic/value/enrolments"),
        Word::In("/basic/value/enrolments"),
    ),
    said(
        "membership",
        Word::In("/basic/value/classes"),
        Word::In("/basic/value/classes"),
    ),
    said(
        "competence",
        Word::In("/basic/value/competence"),
        Word::Not("that the CLB is competent is why it reads"),
    ),
    said(
        "report_name",
        Word::In("/basic/value/records"),
        Word::Not("the report alone reads it (design §3), and a worker reads that with the signal"),
    ),
    neither(
        "report_place",
        "it names a class by the key of a source, to make a report; what was agreed stands in `membership`",
    ),
    said(
        "absence",
        Word::In("/basic/value/absences"),
        Word::In("/basic/value/absences"),
    ),
    said("absence_revision", Word::In("/basic/value/formerAbsences"), NOT_OURS),
    said("absence_count", MADE_OF_IT, MADE_OF_IT),
    said(
        "tally",
        Word::In("/basic/value/truancy"),
        Word::In("/basic/value/truancy"),
    ),
    said("clb_tally", MADE_OF_IT, MADE_OF_IT),
    said(
        "carried_in",
        Word::In("/basic/value/carriedIn"),
        Word::In("/basic/value/truancy"),
    ),
    neither(
        "conflict",
        "which half-days two schools disagree on follows from what each of them says",
    ),
    neither(
        "conflict_side",
        "which half-days two schools disagree on follows from what each of them says",
    ),
    said(
        "signal",
        Word::In("/basic/value/signals"),
        Word::In("/basic/value/signals"),
    ),
    said(
        "signal_track",
        Word::In("/basic/value/signals/0/steps"),
        Word::In("/basic/value/signals/0/steps"),
    ),
    neither(
        "signal_audience",
        "whom a signal is told to follows from enrolment and competence",
    ),
    neither("outbox", "it tells again what the signals say, to who follows them"),
    neither("intent", "it is on its way, sealed, and gone when it has arrived"),
    neither(
        "staged_half_days",
        "it is on its way, and gone when the read it came with is over",
    ),
    neither(
        "access_line",
        "of basic data one line speaks of many pupils, and no reader finds a pupil in it yet",
    ),
    said(
        "released",
        Word::Not("class shared: the school and the team read it, and the person hears of it at the talk"),
        Word::In("/dossier/parts/shared~1releases/value"),
    ),
    // ---------------------------------------------------------------------------------- the secrecy store
    neither("secrecy.dossier_key", "a key, and nothing of the pupil"),
    said(
        "secrecy.trajectory",
        Word::In("/dossiers/0/parts/secret.learning~1trajectories/value"),
        Word::In("/dossier/parts/secret.learning~1trajectories/value"),
    ),
    said(
        "secrecy.team_member",
        Word::Not("staff is not named to a person (CJEU C-579/21)"),
        Word::In("/dossier/parts/secret.learning~1trajectories/value/0/team"),
    ),
    said(
        "secrecy.entry",
        Word::In("/dossiers/0/parts/secret.learning~1entries/value"),
        Word::In("/dossier/parts/secret.learning~1entries/value/entries"),
    ),
    said(
        "secrecy.entry_text",
        Word::In("/dossiers/0/parts/secret.learning~1entries/value/0/text"),
        Word::In("/dossier/parts/secret.learning~1entries/value/entries/0/text"),
    ),
    said(
        "secrecy.consent",
        CANNOT_BE_CLOSED,
        Word::In("/dossier/parts/secret.learning~1consents/value/answers"),
    ),
    said(
        "secrecy.consent_said",
        CANNOT_BE_CLOSED,
        Word::In("/dossier/parts/secret.learning~1consents/value/answers/0/reply"),
    ),
    said(
        "secrecy.capability",
        CANNOT_BE_CLOSED,
        Word::In("/dossier/parts/secret.learning~1consents/value/judgements"),
    ),
    said(
        "secrecy.referral",
        CANNOT_BE_CLOSED,
        Word::In("/dossier/parts/secret.learning~1referrals/value"),
    ),
    said(
        "secrecy.referral_said",
        CANNOT_BE_CLOSED,
        Word::In("/dossier/parts/secret.learning~1referrals/value/0/partner"),
    ),
    neither(
        "secrecy.access_request",
        "what a colleague asked of a team, and why: it speaks of staff",
    ),
    neither(
        "secrecy.access_lent",
        "what a team let a colleague read; who read stands in the access log",
    ),
    said(
        "secrecy.dossier_request",
        Word::In("/requests/value/toRead"),
        Word::Not("it waits for who answers it, and is the person's own"),
    ),
    said(
        "secrecy.dossier_access",
        Word::In("/dossiers/0/parts/secret.learning~1entries/value"),
        Word::Not("what was opened stands with the requests, until it ends"),
    ),
    said(
        "secrecy.correction_request",
        Word::In("/requests/value/corrections"),
        Word::Not("it waits for who answers it, and is the person's own"),
    ),
    neither(
        "secrecy.transfer",
        "to which CLB the dossier goes is told to who may object (`ownTransfers`) and to both CLBs (`transfers`)",
    ),
    neither(
        "secrecy.emergency",
        "told to director and officer of the controller; that it was opened so stands in the access log",
    ),
    neither(
        "secrecy.log_review",
        "how far the log was reviewed is the officer's; what a parent reads of it stands in the document",
    ),
    neither(
        "secrecy.log_hold",
        "that the log is held back is told to no person: for a pupil's safety",
    ),
    neither(
        "secrecy.legal_hold",
        "told to the director, who answers for how long dossiers are kept; that one was put stands in the access log",
    ),
    neither(
        "secrecy.guidance_request",
        "what a CLB is asked is read by the anchor of the school, and is an entry once it is taken in",
    ),
    said(
        "secrecy.school_release",
        Word::Not("class shared: the school and the team read it, and the person hears of it at the talk"),
        Word::In("/dossier/parts/shared~1releases/value"),
    ),
    neither(
        "secrecy.release_intent",
        "it is on its way, sealed, and gone when it has arrived",
    ),
    said("secrecy.access_line", Word::In("/accessLog/value"), LOG),
];
