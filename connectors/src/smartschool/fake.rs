//! A fake tenant of Smartschool's web services V3, over loopback HTTP. Its data can change while it runs, and it can be
//! made to fail.
//!
//! There is no test platform and no recorded answer of an absence call, so this is what is known and what is assumed:
//!
//! | what | from |
//! |---|---|
//! | methods, order of parts, types of answers, namespace and SOAPAction | the vendor's WSDL of 2019 and its manual of 2026 (school-apis §1.1–1.3) |
//! | envelopes, `xsd:int` for a code under `xsd:anyType` and a string elsewhere, status 500 for a fault | PHP's `SoapServer` run on that WSDL (§1.2) |
//! | accounts, groups, careers, quirks, code 19 for a group without accounts of its own | three clients that were run against tenants (§1.4) |
//! | half-days by date, labels, keys of deleted accounts | typed examples of one client, and another that parses them live (§1.4) |
//! | a profile answers 8 for a method that it does not open | assumed: nobody says |
//! | a day without anyone is `[]`, as PHP writes an empty map ([`Quirk::EmptyList`]) | assumed: nobody says |
//! | pupils who have left stay in the answers of the days before; who is deleted stays under a longer user name, and under the same internal number | assumed for the number, seen for the name |
//! | no pupil is in the answer of a day without school; Wednesday afternoon is `null` | assumed |
//! | a movement out of the school is a row with `outSchool`, from the first day not there | assumed |
//! | `getAbsentsByDate` names pupils by user name; by date and group it is the same map, smaller | assumed: clients disagree |
//! | the words of the error table | ours: only the numbers are the vendor's |

mod answers;
mod php;
mod platform;
mod soap;
mod trouble;
mod wsdl;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use tokio::net::TcpListener;

use crate::fake::{Answer, Delivery, Host, Request, Site};
pub use platform::{Class, CoAccount, Mark, Movement, Platform, Pupil, Quirk};
use soap::{Question, Value};
pub use trouble::{Plan, Trouble};

const XML: &str = "text/xml; charset=utf-8";
/// Where the web services are.
const PATH: &str = "/Webservices/V3";

/// A running tenant. It ends when this is dropped.
#[derive(Debug)]
pub struct Fake {
    host: Host,
    tenant: Arc<Tenant>,
}

struct Tenant {
    inside: Mutex<Inside>,
}

struct Inside {
    platform: Platform,
    plans: Vec<Plan>,
    calls: Vec<String>,
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").finish_non_exhaustive()
    }
}

impl Fake {
    /// Serves on a free port of the loopback interface.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(platform: Platform) -> io::Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0").await?, platform)
    }

    /// Serves on a listener.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn on(listener: TcpListener, platform: Platform) -> io::Result<Self> {
        let inside = Inside {
            platform,
            plans: Vec::new(),
            calls: Vec::new(),
        };
        let tenant = Arc::new(Tenant {
            inside: Mutex::new(inside),
        });
        let site: Arc<dyn Site> = Arc::<Tenant>::clone(&tenant);
        Ok(Self {
            host: Host::on(listener, site)?,
            tenant,
        })
    }

    /// The address of its web services, as a school's page of them shows it.
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.host.origin())
    }

    /// Looks at the tenant, or changes it. Calls wait as long.
    pub fn change<T>(&self, change: impl FnOnce(&mut Platform) -> T) -> T {
        change(&mut self.tenant.inside().platform)
    }

    /// Lets something go wrong from now on. Of several plans the first that fits a call happens.
    pub fn plan(&self, plan: Plan) {
        self.tenant.inside().plans.push(plan);
    }

    /// Lets everything go well again.
    pub fn heal(&self) {
        self.tenant.inside().plans.clear();
    }

    /// The methods that were called since the last look, in order.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.tenant.inside().calls)
    }
}

impl Tenant {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to an envelope that was sent to `url`.
    fn called(&self, url: &str, body: &Bytes) -> Answer {
        let text = String::from_utf8_lossy(body);
        let Some(question) = Question::read(&text) else {
            return Answer::of(500, XML, soap::fault("Client", "Bad Request"));
        };
        let mut inside = self.inside();
        inside.calls.push(question.method.clone());
        let trouble = inside.plans.iter_mut().find_map(|plan| plan.meets(&question.method));
        let returned = |value: &Value| Answer::of(200, XML, soap::returned(url, &question.method, value));
        let answer = || match inside.platform.answer(&question) {
            // Another tenant's address as namespace is another service to a strict server.
            Some(_) | None if question.namespace != url => {
                Answer::of(500, XML, soap::fault("Client", "Unknown namespace"))
            }
            Some(value) => returned(&value),
            None => {
                let text = format!("Procedure '{}' not present", question.method);
                Answer::of(500, XML, soap::fault("Server", &text))
            }
        };
        match trouble {
            None => answer(),
            Some(Trouble::Fault) => Answer::of(500, XML, soap::fault("Server", &text)),
            Some(Trouble::Status(status, wait)) => {
                let wait = Some(wait).filter(|wait| *wait > 0);
                let bare = Answer::of(status, "text/plain", Bytes::new());
                wait.map_or(bare.clone(), |wait| bare.with("retry-after", &wait.to_string()))
            }
            Some(Trouble::Page) => Answer::of(
                200,
                "text/html; charset=utf-8",
                format!("<!DOCTYPE html><title>Onderhoud</title><pre>{text}</pre>"),
            ),
            Some(Trouble::Delivery(delivery)) => answer().delivered(delivery),
            Some(Trouble::Half) => {
                let whole = answer();
                let half = whole.body.len() / 2;
                Answer {
                    body: whole.body.slice(..half),
                    ..whole
                }
            }
            Some(Trouble::Code(code)) => returned(&Value::Int(code)),
            Some(Trouble::Text(text)) => returned(&Value::Text(text)),
            Some(Trouble::Body(body)) => Answer::of(200, XML, body),
        }
    }
}

#[async_trait]
impl Site for Tenant {
    async fn answer(&self, request: Request) -> Answer {
        let url = format!("http://{}{PATH}", request.header("host").unwrap_or_default());
        match (&request.method, request.path.as_str()) {
            (&Method::GET, PATH) if request.query.iter().any(|(name, _)| name.eq_ignore_ascii_case("wsdl")) => {
                Answer::of(200, XML, wsdl::document(&url))
            }
            (&Method::POST, PATH) => self.called(&url, &request.body),
            (_, PATH) => Answer::of(500, XML, soap::fault("Client", "Bad Request. Can't find HTTP Body")),
            _ => Answer::status(404).delivered(Delivery::Whole),
        }
    }
}
