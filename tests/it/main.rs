//! The proof: one binary, so that the tree is linked once.
#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests look into the database, past every scope"
)]
#![expect(
    clippy::as_conversions,
    clippy::let_underscore_must_use,
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "a test may fail loudly, and tells one story from beginning to end"
)]

mod access;
mod agreements;
mod alerts;
mod apart;
mod architecture;
mod audit;
mod cancel;
mod client_grants;
mod commands;
mod conflicts;
mod costs;
mod demo;
mod doctor;
mod door;
mod dossier;
mod early;
mod evidence;
mod five_year_olds;
mod guidance;
mod http;
mod idp;
mod imports;
mod intents;
mod joins;
mod leases;
mod levels;
mod lists;
mod live;
mod live_years;
mod merges;
mod migrations;
mod minimise;
mod moving;
mod mutations;
mod national_numbers;
mod oneroster;
mod operator;
mod oracle;
mod outbox;
mod personas;
mod privacy;
mod processes;
mod pulls;
mod push_absences;
mod push_clients;
mod push_rosters;
mod quarantine;
mod questions;
mod race;
mod reading;
mod recheck;
mod recount;
mod register;
mod report;
mod report_minimum;
mod resume;
mod revisions;
mod roster;
mod runs;
mod samples;
mod schedule;
mod schemathesis;
mod school_first;
mod serve;
mod sets;
mod signals;
mod slow;
mod sockets;
mod step_up;
mod stop;
mod support;
mod surface;
mod telemetry;
mod timeouts;
mod tracks;
mod transfers;
mod waiting_age;
mod waiting_places;
mod whole_path;
