//! `clb-hub keys`: the key files that the configuration names, and the rotation of the key of the secrecy store.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_entities::id::{ClbId, PupilId};
use hub_entities::time::Clock as _;

use super::{Failure, open, open_apart, say};
use crate::config::Config;
use crate::custody::Custody;
use crate::keys::file_vault::FileVault;
use crate::keys::heads::Heads;
use crate::runtime::{SystemClock, SystemIds, key_file, random};

/// Make the key files that are not there yet.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    step: Option<Step>,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Make a new version of the key-encryption key and wrap every data key of the secrecy store with it, while the hub
    /// serves. Cut off, it goes on where it stopped.
    Rotate,
    /// Erase the dossier of a pupil at a CLB by destroying its key: on the list beside the keys first, so that no backup
    /// brings it back, then in the secrecy store. It cannot be undone, and is refused while a legal hold stands.
    Shred {
        /// The CLB.
        #[arg(long, value_name = "clb_…")]
        clb: ClbId,
        /// The pupil.
        #[arg(long, value_name = "pup_…")]
        pupil: PupilId,
    },
}

impl Keys {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        match self.step {
            None => make(config),
            Some(Step::Rotate) => rotate(config).await,
            Some(Step::Shred { clb, pupil }) => shred(config, clb, pupil).await,
        }
    }
}

/// Makes the key files that are not there yet. One that is there is never touched: losing the key of the blind index
/// loses the links across schools, losing a key-encryption key loses the dossiers.
fn make(config: &Config) -> Result<ExitCode, Failure> {
    let named = [
        ("cursor_file", &config.keys.cursor_file),
        ("blind_index_file", &config.keys.blind_index_file),
    ];
    for (key, path) in named {
        let Some(path) = path else {
            say(&format!("[keys] {key} names no file"), false);
            continue;
        };
        let was = path.exists();
        key_file(path, || Ok(random::<32>()?.to_vec()))?;
        let done = if was { "is there" } else { "made" };
        say(&format!("[keys] {key} {done}: {}", path.display()), false);
    }
    if let Some(folder) = &config.secrecy.key_folder {
        FileVault::make_first(folder)?;
        say(
            &format!("[secrecy] key_folder holds a key: {}", folder.display()),
            false,
        );
    }
    if let Some((keys, heads)) = config.secrecy.folders() {
        Heads::make(keys, heads)?;
        say(&format!("[secrecy] head_folder is there: {}", heads.display()), false);
    }
    Ok(ExitCode::SUCCESS)
}

async fn shred(config: &Config, clb: ClbId, pupil: PupilId) -> Result<ExitCode, Failure> {
    let (Some(apart), Some(folder)) = (open_apart(config).await?, &config.secrecy.key_folder) else {
        return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
    };
    let custody = Custody::open(&open(config).await?, &apart, SystemClock.now()).await?;
    let done = custody.shred(folder, clb, pupil, &SystemIds::new()?).await?;
    let text = if done {
        "the dossier is erased; take care that no copy of key_folder lacks its list"
    } else {
        "there is no such dossier"
    };
    say(text, false);
    Ok(ExitCode::SUCCESS)
}

async fn rotate(config: &Config) -> Result<ExitCode, Failure> {
    let (Some(apart), Some(folder)) = (open_apart(config).await?, &config.secrecy.key_folder) else {
        return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
    };
    let db = open(config).await?;
    let custody = Custody::open(&db, &apart, SystemClock.now()).await?;
    let done = custody.rotate(folder).await?;
    let went_on = if done.resumed {
        "a rotation that was cut off went on: "
    } else {
        ""
    };
    say(
        &format!(
            "{went_on}{} data keys wrapped anew by version {}; no key depends on an older version any more",
            done.keys, done.version
        ),
        false,
    );
    Ok(ExitCode::SUCCESS)
}
