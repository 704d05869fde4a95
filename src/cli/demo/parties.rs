//! Who and what the demo registers, and that its software may act.

use hub_entities::category::{Categories, Category};
use hub_entities::client_grant::Tasks;
use hub_entities::operation::{Discipline, Operation, Role};
use hub_graphql::hub::{Clients as _, NewGrant, Operations as _};
use hub_graphql::page::Page;
use hub_graphql::problem::Problem;

use super::{ActsFor, Failure, PERSONAS, SOFTWARE, refused};
use crate::cli::house::Running;
use crate::demo::parties::{parties, signer};
use crate::demo::population::Population;
use crate::demo::systems::Systems;
use crate::register::{Principal, Register, Source, Who};

/// The name of the source of a school whose software pushes.
const PUSHED: &str = "software";

/// Registers the region: CLBs, schools, sources, agreements and personas, and lets software act. Doing it again changes no
/// more than where the systems are.
pub(super) async fn register(
    running: &Running,
    population: &Population,
    systems: &Systems,
    issuer: &str,
) -> Result<(), Failure> {
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
    for (name, role, acts_for) in PERSONAS {
        let (school, clb) = match acts_for {
            ActsFor::School(place) => (numbers.get(place).map(|number| (*number).clone()), None),
            ActsFor::Clb(place) => {
                let clb = population.clbs.get(place);
                (None, clb.map(|clb| clb.institution_number.clone()))
            }
            ActsFor::Nobody => (None, None),
        };
        file.principals.push(Principal {
            line: 0,
            who: Who {
                issuer: issuer.to_owned(),
                subject: name.to_owned(),
            },
            role,
            school,
            clb,
            discipline: (role == Role::ClbWorker).then_some(Discipline::SocialWorker),
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
    Ok(())
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
