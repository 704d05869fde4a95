//! The verbs of the binary: each reads its arguments, opens what it needs and calls one thing.

mod audit;
mod demo;
mod doctor;
mod house;
mod import;
mod keys;
mod period;
mod policy;
mod pulling;
mod recheck;
mod register;
mod retention;
mod schema;
mod serve;
mod sources;
mod stopping;
mod sync;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::store::{Db, DbError, Options, SecretDb};
use crate::telemetry::{Export, Format, Level, TelemetryError, install, upkeep};

/// GraphQL hub between Flemish school systems and the pupil guidance centres (CLB).
#[derive(Debug, Parser)]
#[command(name = "clb-hub", version)]
struct Arguments {
    /// The configuration file; environment variables `CLB_HUB__SECTION__KEY` go over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a synthetic region with systems of its own, pull it, serve it, and let it live.
    Demo(demo::Demo),
    /// Serve GraphQL over HTTP.
    Serve,
    /// Bring the schema of the database up to date.
    Migrate,
    /// Register CLBs, schools, sources, principals and first agreements from a file.
    Register(register::Register),
    /// Make the key files that the configuration names and that are not there yet; rotate the key of the secrecy store.
    Keys(keys::Keys),
    /// Import files of one school: a OneRoster package, half-day absences, carried-in numbers.
    Import(import::Import),
    /// Pull the live sources now, or say what a pull would bring.
    Sync(sync::Sync),
    /// Count all pupils of a school year again from their half-days, and put right what differs.
    Recheck(recheck::Recheck),
    /// Print the schema of a realm, or the annotated example of the configuration.
    Schema(schema::Schema),
    /// Print the policy of secrecy as a table, explain one of its decisions, or decide again what was decided.
    Policy(policy::Policy),
    /// Say whether the access log of the secrecy store is whole, or bring it out.
    Audit(audit::Audit),
    /// Say which dossiers are due by their term and why the others stay; erase those that are due.
    Retention(retention::Retention),
    /// Transfer dossiers to the CLBs of their pupils' new schools, as far as it is due today.
    Transfer(transfer::Transfer),
    /// Say what works, what does not and what to do about it.
    Doctor,
    /// Print a token of the demo's issuer for a persona.
    Token(demo::Token),
}

/// Why a verb ended without having done its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] DbError),
    /// A run did not come to its end.
    #[error(transparent)]
    Sync(#[from] crate::sync::SyncError),
    /// Logging could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A key outside the database.
    #[error(transparent)]
    Keys(#[from] crate::keys::VaultError),
    /// Nothing was registered.
    #[error(transparent)]
    Register(#[from] crate::register::RegisterError),
    /// The laws that the product brings cannot be read.
    #[error(transparent)]
    Law(#[from] hub_entities::law::LawError),
    /// A file of the demo could not be written.
    #[error(transparent)]
    Files(#[from] crate::demo::files::FilesError),
    /// The hub of the demo did not answer to the demo itself.
    #[error(transparent)]
    Ask(#[from] crate::demo::software::AskError),
    /// A file or a socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The system gives no randomness.
    #[error(transparent)]
    NoRandomness(#[from] crate::runtime::NoRandomness),
    /// A file or argument that is not what it must be.
    #[error("{0}")]
    Refused(String),
}

/// Runs the verb on the command line.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match work(arguments) {
        Ok(code) => code,
        Err(failure) => {
            say(&format!("clb-hub: {failure}"), true);
            ExitCode::FAILURE
        }
    }
}

fn work(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = Config::load(arguments.config.as_deref())?;
    let (level, format) = match &arguments.verb {
        // The demo and the tools speak to a person; what they log is what went wrong.
        Verb::Serve => (config.telemetry.level, config.telemetry.format),
        _ => (Level::Warn, Format::Text),
    };
    // Before the runtime exists: the exporter's thread must not find one.
    let export = config.telemetry.otlp_endpoint.as_deref().map(|endpoint| Export {
        endpoint,
        level: config.telemetry.level,
    });
    let telemetry = install(level, format, export)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let metrics = telemetry.metrics.clone();
    let noted = metrics.clone();
    runtime.spawn(upkeep(tokio::time::sleep, move || noted.run_upkeep()));
    let outcome = runtime.block_on(async {
        match arguments.verb {
            // Large enough to be on the heap.
            Verb::Demo(demo) => Box::pin(demo.run(metrics)).await,
            Verb::Serve => serve::run(&config, metrics).await,
            Verb::Migrate => migrate(&config).await,
            Verb::Register(register) => register.run(&config).await,
            Verb::Keys(keys) => keys.run(&config).await,
            Verb::Import(import) => Box::pin(import.run(&config)).await,
            Verb::Sync(sync) => sync.run(&config).await,
            Verb::Recheck(recheck) => recheck.run(&config).await,
            Verb::Schema(schema) => schema.run(),
            Verb::Policy(policy) => policy.run(&config).await,
            Verb::Audit(audit) => audit.run(&config).await,
            Verb::Transfer(transfer) => transfer.run(&config).await,
            Verb::Retention(retention) => retention.run(&config).await,
            Verb::Doctor => doctor::run(&config).await,
            Verb::Token(token) => token.run(),
        }
    });
    drop(runtime);
    telemetry.flush();
    outcome
}

/// Brings both schemas up to date, as the role that owns them where there is one, and lets the roles in that serve.
async fn migrate(config: &Config) -> Result<ExitCode, Failure> {
    let serving = config.database.address()?;
    let owner = config.database.owner_address()?;
    let db = Db::open(&Options::new(owner.as_ref().unwrap_or(&serving))).await?;
    db.migrate().await?;
    if owner.is_some() {
        db.let_in(&Options::new(serving)).await?;
    }
    say("the schema is up to date", false);
    if let Some(serving) = config.secrecy.address()? {
        let owner = config.secrecy.owner_address()?;
        let apart = SecretDb::open(&SecretDb::options(owner.as_ref().unwrap_or(&serving))).await?;
        apart.migrate().await?;
        if owner.is_some() {
            apart.let_in(&SecretDb::options(serving)).await?;
        }
        say("the schema of the secrecy store is up to date", false);
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the configured database.
async fn open(config: &Config) -> Result<Db, Failure> {
    open_for(config, false).await
}

/// The database, for a server or for a verb that ends.
async fn open_for(config: &Config, serving: bool) -> Result<Db, Failure> {
    let options = Options {
        connections: u32::from(config.database.connections),
        plans_once: serving,
        ..Options::new(config.database.address()?)
    };
    Ok(Db::open(&options).await?)
}

/// Opens the configured secrecy store, if there is one.
async fn open_apart(config: &Config) -> Result<Option<SecretDb>, Failure> {
    open_apart_for(config, false).await
}

/// The secrecy store, for a server or for a verb that ends.
async fn open_apart_for(config: &Config, serving: bool) -> Result<Option<SecretDb>, Failure> {
    let Some(url) = config.secrecy.address()? else {
        return Ok(None);
    };
    let options = Options {
        connections: u32::from(config.secrecy.connections),
        plans_once: serving,
        ..SecretDb::options(url)
    };
    Ok(Some(SecretDb::open(&options).await?))
}

/// Speaks to the person at the terminal.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one place that speaks to a person"
)]
fn say(text: &str, wrong: bool) {
    if wrong {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}
