//! What goes wrong at a tenant, and what the hub is told to do about it.

use super::*;

const METHODS: [&str; 4] = [
    "getReferenceField",
    "getAllGroupsAndClasses",
    "getAllAccountsExtended",
    "getStudentCareer",
];
const DAY: &str = "getAbsentsWithInternalNumberByDate";

async fn met(method: &str, instead: Instead) -> Fault {
    let running = run(school()).await;
    running.fake.plan(Plan::always(method, instead));
    running
        .fault(&ask(if method == DAY {
            Stream::Absences
        } else {
            Stream::Roster
        }))
        .await
}

#[tokio::test]
async fn a_code_says_what_must_happen_next() {
    for method in METHODS.into_iter().chain([DAY]) {
        let kind = async |code| Kind::of(&met(method, Instead::Code(code)).await);
        assert_eq!(kind(8).await, Kind::Refused, "{method}");
        assert_eq!(kind(10).await, Kind::Transient, "{method}");
        assert_eq!(kind(23).await, Kind::Transient, "{method}");
        if method != "getStudentCareer" {
            assert_eq!(kind(14).await, Kind::Broken, "{method}");
            assert_eq!(kind(12).await, Kind::Broken, "{method}");
        }
        if method != "getStudentCareer" && method != "getAllAccountsExtended" {
            assert_eq!(kind(19).await, Kind::Broken, "{method}");
        }
    }
    assert_eq!(Kind::of(&met(DAY, Instead::Code(50)).await), Kind::Refused);
    assert_eq!(Kind::of(&met(DAY, Instead::Code(49)).await), Kind::Broken);
}

#[tokio::test]
async fn a_wrong_access_code_is_refused() {
    let mut platform = school();
    platform.access_code = "another".to_owned();
    let running = run(platform).await;
    assert_eq!(
        Kind::of(&running.connector.check().await.expect_err("refused")),
        Kind::Refused
    );
    assert_eq!(
        Kind::of(&running.connector.discover().await.expect_err("refused")),
        Kind::Refused
    );
}

#[tokio::test]
async fn a_group_without_accounts_of_its_own_is_empty() {
    // Class 3LEEG of the school has none, and the tenant says 19.
    let running = run(school()).await;
    let (complete, roster, _) = running.roster().await;
    assert_eq!((complete, roster.pupils.len(), roster.classes.len()), (true, 3, 3));
}

#[tokio::test]
async fn a_pupil_without_a_career_is_a_pupil() {
    for instead in [
        Instead::Code(12),
        Instead::Code(9),
        Instead::Text(String::new()),
        Instead::Text("[]".into()),
    ] {
        let running = run(school()).await;
        running.fake.plan(Plan::always("getStudentCareer", instead));
        let (complete, roster, gaps) = running.roster().await;
        assert_eq!((complete, roster.pupils.len(), roster.memberships.len()), (true, 3, 3));
        assert!(
            gaps.contains(&"smartschool.pupil_without_career 3".to_owned()),
            "{gaps:?}"
        );
    }
}

#[tokio::test]
async fn a_fault_of_the_server_is_got_over_or_passes() {
    let running = run(school()).await;
    let (_, expected) = running.read(&ask(Stream::Roster)).await;
    for method in METHODS {
        running.fake.plan(Plan::next(method, 2, Instead::ServerFault));
    }
    assert_eq!(running.read(&ask(Stream::Roster)).await.1.rosters, expected.rosters);
    for method in METHODS.into_iter().chain([DAY]) {
        assert_eq!(
            Kind::of(&met(method, Instead::ServerFault).await),
            Kind::Transient,
            "{method}"
        );
        assert_eq!(
            Kind::of(&met(method, Instead::ClientFault).await),
            Kind::Broken,
            "{method}"
        );
    }
}

/// Every word of the server is left unsaid: a fault that repeats the question has the access code in it.
#[tokio::test]
async fn nothing_that_the_server_says_is_repeated() {
    let echoes = [
        Instead::ServerFault,
        Instead::ClientFault,
        Instead::Text(format!("{CODE} is not known")),
        Instead::Text(format!("{{\"{CODE}\":\"x\"}}")),
        Instead::Text(format!("[\"{CODE}\"]")),
        Instead::Body(format!("<html>{CODE}</html>").into()),
        Instead::Body(CODE.into()),
    ];
    for instead in echoes {
        for method in METHODS.into_iter().chain([DAY]) {
            let fault = met(method, instead.clone()).await;
            let shown = format!("{fault} {fault:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

#[tokio::test]
async fn hostile_answers_break_the_read_and_nothing_else() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><a>&b;</a>";
    let entity = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    let cases = [
        ("xml.document_type", Instead::Body(bomb.into())),
        ("xml.document_type", Instead::Body(entity.into())),
        ("soap.element", Instead::Body("<a/>".into())),
        (
            "soap.too_much_before_the_text",
            Instead::Body(format!("<a{}>", " b=\"\"".repeat(1_000_000)).into()),
        ),
        ("soap.element", Instead::Body("<a>".repeat(10_000).into())),
        ("soap.cut_off", Instead::Body("".into())),
        ("answer.neither_code_nor_json", Instead::Text("<groups/>".into())),
        ("json.cut_off", Instead::Text("{\"1\":".into())),
        ("json.malformed", Instead::Text("{\"1\":1e400}".into())),
        ("json.malformed", Instead::Text("{\"\\ud800\":{}}".into())),
        (
            "json.too_deep",
            Instead::Text(format!("{{\"1\":{}", "[".repeat(10_000))),
        ),
        (
            "json.piece_too_large",
            Instead::Text(format!("{{\"1\":\"{}\"}}", "x".repeat(1_000_000))),
        ),
        ("absences.shape", Instead::Text("{\"1\":7}".into())),
        ("absences.list", Instead::Text("[1]".into())),
    ];
    for (expected, instead) in cases {
        match met(DAY, instead).await {
            Fault::Broken { stream, rule, .. } => assert_eq!((stream, rule), (DAY, expected)),
            other => panic!("{expected}: {other}"),
        }
    }
    for (expected, text) in [
        ("groups.base64", "<groups/>".to_owned()),
        ("groups.cut_off", String::new()),
        ("xml.document_type", base64(bomb)),
        ("groups.root", base64("<accounts/>")),
    ] {
        match met("getAllGroupsAndClasses", Instead::Text(text)).await {
            Fault::Broken { rule, .. } => assert_eq!(rule, expected),
            other => panic!("{expected}: {other}"),
        }
    }
}

fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

/// The place of a fault in a list is told, and nothing of what stands there.
#[tokio::test]
async fn a_broken_record_is_named_by_its_place() {
    let json = r#"{"1":{"am":"|","pm":"|"},"2":{"am":"|","pm":"|"},"3":{"am":"canary}}"#;
    let cut = met(DAY, Instead::Text(json.into())).await;
    let broken = |record, rule| Fault::Broken {
        stream: DAY,
        record,
        rule,
    };
    assert_eq!(cut, broken(2, "json.cut_off"));
    let json = r#"{"1":{"am":"|","pm":"|"},"2":{"am":canary,"pm":"|"},"3":{"am":"B","pm":"B"}}"#;
    assert_eq!(met(DAY, Instead::Text(json.into())).await, broken(2, "json.malformed"));
}

#[tokio::test]
async fn endless_and_lying_answers_end() {
    let fault = met(DAY, Instead::Delivered(Delivery::Endless)).await;
    assert_eq!(Kind::of(&fault), Kind::Broken);
    for delivery in [
        Delivery::Cut(300),
        Delivery::Reset(300),
        Delivery::Stall(300),
        Delivery::Hangup,
    ] {
        assert_eq!(
            Kind::of(&met(DAY, Instead::Delivered(delivery)).await),
            Kind::Transient,
            "{delivery:?}"
        );
    }
    // One that comes in crumbs is whole in the end.
    let running = run(school()).await;
    let crumbs = Delivery::Slow(16, std::time::Duration::from_millis(1));
    running
        .fake
        .plan(Plan::always("getReferenceField", Instead::Delivered(crumbs)));
    assert_eq!(running.roster().await.1.pupils.len(), 3);
}

#[tokio::test]
async fn an_address_that_is_none_is_a_setting_to_change() {
    for url in [
        "",
        "demo.smartschool.example",
        "https://demo.example/Webservices/V3?x=1",
        "https://demo.example/#a",
    ] {
        let made = Smartschool::new(Settings::of(url), SecretString::from(CODE), http());
        assert_eq!(Kind::of(&made.expect_err("not an address")), Kind::Config, "{url}");
    }
    // What a school copies from its page works too.
    let running = run_with(school(), |settings| settings.url.push_str("/?wsdl")).await;
    running.connector.check().await.expect("the same address");
    let running = run_with(school(), |settings| settings.url = settings.url.replace("/V3", "/V4")).await;
    assert_eq!(
        Kind::of(&running.connector.check().await.expect_err("nothing there")),
        Kind::Config
    );
}
