//! The suite against a toy: one that is as it should be, and some that are not.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hub_entities::time::Part;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::*;
use crate::absences::PupilKey;
use crate::contract::{Discovery, Spec, State};
use crate::fake::{Answer, Request, Site};
use crate::http::{Call, Http, Hurried, Pause, Url};

/// What a connector must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sin {
    None,
    EndsWhereItIsCut,
    TellsTheAnswer,
    ShowsItsToken,
    ForgetsWhatCame,
    LosesInSilence,
    CallsEveryFaultTransient,
    NeverSeesChange,
}

/// Half-days, page by page until one is empty.
struct Toy {
    http: Http,
    base: Url,
    token: SecretString,
    sin: Sin,
}

impl Debug for Toy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.sin {
            Sin::ShowsItsToken => write!(f, "Toy({})", self.token.expose_secret()),
            _ => f.write_str("Toy"),
        }
    }
}

#[derive(Deserialize)]
struct Record {
    pupil: String,
    letter: Option<String>,
}

impl Toy {
    async fn page(&self, number: usize) -> Result<Vec<Record>, Fault> {
        let url = self.base.join(&format!("/page/{number}"));
        let url = url.map_err(|_malformed| Fault::Config("no address"))?;
        let (head, body) = self
            .http
            .whole(&Call::get(&url).bearer(&self.token)?.most(1_000))
            .await?;
        let broken = |rule| Fault::Broken {
            stream: "page",
            record: 0,
            rule,
        };
        match head.status.as_u16() {
            200 if head.media_type() == "application/json" => serde_json::from_slice(&body).map_err(|error| {
                if self.sin == Sin::TellsTheAnswer {
                    return broken(String::from_utf8_lossy(&body).into_owned().leak());
                }
                drop(error);
                broken("page.json")
            }),
            200 => Err(broken("page.type")),
            _ => Err(Fault::Refused("the token")),
        }
    }
}

#[async_trait]
impl Connector for Toy {
    fn spec(&self) -> Spec {
        Spec {
            name: "toy",
            streams: &[Stream::Absences],
            pupil_key: PupilKey::Identifier,
        }
    }

    async fn check(&self) -> Result<(), Fault> {
        self.page(0).await.map(drop)
    }

    async fn discover(&self) -> Result<Discovery, Fault> {
        self.page(0).await?;
        Ok(Discovery {
            notes: vec!["pages".into()],
            ..Discovery::default()
        })
    }

    async fn read(&self, ask: &Ask, sink: &mut dyn Sink) -> Result<Finished, Fault> {
        let mut done = 0;
        let mut lost = 0;
        for number in 0.. {
            let page = match self.page(number).await {
                Err(_cut) if self.sin == Sin::EndsWhereItIsCut => break,
                Err(Fault::Broken { .. }) if self.sin == Sin::CallsEveryFaultTransient => {
                    return Err(Fault::transient("anything"));
                }
                page => page?,
            };
            if page.is_empty() {
                break;
            }
            for record in page {
                let Some(letter) = record.letter else {
                    lost += 1;
                    continue;
                };
                if self.sin == Sin::NeverSeesChange && letter == "Z" {
                    continue;
                }
                done += 1;
                let again = ask.state != State::default();
                let letter = if again && self.sin == Sin::ForgetsWhatCame {
                    "new"
                } else {
                    letter.as_str()
                };
                sink.absence(AbsenceRow {
                    line: done,
                    pupil_key: &record.pupil,
                    at: HalfDay {
                        day: *ask.days.start(),
                        part: Part::Am,
                    },
                    letter,
                    deleted: false,
                });
            }
            sink.progress(done, None);
        }
        if lost > 0 && self.sin != Sin::LosesInSilence {
            sink.gap(Gap {
                rule: "toy.no_letter",
                detail: String::new(),
                records: lost,
            });
        }
        Ok(Finished {
            state: State(done.into()),
            complete: true,
        })
    }
}

/// Three pages and an empty one, for who has the token.
#[derive(Default)]
struct Pages(Mutex<Option<&'static str>>);

#[async_trait]
impl Site for Pages {
    async fn answer(&self, request: Request) -> Answer {
        if request.header("authorization") != Some("Bearer canary-token") {
            return Answer::status(401);
        }
        let more = self.0.lock().expect("not poisoned").unwrap_or("B");
        let body = match request.path.as_str() {
            "/page/0" => r#"[{"pupil":"canary-a","letter":"B"},{"pupil":"canary-b"}]"#.to_owned(),
            "/page/1" => r#"[{"pupil":"canary-c","letter":"B"}]"#.to_owned(),
            "/page/2" => format!(r#"[{{"pupil":"canary-d","letter":"{more}"}}]"#),
            _ => "[]".to_owned(),
        };
        Answer::json(200, body)
    }
}

async fn toy(sin: Sin) -> Subject {
    let pages = Arc::new(Pages::default());
    let site = Arc::new(Unruly::over(pages.clone(), |_| true));
    let host = Host::start(site.clone()).await.expect("a port");
    let pause: Arc<dyn Pause> = Arc::new(Hurried::default());
    let origin = host.origin();
    Subject {
        connector: Box::new(Toy {
            http: Http::new(reach(), limits(), pause).expect("a client"),
            base: origin.parse().expect("an address"),
            token: SecretString::from("canary-token"),
            sin,
        }),
        _host: host,
        site,
        asks: vec![Ask {
            stream: Stream::Absences,
            school: "123456".into(),
            state: State::default(),
            full: false,
            days: day("2026-11-02")..=day("2026-11-03"),
            now: DateTime::<Utc>::UNIX_EPOCH,
        }],
        change: Box::new(move || *pages.0.lock().expect("not poisoned") = Some("Z")),
        changed: |taken| taken.absences.iter().any(|(_, _, letter, _)| letter == "Z"),
        gap: "toy.no_letter",
        canaries: vec!["canary".into(), "127.0.0.1".into(), origin],
        kind: Kind::usual,
    }
}

async fn good() -> Subject {
    toy(Sin::None).await
}

conforms!(a_good_toy, super::good);

/// Whether the suite notices.
macro_rules! noticed {
    ($sin:ident, $test:ident) => {{
        let noticed = tokio::spawn($test(|| toy(Sin::$sin))).await;
        assert!(noticed.is_err_and(|error| error.is_panic()), "{:?}", Sin::$sin);
    }};
}

#[tokio::test]
async fn a_connector_that_does_what_it_must_not_is_noticed() {
    noticed!(EndsWhereItIsCut, a_cut_anywhere_is_a_fault);
    noticed!(TellsTheAnswer, a_cut_anywhere_is_a_fault);
    noticed!(CallsEveryFaultTransient, a_cut_anywhere_is_a_fault);
    noticed!(ShowsItsToken, nothing_shows_what_is_secret);
    noticed!(ForgetsWhatCame, nothing_is_new_from_its_state);
    noticed!(LosesInSilence, what_is_lost_is_told);
    noticed!(NeverSeesChange, a_change_comes_with_the_next_read);
}
