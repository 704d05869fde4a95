//! A fake OneRoster system, 1.1 or 1.2, with its token endpoint, over loopback HTTP. Its data can change while it runs,
//! and it can be made to fail.
//!
//! No server of a Flemish school is published, so it follows the standard, and its quirks those that others ran:
//!
//! | what | from |
//! |---|---|
//! | paths, wrappers, parameters, fields of both versions, scopes | the specification of 1.2 and the tables of 1.1 (standards §1.1–1.4, §1.7) |
//! | bodies of errors | `imsx_` fields at the top in 1.2, as edfi-oneroster answers; `statusInfoSet` in 1.1 (§1.6) |
//! | pages without total and link, capped in silence ([`Quirk::Uncounted`], [`System::page_cap`]); a relative `href` | edfi-oneroster (§1.5, recorded) |
//! | a link to `localhost` with a comma behind it, on the last page and beyond; booleans as numbers; no demographics; fields chosen before the filter; order only within a page; 204 for nothing; credentials only in the form | libre-oneroster (§1.3–1.7, recorded) |
//! | a filter answered with an empty list; a scope that must be asked for; questions signed one by one ([`System::signed`]) | masterjx9 (§1.3, §1.4) |
//! | `statusInfoSet` beside the data | Blackbaud (§1.6) |
//! | records that vanish instead of `tobedeleted` | Untis, edfi-oneroster (§1.8): [`System::remove`] |
//! | a filter or a choice of fields that is not looked at; nothing written as `null`, `""` and `[]` at once | assumed: each is allowed by what others do |
//! | a token that is taken back before its time, a `Date` of the system's own clock | assumed |

mod answers;
mod signed;
mod system;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use crate::fake::{Answer, Host, Request, Site, url_pairs};
pub use system::{Class, Parent, Pupil, Quirk, System};
pub use trouble::{Instead, Plan};

use super::Version;

/// Where tokens are given.
const TOKENS: &str = "/oauth/token";

/// A system, to be served by a [`Host`].
pub struct Fake {
    inside: Mutex<Inside>,
}

struct Inside {
    system: System,
    plans: Vec<Plan>,
    calls: Vec<String>,
    /// The tokens that are taken, with their scopes.
    tokens: BTreeMap<String, BTreeSet<String>>,
    given: u64,
    stamps: signed::Stamps,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

/// The base path of a version.
const fn base(version: Version) -> &'static str {
    match version {
        Version::V1_1 => "/ims/oneroster/v1p1",
        Version::V1_2 => "/ims/oneroster/rostering/v1p2",
    }
}

impl Fake {
    /// A system that knows this.
    pub const fn new(system: System) -> Self {
        Self {
            inside: Mutex::new(Inside {
                system,
                plans: Vec::new(),
                calls: Vec::new(),
                tokens: BTreeMap::new(),
                given: 0,
                stamps: signed::Stamps::new(),
            }),
        }
    }

    /// Its base address at a host.
    pub fn url(&self, host: &Host) -> String {
        format!("{}{}", host.origin(), base(self.inside().system.version))
    }

    /// The address of its token endpoint at a host.
    pub fn token_url(host: &Host) -> String {
        format!("{}{TOKENS}", host.origin())
    }

    /// Whether a request is for data, and not for a token.
    pub fn is_for_data(request: &Request) -> bool {
        request.path != TOKENS
    }

    /// Looks at the system, or changes it. Calls wait as long.
    pub fn change<T>(&self, change: impl FnOnce(&mut System) -> T) -> T {
        change(&mut self.inside().system)
    }

    /// Lets something go wrong from now on. Of several plans the first that fits a call happens.
    pub fn plan(&self, plan: Plan) {
        self.inside().plans.push(plan);
    }

    /// Lets everything go well again.
    pub fn heal(&self) {
        self.inside().plans.clear();
    }

    /// What was asked for since the last look, in order: `LIST?QUERY`, and `token`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().calls)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Site for Fake {
    async fn answer(&self, request: Request) -> Answer {
        let mut inside = self.inside();
        let answer = if request.path == TOKENS {
            inside.token(&request)
        } else {
            inside.data(&request)
        };
        let date = inside.system.date.unwrap_or(inside.system.now);
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.with("date", &date)
    }
}

impl Inside {
    /// A token for the client, for what of the scopes it may have.
    fn token(&mut self, request: &Request) -> Answer {
        self.calls.push("token".to_owned());
        let refused = |status, error| Answer::json(status, format!("{{\"error\":\"{error}\"}}"));
        let form = url_pairs(&String::from_utf8_lossy(&request.body));
        let field = |name: &str| {
            let found = form.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let system = &self.system;
        if request.method != Method::POST || field("grant_type") != "client_credentials" {
            return refused(400, "unsupported_grant_type");
        }
        let by_form = (field("client_id"), field("client_secret"));
        let said = match request.header("authorization") {
            Some(_) if system.quirks.contains(&Quirk::FormOnly) => return refused(400, "invalid_request"),
            Some(header) => by_basic(header).unwrap_or_default(),
            None => by_form,
        };
        if said != (system.client_id.clone(), system.client_secret.clone()) {
            return refused(401, "invalid_client");
        }
        let asked: Vec<String> = field("scope").split_whitespace().map(str::to_owned).collect();
        if asked.is_empty() && system.quirks.contains(&Quirk::ScopeNeeded) {
            return refused(400, "invalid_request");
        }
        // Called by the last part of its address, for some know no other.
        let name = |scope: &String| scope.rsplit('/').next().unwrap_or_default().to_owned();
        let (granted, names): (Vec<String>, BTreeSet<String>) = if asked.is_empty() {
            (system.scopes.iter().cloned().collect(), system.scopes.clone())
        } else {
            let may = |scope: &&String| system.scopes.contains(&name(scope));
            let granted: Vec<String> = asked.iter().filter(may).cloned().collect();
            let names = granted.iter().map(name).collect();
            (granted, names)
        };
        self.given = self.given.saturating_add(1);
        let token = format!("fake-token-{}", self.given);
        let body = serde_json::json!({
            "access_token": token, "token_type": "Bearer", "expires_in": 3_600, "scope": granted.join(" "),
        });
        self.tokens.insert(token, names);
        Answer::json(200, body.to_string())
    }

    /// A list, or one object of it.
    fn data(&mut self, request: &Request) -> Answer {
        let version = self.system.version;
        let Some(path) = request.path.strip_prefix(base(version)) else {
            return Answer::status(404);
        };
        let path = path.trim_start_matches('/').to_owned();
        let (list, id) = path
            .split_once('/')
            .map_or((path.as_str(), None), |(list, id)| (list, Some(id)));
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.calls.push(format!("{path}?{}", query.join("&")));
        // A stamp is taken whatever comes of the question.
        let signed = self.system.signed;
        let signed = signed.map(|hash| self.stamps.believes(&self.system, hash, request));
        let instead = self.plans.iter_mut().find_map(|plan| plan.meets(list));
        match &instead {
            Some(Instead::Expired) => self.tokens.clear(),
            Some(Instead::Change(change)) => (change.0)(&mut self.system),
            Some(Instead::Status(status)) => return answers::refusal(version, *status),
            Some(Instead::Body(body)) => return Answer::json(200, body.clone()),
            _ => {}
        }
        let bearer = request
            .header("authorization")
            .and_then(|header| header.strip_prefix("Bearer "));
        let scopes = match signed {
            Some(believed) => Some(&self.system.scopes).filter(|_| believed),
            None => bearer.and_then(|token| self.tokens.get(token)),
        };
        let Some(scopes) = scopes else {
            return answers::refusal(version, 401);
        };
        let needed = match list {
            "demographics" => ["roster-demographics.readonly"].as_slice(),
            _ => &["roster-core.readonly", "roster.readonly"],
        };
        if !needed.iter().any(|scope| scopes.contains(*scope)) {
            return answers::refusal(version, 403);
        }
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        let answer = match id {
            Some(id) => self.system.one(list, id),
            None => self.system.list(list, request, &origin, instead.as_ref()),
        };
        match instead {
            Some(Instead::Delivered(delivery)) => answer.delivered(delivery),
            _ => answer,
        }
    }
}

/// Name and secret of HTTP Basic, each form-encoded first (RFC 6749 §2.3.1).
fn by_basic(header: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pairs = url_pairs(&format!("x={text}"));
        pairs.into_iter().next().map(|(_, value)| value)
    };
    Some((decoded(id)?, decoded(secret)?))
}
