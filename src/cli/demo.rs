//! `clb-hub demo`: a synthetic region that comes alive before one's eyes.
//!
//! Its schools have systems of their own, OneRoster and Smartschool, served on this machine; the hub pulls them over HTTP
//! as it pulls any other, and software pushes where a school has neither. Two pupils are guided by a CLB, step by step, and
//! one of their dossiers is asked for by personas who may see different things of it. Afterwards a feed of new absences and
//! corrections goes on in the systems, and the hub notices: signals come and go.

mod apart;
mod clock;
mod parties;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hub_connectors::contract::Stream;
use hub_connectors::http::{Network, Url};
use hub_connectors::live;
use hub_entities::law::Laws;
use hub_entities::law::compulsory::Settings;
use hub_entities::operation::Purpose;
use hub_entities::time::{Clock as _, SchoolYear, brussels_day};
use indicatif::ProgressBar;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use self::summary::Summary;
use super::house::Running;
use super::import::bar_style;
use super::pulling::Pulling;
use super::sync::name_of;
use super::{Failure, say};
use crate::app::EMERGENCY_MINUTES;
use crate::auth::Verifier;
use crate::auth::demo_issuer::{self, DemoIssuer};
use crate::demo::dossiers::Dossiers;
use crate::demo::feed::{Change, Feed};
use crate::demo::parties::Way;
use crate::demo::personas::{OF_11, OF_15, PERSONAS};
use crate::demo::population::{Population, Stay};
use crate::demo::schools::Shape;
use crate::demo::side_by_side::{Answers, FOUR, LESS, question};
use crate::demo::software::{Client, FrontEnd, Software};
use crate::demo::systems::{Plan, SECRET, Systems, window_days};
use crate::demo::{absences, files};
use crate::http::limits::Limits;
use crate::http::serve::{Patience, serve, stop_signal};
use crate::http::streams::{self, Streams};
use crate::http::{Bounds, router};
use crate::outbound::to_sources;
use crate::register::Register;
use crate::runtime::{SystemClock, SystemPause, key_file, new_signing_key, random};
use crate::store::{Db, Options};
use crate::sync::pull::{LiveSource, Room};
use crate::sync::schedule::{Every, Scheduler};
use crate::sync::{Source, Sync};

/// The population is always the same one; only the day goes on.
const SEED: u64 = 20_260_901;

/// How often something happens at the schools.
const STEP: Duration = Duration::from_secs(3);

/// How often the hub looks: `serve` takes minutes for this.
const EVERY: Every = Every {
    roster: Duration::from_mins(1),
    absences: Duration::from_secs(5),
};

/// What still happens at the schools happens to the last two weeks of lessons, and so far back Smartschool is read again.
const LIVELY: usize = 18;

/// Sources that are read at once.
const AT_ONCE: usize = 2;

/// Where the systems of the demo are: nowhere else does it pull.
const LOOPBACK: &str = "127.0.0.1/32";

const AUDIENCE: &str = "urn:clb-hub:api";

/// Make a synthetic region with systems of its own, pull it, serve it, and let it live.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where its database and its keys are.
    #[arg(long, default_value = "data/demo", value_name = "FOLDER")]
    folder: PathBuf,
    /// Bring everything in, print a summary as JSON, and exit.
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
    /// school-client, other-school-client, care-team, data-manager; clb-worker, psychologist, doctor, nurse, clb-director,
    /// administration, other-clb-worker, chat-worker; pupil-11, pupil-15, parent, dpo; or operator.
    persona: String,
    /// Where the demo is.
    #[arg(long, default_value = "data/demo", value_name = "FOLDER")]
    folder: PathBuf,
}

/// Which persona is the software of a school, by the place of that.
const SOFTWARE: [(&str, usize); 2] = [("school-client", 0), ("other-school-client", 6)];

/// Who hears of signals: one of each CLB.
const FRONT_ENDS: [&str; 2] = ["clb-worker", "other-clb-worker"];

/// The issuer of the demo in this folder; the file beside its key says where it is.
fn issuer(folder: &Path) -> Result<DemoIssuer, Failure> {
    let address = std::fs::read_to_string(folder.join("issuer.url"))?;
    let key = key_file(&folder.join("issuer.key"), new_signing_key)?;
    DemoIssuer::new(address.trim(), AUDIENCE, key.expose_secret())
        .map_err(|_bad| Failure::Refused("the demo's issuer key is not one; remove its folder".to_owned()))
}

/// The issuer of the demo that listens on this port. It stays where it was when its folder was made: its personas are
/// registered under its address.
fn issuer_at(folder: &Path, port: u16) -> Result<DemoIssuer, Failure> {
    let (path, here) = (folder.join("issuer.url"), demo_issuer::address(port));
    if !path.exists() {
        std::fs::write(&path, format!("{here}\n"))?;
    }
    let issuer = issuer(folder)?;
    if issuer.issuer() == here {
        return Ok(issuer);
    }
    let kept = issuer.issuer();
    let text = format!("the issuer of this demo is {kept}: begin it on that port, or another one in another folder");
    Err(Failure::Refused(text))
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
        if !PERSONAS.iter().any(|one| one.name == self.persona) {
            let names: Vec<&str> = PERSONAS.iter().map(|one| one.name).collect();
            return Err(Failure::Refused(format!(
                "no such persona; there are {}",
                names.join(", ")
            )));
        }
        if !self.folder.join("issuer.url").exists() {
            return Err(Failure::Refused(
                "there is no demo here; run `clb-hub demo` first".to_owned(),
            ));
        }
        let now = clock::running(&self.folder)?.now();
        let id = crate::runtime::SystemIds::new()?.next(now);
        let token = issuer(&self.folder)?.mint(&self.persona, now, id);
        say(
            &token.map_err(|_unsigned| Failure::Refused("the token could not be signed".to_owned()))?,
            false,
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// What the demo stands on while it works.
struct Region<'a> {
    population: &'a Population,
    systems: &'a Systems,
    pulled: &'a live::Systems,
    sync: &'a Sync,
    software: Vec<Software<'a>>,
    client: Client,
    register: Register,
}

impl Demo {
    pub(super) async fn run(self, metrics: PrometheusHandle) -> Result<ExitCode, Failure> {
        let stop = stop_signal()?;
        std::fs::create_dir_all(&self.folder)?;
        let (clock, told) = clock::begin(&self.folder, SystemClock.now())?;
        if let Some(told) = told {
            say(&told, true);
        }
        let url = format!("sqlite://{}", self.folder.join("hub.sqlite").display());
        // Each connection of SQLite keeps pages of its own in memory.
        let few = Options {
            connections: 4,
            ..Options::new(url)
        };
        let db = Db::open(&few).await?;
        db.migrate().await?;
        let blind_index = key(&self.folder.join("blind-index.key"))?;
        let (secrets, sealer) = apart::open(&self.folder, &db, clock.now()).await?;
        let kept = Some((secrets.clone(), EMERGENCY_MINUTES));
        let running = Running::by(Arc::new(clock), db, kept, Settings::default(), Some(blind_index))?;
        let beside = running.apart(secrets).await?;
        let (now, ids) = (running.clock.now(), running.ids.clone());
        let today = brussels_day(now);
        let calendar = Laws::embedded()?.calendar(SchoolYear::of(today));
        let population = Population::new(Shape::demo(), SEED, today, &calendar);

        let secret = ids.blind().simple().to_string();
        let plan = Plan {
            way: Way::of,
            now,
            secret: &secret,
            window_days: window_days(&population, LIVELY),
            absences: &|pupil| absences::of(&population, pupil),
        };
        let systems = Systems::start(&population, &plan).await?;
        // Before anything is registered under its address. Who prints and goes takes no port: another demo may listen there.
        let listener = TcpListener::bind(("127.0.0.1", if self.once { 0 } else { self.port })).await?;
        let here = listener.local_addr()?;
        let port = if self.port == 0 { here.port() } else { self.port };
        let issuer = Arc::new(issuer_at(&self.folder, port)?);
        let register = parties::register(&running, &population, &systems, issuer.issuer()).await?;
        let loopback: Network = LOOPBACK.parse().map_err(|_fixed| refused("its network is none"))?;
        let http = to_sources(vec![loopback]).map_err(|_unusable| refused("no HTTP client can be built"))?;
        let pulled = live::Systems::new(
            http.clone(),
            Arc::new(move |name| (name.as_str() == SECRET).then(|| SecretString::from(secret.as_str()))),
        );

        let address = here.to_string();
        let url: Url = format!("http://{address}/graphql")
            .parse()
            .map_err(|_fixed| refused("its address is none"))?;
        let client = Client {
            http,
            url,
            issuer: issuer.clone(),
            clock: running.clock.clone(),
            ids: ids.clone(),
        };
        let sync = running.sync(Some(blind_index), Arc::new(|_, _| {}));
        let name = ids.next(now).simple().to_string();
        let software = SOFTWARE.map(|(subject, school)| Software {
            client: client.clone(),
            subject: subject.to_owned(),
            population: &population,
            school,
            name: name.clone(),
        });
        let region = Region {
            population: &population,
            systems: &systems,
            pulled: &pulled,
            sync: &sync,
            software: software.into(),
            client,
            register,
        };

        let stopping = watch::Sender::new(false);
        let told = stopping.clone();
        let signal = tokio::spawn(async move {
            stop.await;
            told.send_replace(true);
        });
        let streams = streams_at(&address);
        let edge = running.edge(verifier(&issuer)?, &self.cursor_key()?, self.bounds(&streams), metrics);
        let routes = router(edge).merge(issuer.routes());
        let until = streams.until(stopped(&stopping));
        let serving = tokio::spawn(serve(listener, routes, until, Patience::DEFAULT));
        let wake = running.sequencer.waker();
        let working = running.beside_the_door().begin(Some(sealer), Some(beside));
        let outcome = tokio::select! {
            biased;
            () = stopped(&stopping) => Ok(()),
            outcome = self.work(&region, &address, &wake, &stopping) => outcome,
        };
        stopping.send_replace(true);
        signal.abort();
        let served = serving.await;
        working.end(Patience::DEFAULT.last_words()).await;
        outcome?;
        served.map_err(std::io::Error::other)??;
        Ok(ExitCode::SUCCESS)
    }

    async fn work(
        &self,
        region: &Region<'_>,
        address: &str,
        wake: &Arc<Notify>,
        stopping: &watch::Sender<bool>,
    ) -> Result<(), Failure> {
        let begun = region.client.clock.now();
        let known = region.bring_in(&self.folder).await?;
        let (answers, pupil) = region.dossiers(&self.folder).await?;
        let summary = Summary::of(region, begun, (known, &answers)).await?;
        if self.once {
            say(&summary.to_json(), false);
            return Ok(());
        }
        say(&summary.told(), false);
        say(&howto(address, &self.folder), false);
        say(&side_by_side(address, &self.folder, &pupil, &answers), false);
        let chance = Arc::new(SystemPause::new()?);
        let scheduler = Scheduler::new(region.sync.clone(), region.pulled.clone(), chance, EVERY, wake.clone());
        let (one, two) = (stopped(stopping), stopped(stopping));
        let pulling = tokio::spawn(scheduler.run(one));
        let outcome = tokio::select! {
            () = two => Ok(()),
            outcome = region.live() => outcome,
        };
        if let Err(failure) = outcome {
            say(&format!("nothing happens any more: {failure}"), true);
            stopped(stopping).await;
        }
        pulling.await.map_err(|gone| Failure::Io(std::io::Error::other(gone)))
    }

    fn cursor_key(&self) -> Result<[u8; 32], Failure> {
        key(&self.folder.join("cursor.key"))
    }

    fn bounds(&self, streams: &Arc<Streams>) -> (Limits, Bounds, Arc<Streams>) {
        let limits = Limits {
            introspection: true,
            ..Limits::DEFAULT
        };
        let bounds = Bounds {
            get_queries: self.get_queries,
            ..Bounds::DEFAULT
        };
        (limits, bounds, streams.clone())
    }
}

/// Trusts the demo's own issuer alone.
fn verifier(issuer: &DemoIssuer) -> Result<Verifier, Failure> {
    let trust = issuer.trust();
    let trust = trust.map_err(|_bad| refused("its issuer key is not one; remove its folder"))?;
    Ok(Verifier::new([trust]))
}

/// Open to the console that is served at this address.
fn streams_at(address: &str) -> Arc<Streams> {
    let port = address.rsplit(':').next().unwrap_or_default();
    Arc::new(Streams::new(streams::Bounds {
        origins: vec![format!("http://{address}"), format!("http://localhost:{port}")],
        ..streams::Bounds::DEFAULT
    }))
}

fn refused(why: &str) -> Failure {
    Failure::Refused(format!("the demo cannot begin: {why}"))
}

/// Once everything is told to stop.
fn stopped(stopping: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stopping = stopping.subscribe();
    async move { drop(stopping.wait_for(|stop| *stop).await) }
}

impl Region<'_> {
    /// Pulls every system, lets the software push, and types in the numbers that former schools passed on. Says how many
    /// records said no more than what was known where there was nothing new at all: of those no run tells.
    async fn bring_in(&self, folder: &Path) -> Result<i64, Failure> {
        let sources = self.sync.live_sources().await?;
        let pulling = Pulling {
            sync: self.sync,
            systems: self.pulled,
            at_once: AT_ONCE,
            dry_run: false,
            full: false,
            since: None,
            room: &Room::default(),
        };
        let (mut known, mut failed) = (0_i64, 0_u32);
        let mut told = |source: &LiveSource, _, outcome: Result<crate::sync::pull::Brought, _>| match outcome {
            Ok(brought) if brought.run.is_none() => known = known.saturating_add(brought.known),
            Ok(_) => {}
            Err(failure) => {
                failed = failed.saturating_add(1);
                say(&format!("{}: {failure}", name_of(source)), true);
            }
        };
        pulling
            .all(&[Stream::Roster, Stream::Absences], &sources, &mut told)
            .await;
        if failed > 0 {
            return Err(refused("a system of its own could not be pulled"));
        }
        for software in &self.software {
            let bar = ProgressBar::new(0).with_style(bar_style());
            bar.set_prefix(software.subject.clone());
            let shown = |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            };
            software.bring_all(&shown).await?;
            bar.finish_and_clear();
        }
        self.carried_in(&sources, folder).await?;
        Ok(known)
    }

    /// No system holds them: the secretariat has them from a letter, in a small file.
    async fn carried_in(&self, sources: &[LiveSource], folder: &Path) -> Result<(), Failure> {
        for (place, school) in self.population.schools.iter().enumerate() {
            // The roster's, which comes first by name; what pushes is typed in at the school.
            let source = sources.iter().find(|source| source.school == school.institution_number);
            let Some(source) = source else { continue };
            let path = folder.join(format!("carried-in-{}.csv", school.institution_number));
            let key = |stay: &Stay| match Way::of(place) {
                Way::Smartschool => stay.stamnummer.clone(),
                Way::Pair | Way::Software => stay.source_key.clone(),
            };
            if files::write_carried(self.population, place, &path, key)? > 0 {
                let source = Source {
                    id: source.connection.id,
                    school: source.connection.school_id,
                };
                self.sync.carried_file(source, &path).await?;
            }
        }
        Ok(())
    }

    /// Makes the dossiers, unless they are there, and asks for one of them as those who may see different things of it. Says
    /// of whom it is.
    async fn dossiers(&self, folder: &Path) -> Result<(Answers, String), Failure> {
        let of_11 = parties::persons(self, OF_11).await?;
        let of_15 = parties::persons(self, OF_15).await?;
        if apart::are_to_be_made(folder)? {
            Dossiers::new(&self.client).make(&of_11, &of_15).await?;
            apart::are_made(folder)?;
        }
        Ok((Answers::of(&self.client, &of_15.pupil).await?, of_15.pupil))
    }

    /// What happens at the schools from now on, a little every few seconds; and what the CLBs hear of it.
    async fn live(&self) -> Result<(), Failure> {
        let feed = Feed::of_last(self.population, LIVELY);
        let mut front_ends = FRONT_ENDS.map(|subject| FrontEnd::new(self.client.clone(), subject));
        for front_end in &mut front_ends {
            front_end.news().await?;
        }
        for step in 0.. {
            tokio::time::sleep(STEP).await;
            let changes = feed.step(step);
            self.happen(step, &changes).await?;
            let (mut raised, mut withdrawn) = (0_usize, 0_usize);
            for front_end in &mut front_ends {
                let news = front_end.news().await?;
                raised = raised.saturating_add(news.raised);
                withdrawn = withdrawn.saturating_add(news.withdrawn);
            }
            let count = changes.len();
            say(
                &format!("{count:>3} changes at schools; heard since: {raised} signals raised, {withdrawn} withdrawn"),
                false,
            );
        }
        Ok(())
    }

    /// A system knows it and waits to be asked; software says it.
    async fn happen(&self, step: u64, changes: &[Change]) -> Result<(), Failure> {
        for change in changes {
            self.systems.register(change);
        }
        for software in &self.software {
            software.bring(step, changes).await?;
        }
        Ok(())
    }
}

/// Lines to paste: the same question from four who may see different things.
fn howto(address: &str, folder: &Path) -> String {
    let question = "{ viewer { role } pupils(first: 2, orderBy: TRUANCY_COUNT) { totalCount edges { node { givenName familyName birthDate withheld truancy { count pending evidence { ownHalfDays { day part } elsewhereCount } } } } } signals(first: 2, filter: {state: RAISED}) { totalCount edges { node { kind count reachedOn } } } }";
    let personas = ["school-client", "clb-worker", "other-clb-worker", "operator"];
    let lines = personas.map(|persona| to_paste(address, folder, persona, None, question));
    let lines = lines.join("");
    format!("\nlistening on http://{address}/graphql; the same question from four:\n{lines}")
}

/// A dossier as those are answered who may see different things of it, and lines to paste that ask for it.
fn side_by_side(address: &str, folder: &Path, pupil: &str, answers: &Answers) -> String {
    let lines = FOUR.into_iter().chain(LESS).map(|persona| {
        let (purpose, question) = question(persona, pupil);
        to_paste(address, folder, persona, Some(purpose), &question)
    });
    let (table, lines) = (answers.table(), lines.collect::<String>());
    format!(
        "\nthe dossier of a pupil of fifteen, asked for by six; where `?` stands, access may be asked for:\n\n{table}\n{lines}"
    )
}

/// A question of a persona as a shell asks it.
fn to_paste(address: &str, folder: &Path, persona: &str, purpose: Option<Purpose>, question: &str) -> String {
    let purpose = purpose.map_or_else(String::new, |purpose| format!(" -H 'clb-purpose: {purpose}'"));
    let body = serde_json::json!({ "query": question });
    format!(
        "\n# {persona}\ncurl -s http://{address}/graphql -H 'content-type: application/json'{purpose} \\\n  -H \"authorization: Bearer $(cargo run -q -- token {persona} --folder {})\" \\\n  -d '{body}'\n",
        folder.display()
    )
}
