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
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;

use crate::fake::{Answer, Host, Request, Site};
pub use platform::{Class, CoAccount, Mark, Movement, Platform, Pupil, Quirk};
use soap::{Question, Value};
pub use trouble::{Instead, Plan};

const XML: &str = "text/xml; charset=utf-8";
/// Where the web services are.
const PATH: &str = "/Webservices/V3";

/// A tenant, to be served by a [`Host`].
pub struct Fake {
    inside: Mutex<Inside>,
}

struct Inside {
    platform: Platform,
    plans: Vec<Plan>,
    calls: Vec<String>,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

impl Fake {
    /// A tenant that knows this.
    pub const fn new(platform: Platform) -> Self {
        Self {
            inside: Mutex::new(Inside {
                platform,
                plans: Vec::new(),
                calls: Vec::new(),
            }),
        }
    }

    /// The address of its web services at a host, as a school's page of them shows it.
    pub fn url(host: &Host) -> String {
        format!("{}{PATH}", host.origin())
    }

    /// Looks at the tenant, or changes it. Calls wait as long.
    pub fn change<T>(&self, change: impl FnOnce(&mut Platform) -> T) -> T {
        change(&mut self.inside().platform)
    }

    /// Lets something go wrong from now on. Of several plans the first that fits a call happens.
    pub fn plan(&self, plan: Plan) {
        self.inside().plans.push(plan);
    }

    /// Lets everything go well again.
    pub fn heal(&self) {
        self.inside().plans.clear();
    }

    /// The methods that were called since the last look, in order.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().calls)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to an envelope that was sent to `url`.
    fn called(&self, url: &str, body: &Bytes) -> Answer {
        let text = String::from_utf8_lossy(body);
        let fault = |code, text: &str| Answer::of(500, XML, soap::fault(code, text));
        let Some(question) = Question::read(&text) else {
            return fault("Client", "Bad Request");
        };
        let mut inside = self.inside();
        inside.calls.push(question.method.clone());
        let instead = inside.plans.iter_mut().find_map(|plan| plan.meets(&question.method));
        let returned = |value: &Value| Answer::of(200, XML, soap::returned(url, &question.method, value));
        let answer = || match inside.platform.answer(&question) {
            // Another tenant's address as namespace is another service to a strict server.
            Some(_) if question.namespace != url => fault("Client", "Unknown namespace"),
            Some(value) => returned(&value),
            None => fault("Server", &format!("Procedure '{}' not present", question.method)),
        };
        match instead {
            None => answer(),
            Some(Instead::ServerFault) => fault("Server", &text),
            Some(Instead::ClientFault) => fault("Client", &text),
            Some(Instead::Code(code)) => returned(&Value::Int(code)),
            Some(Instead::Text(text)) => returned(&Value::Text(text)),
            Some(Instead::Body(body)) => Answer::of(200, XML, body),
            Some(Instead::Delivered(delivery)) => answer().delivered(delivery),
        }
    }
}

#[async_trait]
impl Site for Fake {
    async fn answer(&self, request: Request) -> Answer {
        let url = format!("http://{}{PATH}", request.header("host").unwrap_or_default());
        let asks_for_wsdl = || request.query.iter().any(|(name, _)| name.eq_ignore_ascii_case("wsdl"));
        match (&request.method, request.path.as_str()) {
            (&Method::GET, PATH) if asks_for_wsdl() => Answer::of(200, XML, wsdl::document(&url)),
            (&Method::POST, PATH) => self.called(&url, &request.body),
            (_, PATH) => Answer::of(500, XML, soap::fault("Client", "Bad Request. Can't find HTTP Body")),
            _ => Answer::status(404),
        }
    }
}
