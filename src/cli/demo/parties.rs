//! Who and what the demo registers, and that its software may act.

use hub_entities::category::{Categories, Category};
use hub_entities::client_grant::Tasks;
use hub_entities::dossier::Mode;
use hub_entities::id::PupilId;
use hub_entities::operation::{Operation, Role};
use hub_graphql::hub::{Clients as _, NewGrant, Operations as _};
use hub_graphql::page::Page;
use hub_graphql::problem::Problem;
use serde_json::{Value, json};

use super::{Failure, Region, SOFTWARE, refused};
use crate::cli::house::Running;
use crate::demo::dossiers::At;
use crate::demo::parties::{parties, signer};
use crate::demo::personas::{ActsFor, Guided, PERSONAS};
use crate::demo::population::Population;
use crate::demo::systems::Systems;
use crate::register::{Principal, Register, Source, Who};

/// The name of the source of a school whose software pushes.
const PUSHED: &str = "software";

/// Registers the region: CLBs, which keep their dossiers here, schools, sources, agreements and personas, and lets software
/// act. Doing it again changes no more than where the systems are.
pub(super) async fn register(
    running: &Running,
    population: &Population,
    systems: &Systems,
    issuer: &str,
) -> Result<Register, Failure> {
    let register = Register::open(&running.db, running.clock.clone(), running.ids.clone()).await?;
    let numbers = population.schools.iter().map(|school| &school.institution_number);
    let numbers: Vec<&String> = numbers.collect();
    let sources = systems.sources(population);
    let mut sources = sources.map_err(|_fixed| refused("a secret has no name"))?;
    let pushed = SOFTWARE.iter().filter_map(|(_, place)| numbers.get(*place));
    sources.extend(pushed.map(|number| Source {
        school: (*number).clone(),
        name: PUSHED.to_owned(),
        letters: "school".to_owned(),
        ..Source::default()
    }));
    let mut file = parties(population, sources, issuer, agreed);
    for clb in &mut file.clbs {
        clb.dossiers = Some(Mode::Hub);
    }
    let clb_at = |place: usize| population.clbs.get(place).map(|clb| clb.institution_number.clone());
    for persona in PERSONAS {
        let (school, clb, discipline) = match persona.acts_for {
            ActsFor::School(place) => (numbers.get(place).map(|number| (*number).clone()), None, None),
            ActsFor::Clb(place) => (None, clb_at(place), None),
            ActsFor::Team(place, discipline) => (None, clb_at(place), Some(discipline)),
            ActsFor::Nobody => (None, None, None),
            // Once the hub knows whom: a file names no pupil.
            ActsFor::Pupil(_) => continue,
        };
        file.principals.push(Principal {
            line: 0,
            who: who(issuer, persona.name),
            role: persona.role,
            school,
            clb,
            discipline,
            begins_on: None,
            ends_on: None,
        });
    }
    register.apply(&file, false).await?;
    for (software, place) in SOFTWARE {
        let Some(number) = numbers.get(place) else { continue };
        let manager = signer(Role::SchoolDataManager, number);
        grant(running, (issuer, &manager), software).await?;
    }
    Ok(register)
}

fn who(issuer: &str, subject: &str) -> Who {
    Who {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    }
}

/// The personas who are a pupil or a parent, once the pupils are known; and where the pupil is who is guided like this. A pupil
/// stays whom a persona once was, also when another would be chosen today.
pub(super) async fn persons(region: &Region<'_>, guided: Guided) -> Result<At, Failure> {
    let nobody = || refused("there is no pupil of that age at its school");
    let school = region.population.schools.get(guided.school).ok_or_else(nobody)?;
    let key = guided.key(region.population).ok_or_else(nobody)?;
    let manager = signer(Role::SchoolDataManager, &school.institution_number);
    let question = "query($key: String!) { viewer { schoolId } pupil(bySourceKey: $key) { id } }";
    let found = region.client.ask(&manager, question, json!({ "key": key })).await?;
    let text = |at: &str| found.pointer(at).and_then(Value::as_str);
    let chosen: Option<PupilId> = text("/pupil/id").and_then(|id| id.parse().ok());
    let (mut pupil, school) = (chosen.ok_or_else(nobody)?, text("/viewer/schoolId").ok_or_else(nobody)?);
    for persona in PERSONAS {
        if persona.acts_for == ActsFor::Pupil(guided) {
            let who = who(region.client.issuer.issuer(), persona.name);
            pupil = region.register.person(&who, persona.role, pupil).await?;
        }
    }
    Ok(At {
        pupil: pupil.to_string(),
        school: school.to_owned(),
    })
}

/// A school lets its software do everything, as its data manager says. Doing it again changes nothing.
async fn grant(running: &Running, (issuer, manager): (&str, &str), software: &str) -> Result<(), Failure> {
    let now = running.clock.now();
    let no_grant = || refused("software could not be let act for its school");
    let manager = running.app.sign_in(issuer, manager, now).await?.ok_or_else(no_grant)?;
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
        .map_err(|_down| no_grant())?;
    let granted = async {
        let page = Page {
            first: 10,
            after: None,
            count: false,
        };
        let clients = running.app.clients(&operation, &page).await?.rows;
        let sources = running.app.sources(&operation, &page).await?.rows;
        let client = clients.into_iter().find(|(_, client)| client.subject == software);
        let source = sources.into_iter().find(|(_, source)| source.name == PUSHED);
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
        Ok(false) | Err(_) => Err(no_grant()),
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
