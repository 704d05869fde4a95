//! What `doctor` says of each live source, in plain words: whether it can be reached, what is read of it and what is
//! dropped, how well its absences find their pupils, and who must do what about it.

use std::sync::Arc;

use hub_connectors::absences::PupilKey;
use hub_connectors::contract::{Connector, Stream};
use hub_connectors::fault::Fault;
use hub_entities::category::{Categories, Category};

use super::house::{Running, law_settings};
use super::sync::{name_of, systems};
use super::{Failure, open};
use crate::config::Config;
use crate::sync::look::{Look, StreamLook};
use crate::sync::pull::LiveSource;

/// What is well, or what is not.
type Line = Result<String, String>;

/// Looks at every live source: lines by its name.
pub(super) async fn look(config: &Config) -> Result<Vec<(String, Line)>, Failure> {
    let running = Running::over(open(config).await?, law_settings(config), None)?;
    let sync = running.sync(None, Arc::new(|_, _| {}));
    let systems = systems(config)?;
    let mut lines = Vec::new();
    for source in sync.live_sources().await? {
        let told = match systems.connect(&source.live) {
            Ok(connector) => {
                let mut told = reached(&*connector, &source).await;
                let look = sync.look(&source).await?;
                told.push(agreed(look.kept));
                told.extend(look.streams.iter().filter_map(failing));
                told.extend(joined(&look, &connector.spec().pupil_key));
                told
            }
            Err(fault) => vec![Err(advice(&fault))],
        };
        lines.extend(told.into_iter().map(|line| (name_of(&source), line)));
    }
    Ok(lines)
}

/// Whether it answers, and what it says that can be read.
async fn reached(connector: &dyn Connector, source: &LiveSource) -> Vec<Line> {
    if let Err(fault) = connector.check().await {
        return vec![Err(advice(&fault))];
    }
    let found = match connector.discover().await {
        Ok(found) => found,
        Err(fault) => return vec![Err(advice(&fault))],
    };
    let mut told = vec![Ok("reachable".to_owned())];
    if !found.schools.is_empty() && !found.schools.contains(&source.school) {
        told.push(Err(
            "it names other schools and not this one; the school must fill in its institution number there".to_owned(),
        ));
    }
    told.extend(found.notes.into_iter().map(Ok));
    told
}

/// What is kept of it.
fn agreed(kept: Categories) -> Line {
    if kept.is_empty() {
        return Err(
            "no agreement is in force today: nothing of it is read; the school and a CLB must make one".to_owned(),
        );
    }
    let names = |has: bool| -> Vec<&str> {
        let these = Category::ALL.into_iter().filter(|category| kept.has(*category) == has);
        these.map(Category::name).collect()
    };
    let (kept, dropped) = (names(true).join(" "), names(false).join(" "));
    Ok(if dropped.is_empty() {
        format!("kept as agreed: {kept}")
    } else {
        format!("kept as agreed: {kept}; dropped: {dropped}")
    })
}

/// A stream that could not be pulled of late.
fn failing(look: &StreamLook) -> Option<Line> {
    let turn = look.turn.as_ref().filter(|turn| turn.failures > 0)?;
    let since = turn
        .failing_since
        .map(|since| since.format("%Y-%m-%d %H:%M UTC").to_string());
    Some(Err(format!(
        "{}: failed {} times since {}: {}",
        turn.kind.name(),
        turn.failures,
        since.unwrap_or_default(),
        turn.fault.as_deref().unwrap_or_default()
    )))
}

/// How many of those whom its absences name are in the roster.
fn joined(look: &Look, key: &PupilKey) -> Option<Line> {
    let absences = look.streams.iter().find(|one| one.stream == Stream::Absences)?;
    let Some(pulled) = &absences.pulled else {
        return Some(Ok("absences: not pulled yet".to_owned()));
    };
    let told = format!(
        "absences name {} pupils, of whom the roster knows {}",
        pulled.named, pulled.found
    );
    let misses = pulled.named.saturating_sub(pulled.found);
    if misses == 0 {
        return Some(Ok(told));
    }
    let key = match key {
        PupilKey::SourcedId => "key (sourcedId)",
        PupilKey::Identifier => "internal number (identifier)",
        PupilKey::Stamnummer => "registration number (stamnummer)",
        PupilKey::UserId(other) => other,
    };
    Some(Err(format!(
        "{told}; the half-days of {misses} wait: the school must give them the same {key} in both systems"
    )))
}

/// A fault, and whose it is to do something about it.
fn advice(fault: &Fault) -> String {
    let who = match fault {
        Fault::Config(_) => "who runs the hub must put it right",
        Fault::Refused(_) => "the school must grant or renew it",
        Fault::Transient { .. } => "it is tried again by itself",
        Fault::Broken { .. } => "its vendor must look at it",
    };
    format!("{fault}; {who}")
}
