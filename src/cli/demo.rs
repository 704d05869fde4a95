//! `clb-hub demo`: a synthetic region that comes alive before one's eyes.
//!
//! Files are written as schools would send them and come in through the same path as everything
//! else. Afterwards a feed of new absences and corrections goes on, so signals come and go.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hub_entities::category::{Categories, Category};
use hub_entities::client_grant::Tasks;
use hub_entities::law::Laws;
use hub_entities::operation::{Discipline, Operation, Role};
use hub_entities::source::connection;
use hub_entities::time::{SchoolYear, brussels_day};
use hub_graphql::hub::{Clients as _, NewGrant, Operations as _};
use hub_graphql::page::Page;
use hub_graphql::problem::Problem;
use indicatif::{MultiProgress, ProgressBar};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::house::Running;
use super::import::bar_style;
use super::{Failure, say};
use crate::auth::Verifier;
use crate::auth::demo_issuer::DemoIssuer;
use crate::demo::feed::Feed;
use crate::demo::files::{self, Manifest, SchoolFiles};
use crate::demo::parties::{SOURCE, absence_format, parties};
use crate::demo::population::Population;
use crate::demo::schools::Shape;
use crate::http::limits::Limits;
use crate::http::serve::{Patience, serve, stop_signal};
use crate::http::streams::{self, Streams};
use crate::http::{Bounds, router};
use crate::register::{Principal, Register, Who};
use crate::runtime::{key_file, new_signing_key, random};
use crate::store::{Db, Options};
use crate::sync::files::{AbsenceFile, settings_of};
use crate::sync::{Source, Sync};

/// The population is always the same one; only the day goes on.
const SEED: u64 = 20_260_901;

/// How often the feed tells something new.
const EVERY: Duration = Duration::from_secs(3);

const AUDIENCE: &str = "urn:clb-hub:api";

/// Make a synthetic region, import it, serve it with an issuer of its own, and let it live.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where its files, its database and its keys are.
    #[arg(long, default_value = "data/demo", value_name = "FOLDER")]
    folder: PathBuf,
    /// Import, print a summary as JSON, and exit.
    #[arg(long)]
    once: bool,
    /// Where it listens; loopback only, for its issuer gives tokens to anyone on this machine.
    #[arg(long, default_value_t = 4000)]
    port: u16,
    /// Answer GraphQL queries over GET as well, as the audit of the HTTP door wants to see.
    #[arg(long, hide = true)]
    get_queries: bool,
}

/// Print a token of the demo's issuer for a persona.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// school-client, care-team, data-manager, clb-worker, clb-director, other-clb-worker, chat-worker or operator.
    persona: String,
    /// Where the demo is.
    #[arg(long, default_value = "data/demo", value_name = "FOLDER")]
    folder: PathBuf,
}

/// Who signs in to the demo: name, role, and which of its schools or CLBs it acts for.
const PERSONAS: [(&str, Role, ActsFor); 8] = [
    ("school-client", Role::SchoolClient, ActsFor::School(0)),
    ("care-team", Role::SchoolCareTeam, ActsFor::School(0)),
    ("data-manager", Role::SchoolDataManager, ActsFor::School(0)),
    ("clb-worker", Role::ClbWorker, ActsFor::Clb(0)),
    ("clb-director", Role::ClbDirector, ActsFor::Clb(0)),
    ("other-clb-worker", Role::ClbWorker, ActsFor::Clb(1)),
    ("chat-worker", Role::ClbChatWorker, ActsFor::Clb(0)),
    ("operator", Role::Operator, ActsFor::Nobody),
];

#[derive(Debug, Clone, Copy)]
enum ActsFor {
    School(usize),
    Clb(usize),
    Nobody,
}

/// The issuer is a name, not an address: its keys never leave this process over the network.
const ISSUER: &str = "http://127.0.0.1/clb-hub-demo";

fn issuer(folder: &Path) -> Result<DemoIssuer, Failure> {
    let key = key_file(&folder.join("issuer.key"), new_signing_key)?;
    DemoIssuer::new(ISSUER, AUDIENCE, key.expose_secret())
        .map_err(|_bad| Failure::Refused("the demo's issuer key is not one; remove its folder".to_owned()))
}

fn key(path: &Path) -> Result<[u8; 32], Failure> {
    let key = key_file(path, || Ok(random::<32>()?.to_vec()))?;
    let bytes: Vec<u8> = key.expose_secret().to_vec();
    bytes
        .try_into()
        .map_err(|_length| Failure::Refused(format!("{}: a key has 32 bytes", path.display())))
}

impl Token {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        use hub_entities::id::Ids as _;
        use hub_entities::time::Clock as _;
        if !PERSONAS.iter().any(|(name, _, _)| *name == self.persona) {
            let names: Vec<&str> = PERSONAS.iter().map(|(name, _, _)| *name).collect();
            return Err(Failure::Refused(format!(
                "no such persona; there are {}",
                names.join(", ")
            )));
        }
        if !self.folder.join("issuer.key").exists() {
            return Err(Failure::Refused(
                "there is no demo here; run `clb-hub demo` first".to_owned(),
            ));
        }
        let now = crate::runtime::SystemClock.now();
        let id = crate::runtime::SystemIds::new()?.next(now);
        let token = issuer(&self.folder)?.mint(&self.persona, now, id);
        say(
            &token.map_err(|_unsigned| Failure::Refused("the token could not be signed".to_owned()))?,
            false,
        );
        Ok(ExitCode::SUCCESS)
    }
}

impl Demo {
    pub(super) async fn run(self, metrics: PrometheusHandle) -> Result<ExitCode, Failure> {
        let stop = stop_signal()?;
        std::fs::create_dir_all(&self.folder)?;
        let url = format!("sqlite://{}", self.folder.join("hub.sqlite").display());
        let db = Db::open(&Options::new(url)).await?;
        db.migrate().await?;
        let blind_index = key(&self.folder.join("blind-index.key"))?;
        let running = Running::over(
            db,
            hub_entities::law::compulsory::Settings::default(),
            Some(blind_index),
        )?;
        let today = brussels_day(running.clock.now());
        let calendar = Laws::embedded()?.calendar(SchoolYear::of(today));
        let population = Population::new(Shape::demo(), SEED, today, &calendar);
        let manifest = files::write(&population, &self.folder.join("files"))?;

        let bars = MultiProgress::new();
        let bar = bars.add(ProgressBar::new(0).with_style(bar_style()));
        let shown = bar.clone();
        let progress = Arc::new(move |done, total| {
            shown.set_length(total);
            shown.set_position(done);
        });
        let sync = running.sync(Some(blind_index), progress);
        let schools = register(&running, &manifest).await?;
        let mut summary = Summary::new(&manifest);
        for (school, connection) in manifest.schools.iter().zip(&schools) {
            bar.set_prefix(school.name.clone());
            import(&sync, connection, school, &self.folder.join("files"), &mut summary).await?;
        }
        bar.finish_and_clear();
        summary.events = running.sequencer.once().await?;
        if self.once {
            say(&summary.to_json(), false);
            return Ok(ExitCode::SUCCESS);
        }
        self.live(running, sync, population, schools, summary, metrics, stop)
            .await
    }

    async fn live(
        self,
        running: Running,
        sync: Sync,
        population: Population,
        schools: Vec<connection::Model>,
        summary: Summary,
        metrics: PrometheusHandle,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<ExitCode, Failure> {
        let issuer = issuer(&self.folder)?;
        let trust = issuer
            .trust()
            .map_err(|_bad| Failure::Refused("the demo's issuer key is not one".to_owned()))?;
        let limits = Limits {
            introspection: true,
            ..Limits::DEFAULT
        };
        let bounds = Bounds {
            get_queries: self.get_queries,
            ..Bounds::DEFAULT
        };
        let cursor_key = key(&self.folder.join("cursor.key"))?;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let address = listener.local_addr()?;
        let streams = Arc::new(Streams::new(streams::Bounds {
            origins: vec![
                format!("http://{address}"),
                format!("http://localhost:{}", address.port()),
            ],
            ..streams::Bounds::DEFAULT
        }));
        let bounds = (limits, bounds, streams.clone());
        let edge = running.edge(Verifier::new([trust]), &cursor_key, bounds, metrics);
        say(&summary.told(), false);
        say(&howto(&address.to_string(), &self.folder), false);

        let Running { sequencer, work, .. } = running;
        let wake = sequencer.waker();
        let working = work.begin(None);
        let folder = self.folder.join("feed");
        let feeding = tokio::spawn(async move {
            let outcome = feed(&sync, &population, &schools, &folder, &wake).await;
            if let Err(failure) = outcome {
                say(&format!("the feed stopped: {failure}"), true);
            }
        });
        let routes = router(edge).merge(issuer.routes());
        serve(listener, routes, streams.until(stop), Patience::DEFAULT).await?;
        feeding.abort();
        working.end().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Registers the region: CLBs, schools, sources, agreements and personas. Doing it again changes nothing.
async fn register(running: &Running, manifest: &Manifest) -> Result<Vec<connection::Model>, Failure> {
    let register = Register::open(&running.db, running.clock.clone(), running.ids.clone()).await?;
    let mut file = parties(manifest, ISSUER, agreed);
    for (name, role, acts_for) in PERSONAS {
        let (school, clb) = match acts_for {
            ActsFor::School(place) => (manifest.schools.get(place).map(|one| &one.institution_number), None),
            ActsFor::Clb(place) => (None, manifest.clbs.get(place).map(|one| &one.institution_number)),
            ActsFor::Nobody => (None, None),
        };
        file.principals.push(Principal {
            line: 0,
            who: Who {
                issuer: ISSUER.to_owned(),
                subject: name.to_owned(),
            },
            role,
            school: school.cloned(),
            clb: clb.cloned(),
            discipline: (role == Role::ClbWorker).then_some(Discipline::SocialWorker),
            begins_on: None,
            ends_on: None,
        });
    }
    register.apply(&file, false).await?;
    grant(running).await?;
    let mut connections = Vec::new();
    for school in &manifest.schools {
        connections.extend(register.find_source(&school.institution_number, SOURCE).await?);
    }
    Ok(connections)
}

/// The first school lets its software do everything, as its data manager says. Doing it again changes nothing.
async fn grant(running: &Running) -> Result<(), Failure> {
    let now = running.clock.now();
    let refused = || Failure::Refused("the demo's software could not be let act for its school".to_owned());
    let manager = running
        .app
        .sign_in(ISSUER, "data-manager", now)
        .await?
        .ok_or_else(refused)?;
    let operation = Operation {
        actor: manager.actor.clone(),
        purpose: None,
        now,
        request: running.ids.next(now),
    };
    running
        .app
        .begin(&operation, manager)
        .await
        .map_err(|_down| refused())?;
    let granted = async {
        let page = Page {
            first: 1,
            after: None,
            count: false,
        };
        let client = running.app.clients(&operation, &page).await?.rows.pop();
        let source = running.app.sources(&operation, &page).await?.rows.pop();
        let (Some((_, client)), Some((_, source))) = (client, source) else {
            return Ok(false);
        };
        if client.grants.is_empty() {
            let new = NewGrant {
                client: client.id.0,
                source: source.id.0,
                tasks: Tasks::all(),
                begins_at: now,
                ends_at: None,
            };
            running.app.issue_grant(&operation, new).await?;
        }
        Ok::<bool, Problem>(true)
    };
    let granted = granted.await;
    running.app.end(&operation);
    match granted {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(refused()),
    }
}

/// What the schools of the demo agreed: most the default, some more, some less.
fn agreed(place: usize) -> Categories {
    let usual = Categories::default_agreement().with(Category::NationalNumber);
    match place % 4 {
        1 => usual.with(Category::Attendance),
        3 => usual.without(Categories::NONE.with(Category::Address).with(Category::Contact)),
        _ => usual,
    }
}

async fn import(
    sync: &Sync,
    connection: &connection::Model,
    school: &SchoolFiles,
    folder: &Path,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let source = Source {
        id: connection.id,
        school: connection.school_id,
    };
    let folder = folder.join(&school.institution_number);
    let number = &school.institution_number;
    let roster = folder.join("roster.zip");
    let files = settings_of(connection)?;
    let package = sync.roster_package(source, number, &roster, &files.roster);
    summary.add(&package.await?.0);
    let mut absences = AbsenceFile::new(folder.join("absences.csv"), files.absences)?;
    summary.add(&sync.absences(source, connection, &mut absences).await?);
    let carried = folder.join("carried-in.csv");
    if carried.exists() {
        summary.add(&sync.carried_file(source, &carried).await?);
    }
    Ok(())
}

/// What schools send from now on, a little every few seconds, until the demo ends.
async fn feed(
    sync: &Sync,
    population: &Population,
    schools: &[connection::Model],
    folder: &Path,
    wake: &tokio::sync::Notify,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let feed = Feed::new(population);
    for step in 0.. {
        tokio::time::sleep(EVERY).await;
        let changes = feed.step(step);
        let (mut raised, mut withdrawn) = (0, 0);
        for (place, connection) in schools.iter().enumerate() {
            if !changes.iter().any(|change| change.school == place) {
                continue;
            }
            let path = folder.join(format!("absences-{place}.csv"));
            Feed::write(&changes, place, std::fs::File::create(&path)?)?;
            let source = Source {
                id: connection.id,
                school: connection.school_id,
            };
            let mut file = AbsenceFile::new(&path, absence_format())?;
            let run = sync.absences(source, connection, &mut file).await?;
            raised += run.raised;
            withdrawn += run.withdrawn;
        }
        wake.notify_one();
        say(
            &format!(
                "{:>3} changes from schools, {raised} signals raised, {withdrawn} withdrawn",
                changes.len()
            ),
            false,
        );
    }
    Ok(())
}

/// What the import brought.
#[derive(Debug, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    clbs: usize,
    schools: usize,
    pupils: usize,
    absences: usize,
    rows: i64,
    changed: i64,
    unchanged: i64,
    quarantined: i64,
    signals_raised: i64,
    signals_withdrawn: i64,
    events: u64,
}

impl Summary {
    fn new(manifest: &Manifest) -> Self {
        Self {
            clbs: manifest.clbs.len(),
            schools: manifest.schools.len(),
            pupils: manifest.schools.iter().map(|school| school.pupils).sum(),
            absences: manifest.schools.iter().map(|school| school.absences).sum(),
            ..Self::default()
        }
    }

    fn add(&mut self, run: &hub_entities::source::run::Model) {
        self.rows += run.staged;
        self.changed += run.changed;
        self.unchanged += run.unchanged;
        self.quarantined += run.quarantined;
        self.signals_raised += run.raised;
        self.signals_withdrawn += run.withdrawn;
    }

    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn told(&self) -> String {
        format!(
            "{} CLBs, {} schools, {} synthetic pupils; {} rows imported ({} changed, {} known already), {} signals raised",
            self.clbs, self.schools, self.pupils, self.rows, self.changed, self.unchanged, self.signals_raised
        )
    }
}

/// Lines to paste: the same question from four who may see different things.
fn howto(address: &str, folder: &Path) -> String {
    let question = r#"{"query":"{ viewer { role } pupils(first: 2, orderBy: TRUANCY_COUNT) { totalCount edges { node { givenName familyName birthDate withheld truancy { count pending evidence { ownHalfDays { day part } elsewhereCount } } } } } signals(first: 2, filter: {state: RAISED}) { totalCount edges { node { kind count reachedOn } } } }"}"#;
    let mut text = format!("\nlistening on http://{address}/graphql; the same question from four:\n");
    for persona in ["school-client", "clb-worker", "other-clb-worker", "operator"] {
        text = format!(
            "{text}\n# {persona}\ncurl -s http://{address}/graphql -H 'content-type: application/json' \\\n  -H \"authorization: Bearer $(cargo run -q -- token {persona} --folder {})\" \\\n  -d '{question}'\n",
            folder.display()
        );
    }
    text
}
