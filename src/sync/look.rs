//! What `doctor` says of a live source, in plain words: whether it answers, what is read of it, what the agreement drops,
//! how well its absences find their pupils, and who must do what about it. And of all sources, whether what they brought
//! waits for too long.
//!
//! It reads no pupil, and repeats nothing that a source sent but its own words for what it can do (R54, R61).

use std::time::Duration;

use hub_connectors::absences::PupilKey;
use hub_connectors::contract::{Connector, Discovery, Stream};
use hub_connectors::fault::Fault;
use hub_connectors::live::Live;
use hub_entities::category::{Categories, Category};
use hub_entities::policy::{Action, Reach, Scope};
use hub_entities::source::{pull, turn};

use super::filter::keeps_absences;
use super::pull::{LiveSource, kind_of};
use super::quarantine::LONG;
use super::{Source, Sync, SyncError};
use crate::store::loss::waiting_since;
use crate::store::{pull as pulls, turn as turns};

/// What is well, or what is not and who must do what about it.
pub type Line = Result<String, String>;

/// What a roster or absences are called.
const fn name_of(stream: Stream) -> &'static str {
    match stream {
        Stream::Roster => "roster",
        Stream::Absences => "absences",
    }
}

impl Sync {
    /// Asks a live source what it can do, and says how it stands with it. Whatever it does, that takes no longer than
    /// `within` and the store.
    ///
    /// # Errors
    /// The store failed. What is wrong with the source is a line.
    pub async fn look(
        &self,
        source: &LiveSource,
        connector: Result<&dyn Connector, &Fault>,
        within: Duration,
    ) -> Result<Vec<Line>, SyncError> {
        let whose = Source {
            id: source.connection.id,
            school: source.connection.school_id,
        };
        let scope = self.scope(whose).await?;
        let pulled = pulls::of_source(&self.db, &scope).await?;
        let turns = turns::of_source(&self.db, &scope).await?;
        let mut told = match connector {
            Ok(connector) => answers(connector, source, within).await,
            Err(fault) => vec![Err(advice(fault))],
        };
        told.extend(streams(&source.live));
        told.extend(agreed(&scope, &source.live));
        let brought = |turn: &&turn::Model| {
            let streams = [Stream::Roster, Stream::Absences].into_iter();
            let mut brought = streams.filter(|stream| source.live.brings(*stream));
            brought.any(|stream| kind_of(stream) == turn.kind)
        };
        told.extend(turns.iter().filter(brought).filter_map(failing));
        if let (Ok(connector), true) = (connector, source.live.brings(Stream::Absences)) {
            let absences = pulled.iter().find(|one| one.kind == kind_of(Stream::Absences));
            told.push(joined(absences, &connector.spec().pupil_key));
        }
        Ok(told)
    }
}

impl Sync {
    /// Whether anything waits in quarantine for too long, whichever source brought it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn look_at_waiting(&self) -> Result<Line, SyncError> {
        let scope = self.hub_scope(Action::ReadOperations).await?;
        let old = waiting_since(&self.db, &scope, self.clock.now() - LONG).await?;
        let Some(since) = old.since else {
            return Ok(Ok("nothing waits for longer than a week".to_owned()));
        };
        Ok(Err(format!(
            "{} rows of {} sources wait for longer than a week, the oldest since {}: no roster names their pupils; the \
             gaps tell which schools must give their pupils the same numbers in all systems",
            old.rows,
            old.sources,
            since.format("%Y-%m-%d")
        )))
    }
}

/// Whether it answers, and what it says that can be read.
async fn answers(connector: &dyn Connector, source: &LiveSource, within: Duration) -> Vec<Line> {
    let asked = async {
        connector.check().await?;
        connector.discover().await
    };
    let found = match tokio::time::timeout(within, asked).await {
        Ok(Ok(found)) => found,
        Ok(Err(fault)) => return vec![Err(advice(&fault))],
        Err(_elapsed) => {
            return vec![Err(advice(&Fault::transient(
                "it is too slow to be asked what it can do",
            )))];
        }
    };
    let Discovery { schools, notes } = found;
    let mut told = vec![Ok("reachable".to_owned())];
    if !schools.is_empty() && !schools.contains(&source.school) {
        told.push(Err(
            "it names other schools and not this one; the school must fill in its institution number there".to_owned(),
        ));
    }
    told.extend(notes.into_iter().map(Ok));
    told
}

/// What is pulled of it.
fn streams(live: &Live) -> Vec<Line> {
    let names = |these: &[Stream]| these.iter().copied().map(name_of).collect::<Vec<_>>().join(" and ");
    let pulled: Vec<Stream> = [Stream::Roster, Stream::Absences]
        .into_iter()
        .filter(|stream| live.brings(*stream))
        .collect();
    let (there, not): (Vec<Stream>, Vec<Stream>) = pulled
        .into_iter()
        .partition(|stream| live.system.streams().contains(stream));
    let mut told = Vec::new();
    if !there.is_empty() {
        told.push(Ok(format!("pulled: {}", names(&there))));
    }
    if !not.is_empty() {
        told.push(Err(format!(
            "{} cannot be pulled from such a system; who runs the hub must put it right",
            names(&not)
        )));
    }
    told
}

/// What is kept of it.
fn agreed(scope: &Scope, live: &Live) -> Vec<Line> {
    let kept = match scope.reach() {
        Reach::Source { agreed, .. } => *agreed,
        _ => Categories::NONE,
    };
    if kept.is_empty() {
        return vec![Err(
            "no agreement is in force today: nothing of it is kept; the school and a CLB must make one".to_owned(),
        )];
    }
    let names = |has: bool| -> String {
        let these = Category::ALL.into_iter().filter(|category| kept.has(*category) == has);
        these.map(Category::name).collect::<Vec<_>>().join(" ")
    };
    let (agreed, dropped) = (names(true), names(false));
    let mut told = vec![Ok(if dropped.is_empty() {
        format!("kept as agreed: {agreed}")
    } else {
        format!("kept as agreed: {agreed}; dropped: {dropped}")
    })];
    if live.brings(Stream::Absences) && !keeps_absences(scope) {
        told.push(Err(
            "absences are to be pulled, and no agreement in force lists truancy: none are; the school and a CLB must \
             agree on it, or who runs the hub must leave them out"
                .to_owned(),
        ));
    }
    told
}

/// A stream that could not be pulled of late.
fn failing(turn: &turn::Model) -> Option<Line> {
    let since = turn.failing_since.filter(|_| turn.failures > 0)?;
    Some(Err(format!(
        "{}: failed {} times since {}: {}",
        turn.kind.name(),
        turn.failures,
        since.format("%Y-%m-%d %H:%M UTC"),
        turn.fault.as_deref().unwrap_or_default()
    )))
}

/// How many of those whom its absences name are in the roster of the school, whichever source brings that.
fn joined(pulled: Option<&pull::Model>, key: &PupilKey) -> Line {
    let Some(pulled) = pulled else {
        return Ok("absences: not pulled yet".to_owned());
    };
    let told = format!(
        "absences name {} pupils, of whom the roster knows {}",
        pulled.named, pulled.found
    );
    let misses = pulled.named.saturating_sub(pulled.found);
    if misses == 0 {
        return Ok(told);
    }
    let key = match key {
        PupilKey::SourcedId => "key (sourcedId)",
        PupilKey::Identifier => "internal number (identifier)",
        PupilKey::Stamnummer => "registration number (stamnummer)",
        PupilKey::UserId(other) => other,
    };
    Err(format!(
        "{told}; the half-days of {misses} wait: the school must give them the same {key} in both systems"
    ))
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
