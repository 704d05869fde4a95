use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::net::TcpListener;

use super::*;
use crate::fake::{Answer, Delivery, Host, Request, Site};

type Answers = fn(&str, usize) -> Answer;

/// Answers by the path, and counts.
struct Paths {
    asked: AtomicUsize,
    answers: Answers,
}

#[async_trait]
impl Site for Paths {
    async fn answer(&self, request: Request) -> Answer {
        (self.answers)(&request.path, self.asked.fetch_add(1, Ordering::SeqCst))
    }
}

async fn hosted(answers: Answers) -> (Host, Arc<Paths>) {
    let site = Arc::new(Paths {
        asked: AtomicUsize::new(0),
        answers,
    });
    let host = Host::start(site.clone()).await.expect("a port");
    (host, site)
}

fn loopback() -> Reach {
    Reach::Public {
        and: vec!["127.0.0.0/8".parse().expect("a network")],
    }
}

const SHORT: Duration = Duration::from_millis(60);

fn limits() -> Limits {
    Limits {
        idle: SHORT,
        answer: Duration::from_millis(400),
        ..Limits::default()
    }
}

fn client(pause: &Arc<Hurried>) -> Http {
    Http::new(loopback(), limits(), pause.clone()).expect("a client")
}

fn url(host: &Host, path: &str) -> Url {
    format!("{}{path}", host.origin()).parse().expect("an address")
}

async fn asked(answers: Answers, path: &str) -> (Result<(u16, Vec<u8>), Fault>, usize, Vec<Duration>) {
    let (host, site) = hosted(answers).await;
    let pause = Arc::new(Hurried::default());
    let answer = client(&pause)
        .whole(&Call::get(&url(&host, path)).most(1_000))
        .await
        .map(|(head, body)| (head.status.as_u16(), body));
    (answer, site.asked.load(Ordering::SeqCst), pause.waited())
}

fn transient(reason: &'static str) -> Fault {
    Fault::transient(reason)
}

#[test]
fn only_the_public_internet_is_public() {
    let reach = Reach::default();
    for inside in [
        "127.0.0.1",
        "10.1.2.3",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.0.8",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "fe80::1",
        "fd00:ec2::254",
        "fc00::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
    ] {
        let address: IpAddr = inside.parse().expect("an address");
        assert!(!reach.allows(address, false), "{inside}");
    }
    for outside in ["193.190.0.1", "8.8.8.8", "::ffff:8.8.8.8", "2a02:1800::1", "172.32.0.1"] {
        let address: IpAddr = outside.parse().expect("an address");
        assert!(reach.allows(address, false), "{outside}");
        assert!(!reach.allows(address, true), "{outside} in plain text");
    }
}

#[test]
fn a_named_network_is_reached_and_no_more() {
    let reach = Reach::Public {
        and: ["10.20.0.0/16", "fd12::/16"]
            .map(|text| text.parse().expect("a network"))
            .to_vec(),
    };
    let allows = |text: &str| reach.allows(text.parse().expect("an address"), true);
    assert!(allows("10.20.255.1") && allows("::ffff:10.20.0.1") && allows("fd12::7"));
    assert!(!allows("10.21.0.1") && !allows("fd13::7") && !allows("::a14:1"));
    for wrong in ["10.0.0.0/33", "10.0.0.0/", "here", "::/129", "::ffff:10.0.0.0/104", ""] {
        assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
    }
}

/// Says first this address, and from then on the one of the loopback interface.
struct Flips {
    first: Ipv4Addr,
    asked: Mutex<usize>,
}

impl Flips {
    fn from(first: [u8; 4]) -> Arc<Self> {
        Arc::new(Self {
            first: first.into(),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> usize {
        *self.asked.lock().expect("not poisoned")
    }
}

#[async_trait]
impl Names for Flips {
    async fn find(&self, _name: &str) -> std::io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().expect("not poisoned");
        *asked += 1;
        let address = if *asked == 1 { self.first } else { Ipv4Addr::LOCALHOST };
        Ok(vec![address.into()])
    }
}

#[tokio::test]
async fn nothing_out_of_reach_is_called_by_whatever_name() {
    let (host, site) = hosted(|_, _| Answer::json(200, "{}")).await;
    let pause = Arc::new(Hurried::default());
    // TEST-NET-1 goes nowhere and is not public either.
    let flips = Flips::from([192, 0, 2, 1]);
    let names: Arc<dyn Names> = flips.clone();
    let strict = Http::with_names(Reach::default(), limits(), pause.clone(), &names);
    let strict = strict.expect("a client");
    let port = host.origin().rsplit(':').next().expect("a port").to_owned();
    let out_of_reach = Fault::Config("the address lies in a network that the connection may not reach");
    for (address, fault) in [
        (format!("https://127.0.0.1:{port}/"), out_of_reach.clone()),
        (format!("https://[::1]:{port}/"), out_of_reach.clone()),
        (format!("https://[::ffff:127.0.0.1]:{port}/"), out_of_reach.clone()),
        (format!("https://2130706433:{port}/"), out_of_reach.clone()),
        (format!("https://0x7f.1:{port}/"), out_of_reach.clone()),
        // Two tries: the name changes its mind between them.
        (format!("https://flips.example:{port}/"), out_of_reach.clone()),
        (format!("https://flips.example:{port}/"), out_of_reach),
        (
            format!("http://127.0.0.1:{port}/"),
            Fault::Config("http is spoken only to a network that the connection names"),
        ),
        (
            format!("https://user:secret@127.0.0.1:{port}/"),
            Fault::Config("an address with a user in it"),
        ),
        (
            "ftp://127.0.0.1/".to_owned(),
            Fault::Config("an address that is neither http nor https"),
        ),
    ] {
        let address: Url = address.parse().expect("an address");
        let refused = strict.whole(&Call::get(&address)).await.expect_err("out of reach");
        assert_eq!(refused, fault, "{address}");
    }
    assert_eq!(site.asked.load(Ordering::SeqCst), 0);
    assert_eq!(flips.asked(), 2, "what is out of reach is not tried again");
}

/// A listener at this address and another at the loopback address, on one port.
async fn two_on_one_port(address: [u8; 4]) -> (TcpListener, TcpListener) {
    loop {
        let first = TcpListener::bind((Ipv4Addr::from(address), 0)).await.expect("a port");
        let port = first.local_addr().expect("an address").port();
        if let Ok(second) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return (first, second);
        }
    }
}

// Only one address may be reached. The name is that of it when it is first called, and of another when that has hung up: what
// was judged once is judged again, and what was judged is what is called.
#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let allowed = [127, 0, 0, 2];
    let (first, second) = two_on_one_port(allowed).await;
    let port = first.local_addr().expect("an address").port();
    let site = |answers| {
        let asked = AtomicUsize::new(0);
        Arc::new(Paths { asked, answers })
    };
    let named = site(|_, _| Answer::json(200, "{}").delivered(Delivery::Hangup));
    let inside = site(|_, _| Answer::json(200, "{}"));
    let _hosts = [
        Host::on(first, named.clone()).expect("a host"),
        Host::on(second, inside.clone()).expect("a host"),
    ];
    let flips = Flips::from(allowed);
    let names: Arc<dyn Names> = flips.clone();
    let reach = Reach::Public {
        and: vec!["127.0.0.2/32".parse().expect("a network")],
    };
    let http = Http::with_names(reach, limits(), Arc::new(Hurried::default()), &names).expect("a client");
    let address: Url = format!("http://flips.example:{port}/").parse().expect("an address");
    let refused = http.whole(&Call::get(&address)).await.map(drop);
    assert_eq!(
        refused,
        Err(Fault::Config(
            "the address lies in a network that the connection may not reach"
        ))
    );
    let asked = [named, inside].map(|site| site.asked.load(Ordering::SeqCst));
    assert_eq!((asked, flips.asked()), ([1, 0], 2));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (answer, asked, _) = asked(
        |path, _| match path {
            "/there" => Answer::status(302).with("location", "/here"),
            _ => Answer::json(200, "{}"),
        },
        "/there",
    )
    .await;
    assert_eq!(answer, Err(Fault::Config("the address leads to another one")));
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn what_may_go_better_is_asked_again_and_no_sooner_than_said() {
    let (answer, asked, waited) = asked(
        |_, before| match before {
            0 => Answer::status(503).with("retry-after", "7"),
            1 => Answer::json(200, "0123456789").delivered(Delivery::Cut(4)),
            2 => Answer::status(500),
            _ => Answer::json(200, "whole"),
        },
        "/",
    )
    .await;
    assert_eq!(answer, Ok((200, b"whole".to_vec())), "nothing is left of what was cut");
    assert_eq!(asked, 4);
    let half = |millis| Duration::from_millis(millis) / 2;
    assert_eq!(waited, [Duration::from_secs(7) + half(500), half(1_000), half(2_000)]);
}

#[tokio::test]
async fn what_never_gets_better_is_given_up() {
    let cases: [(Answers, Fault); 5] = [
        (
            |_, _| Answer::json(200, "0123456789").delivered(Delivery::Cut(4)),
            transient("the answer broke off"),
        ),
        (
            |_, _| Answer::json(200, "0123456789").delivered(Delivery::Reset(4)),
            transient("the answer broke off"),
        ),
        (
            |_, _| Answer::json(200, "0123456789").delivered(Delivery::Stall(4)),
            transient("the answer stood still"),
        ),
        (
            |_, _| Answer::json(200, "{}").delivered(Delivery::Hangup),
            transient("no answer"),
        ),
        (|_, _| Answer::status(502), transient("it is not available")),
    ];
    for (answers, fault) in cases {
        let (answer, asked, _) = asked(answers, "/").await;
        assert_eq!(answer, Err(fault));
        assert_eq!(asked, 4, "as often as the limits say");
    }
}

#[tokio::test]
async fn a_source_that_wants_to_be_left_alone_is_left_alone() {
    for (said, date, asked_for) in [
        ("3600", "", Duration::from_hours(1)),
        (
            "Sun, 22 Nov 2026 05:21:48 GMT",
            "Sun, 22 Nov 2026 04:21:48 GMT",
            Duration::from_hours(1),
        ),
    ] {
        let (host, site) = hosted(|path, _| {
            let mut parts = path.split('/').skip(1).map(|part| part.replace('_', " "));
            let said = parts.next().unwrap_or_default();
            Answer::of(429, "text/html", "<html>too many</html>")
                .with("retry-after", &said)
                .with("date", &parts.next().unwrap_or_default())
        })
        .await;
        let pause = Arc::new(Hurried::default());
        let path = format!("/{}/{}", said.replace(' ', "_"), date.replace(' ', "_"));
        let refused = client(&pause).whole(&Call::get(&url(&host, &path))).await.map(drop);
        assert_eq!(
            refused,
            Err(Fault::Transient {
                reason: "it is asked too often",
                retry_after: Some(asked_for)
            })
        );
        assert_eq!(site.asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_post_is_sent_once_unless_it_does_no_harm() {
    let (host, site) = hosted(|_, _| Answer::status(500)).await;
    let pause = Arc::new(Hurried::default());
    let address = url(&host, "/");
    let call = Call::post(&address, "text/plain", "once");
    let failed = client(&pause).whole(&call).await.map(drop);
    assert_eq!(failed, Err(transient("it answers with an error of its own")));
    assert_eq!(site.asked.load(Ordering::SeqCst), 1);
    let failed = client(&pause).whole(&call.harmless()).await.map(drop);
    assert_eq!(failed, Err(transient("it answers with an error of its own")));
    assert_eq!(site.asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn the_body_of_an_error_is_read_when_asked() {
    let (host, _) = hosted(|_, _| Answer::of(500, "text/xml", "<fault/>")).await;
    let pause = Arc::new(Hurried::default());
    let address = url(&host, "/");
    let call = Call::post(&address, "text/xml", "<ask/>").read(&[200, 500]);
    let (head, body) = client(&pause).whole(&call).await.expect("an answer");
    assert_eq!((head.status.as_u16(), head.media_type().as_str()), (500, "text/xml"));
    assert_eq!(body, b"<fault/>");
}

#[tokio::test]
async fn an_answer_has_a_size_and_an_end() {
    let too_large = Fault::Broken {
        stream: "http",
        record: 0,
        rule: "http.too_large",
    };
    let cases: [Answers; 2] = [
        |_, _| Answer::json(200, vec![b' '; 1_001]),
        |_, _| Answer::json(200, vec![b' '; 100]).delivered(Delivery::Endless),
    ];
    for answers in cases {
        let (answer, asked, _) = asked(answers, "/").await;
        assert_eq!(answer, Err(too_large.clone()));
        assert_eq!(asked, 1, "it will not be smaller");
    }
    let (host, _) = hosted(|_, _| {
        // A byte well before each pause would be too long, for ever.
        Answer::json(200, vec![b' '; 900]).delivered(Delivery::Slow(1, SHORT / 6))
    })
    .await;
    let pause = Arc::new(Hurried::default());
    let hasty = client(&pause).within(Limits {
        total: Duration::from_millis(300),
        attempts: 1,
        ..limits()
    });
    let cut = hasty.whole(&Call::get(&url(&host, "/"))).await.map(drop);
    assert_eq!(cut, Err(transient("it took too long")));
}

#[test]
fn a_walk_stays_at_home_and_goes_nowhere_twice() {
    let at = |text: &str| text.parse::<Url>().expect("an address");
    let mut trail = Trail::from(&at("https://school.example/api"));
    assert_eq!(trail.visit(&at("https://school.example/api?offset=0")), Ok(()));
    assert_eq!(trail.visit(&at("https://school.example:443/api?offset=5")), Ok(()));
    assert_eq!(
        trail.visit(&at("https://school.example/api?offset=0")),
        Err("paging.same_address_twice")
    );
    for other in [
        "http://school.example/api",
        "https://localhost/api",
        "https://school.example:8443/api",
        "https://school.example.evil/api",
    ] {
        assert_eq!(trail.visit(&at(other)), Err("paging.another_origin"), "{other}");
    }
    for page in 2..pages::MOST_PAGES {
        assert_eq!(trail.visit(&at(&format!("https://school.example/{page}"))), Ok(()));
    }
    assert_eq!(
        trail.visit(&at("https://school.example/more")),
        Err("paging.too_many_pages")
    );
}

#[tokio::test]
async fn nothing_shows_an_address_a_token_or_a_body() {
    let token = SecretString::from("canary-token");
    let address: Url = "https://canary-host.invalid/canary-path?key=canary"
        .parse()
        .expect("an address");
    let call = Call::post(&address, "text/plain", "canary-body")
        .bearer(&token)
        .expect("a header");
    let http = client(&Arc::new(Hurried::default()));
    let head = Head {
        status: StatusCode::OK,
        headers: call.headers.clone(),
    };
    let fault = http.whole(&call).await.expect_err("there is no such host");
    let shown = format!(
        "{call:?} {head:?} {http:?} {:?} {fault} {fault:?}",
        Trail::from(&address)
    );
    assert!(!shown.contains("canary"), "{shown}");
    let unprintable = Call::get(&address)
        .bearer(&SecretString::from("canary\n"))
        .expect_err("a header");
    assert!(!unprintable.to_string().contains("canary"));
}
