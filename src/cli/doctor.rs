//! `clb-hub doctor`: what works, what does not, and what to do about it.

use std::process::ExitCode;

use hub_entities::law::Laws;
use hub_entities::time::Clock as _;

use super::house::{key, secret_text};
use super::serve::guarded;
use super::{Failure, open, open_apart, say, sources};
use crate::config::Config;
use crate::custody::Custody;
use crate::runtime::SystemClock;

pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    let mut wrong = 0_u32;
    let mut line = |what: &str, outcome: Result<String, String>| {
        let (sign, text) = match outcome {
            Ok(text) => ("ok   ", text),
            Err(text) => {
                wrong = wrong.saturating_add(1);
                ("WRONG", text)
            }
        };
        say(&format!("{sign}  {what}: {text}"), false);
    };

    // One that is up to date: nothing else can be looked into.
    let mut current = None;
    match open(config).await {
        Ok(db) => {
            line("database", Ok("reachable, and keeps what it acknowledges".to_owned()));
            let schema = db.is_current().await;
            line(
                "schema",
                match &schema {
                    Ok(true) => Ok("up to date".to_owned()),
                    Ok(false) => Err("not up to date: run `clb-hub migrate`".to_owned()),
                    Err(fault) => Err(fault.to_string()),
                },
            );
            current = schema.is_ok_and(|current| current).then_some(db);
        }
        Err(fault) => line("database", Err(fault.to_string())),
    }
    line(
        "secrecy store",
        match guarded_store(config).await {
            Ok(true) => Ok("apart, guarded, and without a destroyed key".to_owned()),
            Ok(false) => Ok("not configured: nothing under secrecy is kept or served".to_owned()),
            Err(fault) => Err(fault.to_string()),
        },
    );
    if let Some(waiting) = waiting_transfers(config).await.transpose() {
        line("transfers", waiting);
    }
    line(
        "laws",
        match Laws::embedded() {
            Ok(laws) if laws.unknown().is_empty() => Ok("every rule has a source and a certainty".to_owned()),
            Ok(laws) => Ok(format!(
                "{} rules without a source or certainty are off: {}",
                laws.unknown().len(),
                laws.unknown().join(", ")
            )),
            Err(fault) => Err(fault.to_string()),
        },
    );
    for (name, path) in [
        ("cursor key", &config.keys.cursor_file),
        ("blind index key", &config.keys.blind_index_file),
    ] {
        line(
            name,
            match path {
                None if name == "cursor key" => Err("not configured: `serve` will not start".to_owned()),
                None => Ok("not configured: pupils are not tied across schools by number".to_owned()),
                Some(path) => key(path)
                    .map(|_| "readable by its owner only".to_owned())
                    .map_err(|fault| fault.to_string()),
            },
        );
    }
    line(
        "issuers",
        if config.issuers.is_empty() {
            Err("none configured: nobody could sign in".to_owned())
        } else {
            let names: Vec<&str> = config.issuers.keys().map(String::as_str).collect();
            Ok(names.join(", "))
        },
    );
    for (name, issuer) in &config.issuers {
        if let Some(path) = &issuer.client_secret_file {
            let secret = secret_text(path).map(|_| "readable by its owner only".to_owned());
            line(&format!("secret at {name}"), secret.map_err(|fault| fault.to_string()));
        }
    }
    if let Some(db) = current
        && let Err(fault) = sources::look(config, db, &mut line).await
    {
        line("sources", Err(fault.to_string()));
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What was announced to go to other CLBs, where anything was; what waits although its day has come is told as wrong.
async fn waiting_transfers(config: &Config) -> Result<Option<String>, String> {
    let counted = async {
        let (db, Some(apart)) = (open(config).await?, open_apart(config).await?) else {
            return Ok(None);
        };
        let custody = Custody::open(&db, &apart, SystemClock.now()).await?;
        Ok::<_, Failure>(Some(custody.transfers().await?))
    };
    // What fails here has been told above.
    let Ok(Some([announced, receiver, several, held])) = counted.await else {
        return Ok(None);
    };
    match (announced, receiver.saturating_add(several).saturating_add(held)) {
        (0, _) => Ok(None),
        (_, 0) => Ok(Some(format!("{announced} dossiers are announced to go to other CLBs"))),
        _ => Err(format!(
            "{receiver} dossiers wait until the new CLB keeps its dossiers here, {several} until one CLB alone is competent, and \
             {held} until a legal hold is lifted"
        )),
    }
}

/// Whether there is a secrecy store; what `serve` would refuse it for is a failure.
async fn guarded_store(config: &Config) -> Result<bool, Failure> {
    let Some(apart) = open_apart(config).await? else {
        return Ok(false);
    };
    guarded(&open(config).await?, apart, config).await?;
    Ok(true)
}
