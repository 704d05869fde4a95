//! What exists, and what is always true of it.

pub mod absence;
pub mod access_line;
pub mod agreement;
pub mod category;
pub mod client_grant;
pub mod competence;
pub mod delivery;
pub mod dossier;
pub mod enrolment;
pub mod evaluation;
pub mod id;
pub mod intent;
pub mod law;
pub mod ledger;
pub mod migration;
pub mod number;
pub mod operation;
pub mod party;
pub mod policy;
pub mod posting;
pub mod principal;
pub mod pupil;
pub mod report;
pub mod signal;
pub mod source;
pub mod time;
