use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
    Config::parse(Path::new("hub.toml"), text, variables).map_err(|error| error.to_string())
}

#[test]
fn nothing_set_is_the_embedded_default() {
    let config = parse("", &[]).expect("defaults");
    assert_eq!(config.server.address.to_string(), "127.0.0.1:4000");
    assert_eq!(config.database.url.0.expose_secret(), "sqlite://clb-hub.sqlite");
    assert!(config.issuers.is_empty() && config.telemetry.otlp_endpoint.is_none());
    assert!(!config.limits.get_queries && !config.limits.query().introspection);
}

// Written by hand from R40, and 5,000 streams that are ours.
#[test]
fn streams_are_bounded_as_is_required_unless_something_is_set() {
    let config = parse("", &[]).expect("defaults");
    let required = crate::http::streams::Bounds {
        origins: Vec::new(),
        open: 5_000,
        sockets: 5,
        subscriptions: 50,
        waiting: 1_000,
        init: Duration::from_secs(10),
        ping: Duration::from_secs(30),
        again: Duration::from_secs(5),
        tick: Duration::from_secs(1),
    };
    assert_eq!(config.streams.bounds(), required);
    assert_eq!(crate::http::streams::Bounds::DEFAULT, required);
    let set = "[streams]\norigins = [\"https://a.example\"]\nopen = 1\nsockets = 2\nsubscriptions = 3\nwaiting = 4\n\
               init_seconds = 5\nping_seconds = 6\nagain_seconds = 7\n";
    let bounds = parse(set, &[]).expect("a configuration").streams.bounds();
    let expected = crate::http::streams::Bounds {
        origins: vec!["https://a.example".to_owned()],
        open: 1,
        sockets: 2,
        subscriptions: 3,
        waiting: 4,
        init: Duration::from_secs(5),
        ping: Duration::from_secs(6),
        again: Duration::from_secs(7),
        tick: Duration::from_secs(1),
    };
    assert_eq!(bounds, expected);
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "[server]\naddress = \"127.0.0.1:1\"\n[limits]\ncost = 5\n[issuers.acm]\nissuer = \"https://a\"\naudience = \"b\"\n";
    let config = parse(
        file,
        &[
            ("CLB_HUB__SERVER__ADDRESS", "0.0.0.0:80"),
            ("CLB_HUB__LIMITS__GET_QUERIES", "true"),
            ("CLB_HUB__ISSUERS__ACM__JWKS_URL", "https://a/jwks"),
            ("CLB_HUB__ISSUERS__ACM__ALGORITHMS", "[\"EdDSA\"]"),
            ("CLB_HUB__DATABASE__URL", "postgres://hub@db/hub"),
        ],
    )
    .expect("a configuration");
    assert_eq!(config.server.address.to_string(), "0.0.0.0:80");
    assert_eq!((config.limits.cost, config.limits.get_queries), (5, true));
    assert_eq!(config.issuers["acm"].algorithms, [crate::auth::Algorithm::EdDsa]);
    assert_eq!(config.issuers["acm"].profile().audience, "b");
    assert_eq!(config.database.url.0.expose_secret(), "postgres://hub@db/hub");
}

#[test]
fn secrets_of_sources_come_by_the_environment_and_are_never_shown() {
    let config = parse("", &[("CLB_HUB__SECRETS__SCHOOL_1", "canary")]).expect("a configuration");
    let find = |name: &str| {
        let name = hub_connectors::live::SecretName::try_from(name.to_owned()).expect("a name");
        config.secrets.find(&name).map(|found| found.expose_secret().to_owned())
    };
    assert_eq!(find("school_1").as_deref(), Some("canary"));
    assert_eq!(find("school_2"), None);
    assert!(!format!("{config:?}").contains("canary"));
    let refused = parse("[secrets]\nschool_1 = \"canary\"", &[]).expect_err("in a file");
    assert_eq!(refused, "hub.toml: no section [secrets]");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row a configuration")]
fn what_is_refused_is_named_and_its_value_is_not() {
    let issuer = "[issuers.a]\nissuer = \"i\"\naudience = \"b\"\n";
    let secure = |line: &str| format!("{issuer}jwks_url = \"https://a/jwks\"\n{line}\n");
    let asked = |name: &str| {
        format!(
            "[issuers.{name}]\nissuer = \"{name}\"\naudience = \"b\"\nintrospection_url = \"https://a/introspect\"\n\
             client_id = \"hub\"\nclient_secret_file = \"/secret\"\n"
        )
    };
    for (text, expected) in [
        ("[sever]\nport = 1".to_owned(), "hub.toml: no section [sever]"),
        ("server = 7".to_owned(), "hub.toml: no section [server]"),
        (
            "[server]\nadress = \"canary\"".to_owned(),
            "hub.toml: section [server] has no key `adress`",
        ),
        (
            "[server]\naddress = \"canary\"".to_owned(),
            "hub.toml: [server] address takes an address and a port",
        ),
        (
            "[server]\ndrain_seconds = 31".to_owned(),
            "hub.toml: [server] drain_seconds takes seconds from 1 to 30",
        ),
        (
            "[law]\ndossier_until_age = 121".to_owned(),
            "hub.toml: [law] dossier_until_age takes an age from 0 to 120",
        ),
        (
            "[law]\naccess_log_years = 0".to_owned(),
            "hub.toml: [law] access_log_years takes a number of years from 1 to 100",
        ),
        (
            "[server]\nhead_seconds = 0".to_owned(),
            "hub.toml: [server] head_seconds takes seconds from 1 to 60",
        ),
        (
            "[database]\nurl = \"mysql://canary\"".to_owned(),
            "hub.toml: [database] url takes sqlite://path or postgres://user@host/database",
        ),
        (
            "[telemetry]\nlevel = \"canary\"".to_owned(),
            "hub.toml: [telemetry] level takes error, warn, info, debug or trace",
        ),
        (
            "[issuers]\na = \"canary\"".to_owned(),
            "hub.toml: no section [issuers.a]",
        ),
        (
            "[issuers.a]".to_owned(),
            "hub.toml: [issuers.a] issuer takes a text, and is needed",
        ),
        (
            format!("{issuer}jwks_url = \"http://canary\""),
            "hub.toml: [issuers.a] jwks_url takes an https address",
        ),
        (
            format!("{issuer}jwks_url = \"http://localhost.canary\""),
            "hub.toml: [issuers.a] jwks_url takes an https address",
        ),
        (
            issuer.to_owned(),
            "hub.toml: [issuers.a] jwks_url takes an https address, or introspection_url does",
        ),
        (
            format!("{issuer}introspection_url = \"http://canary\""),
            "hub.toml: [issuers.a] introspection_url takes an https address",
        ),
        (
            secure("introspection_url = \"https://a/introspect\""),
            "hub.toml: [issuers.a] client_id takes a text, where the issuer is asked",
        ),
        (
            secure("introspection_url = \"https://a/introspect\"\nclient_id = \"hub\""),
            "hub.toml: [issuers.a] client_secret_file takes a path where the issuer is asked, and only there",
        ),
        (
            secure("client_secret_file = \"/canary\""),
            "hub.toml: [issuers.a] client_secret_file takes a path where the issuer is asked, and only there",
        ),
        // Of two, none could tell whose token it is without showing it to the other.
        (
            format!("{}{}", asked("a"), asked("b")),
            "hub.toml: [issuers.b] introspection_url takes an https address at one issuer at most",
        ),
        // However safe its keys are: whoever holds a token of a demo is nobody to `serve`.
        (
            "[issuers.a]\nissuer = \"http://127.0.0.1:4000/clb-hub-demo\"\naudience = \"urn:clb-hub:api\"\n\
             jwks_url = \"http://127.0.0.1:4000/clb-hub-demo/jwks\""
                .to_owned(),
            "hub.toml: [issuers.a] issuer takes an issuer that is not a demo's",
        ),
        (
            secure("algorithms = [\"HS256\"]"),
            "hub.toml: [issuers.a] algorithms takes a list of RS256, PS256, ES256 and EdDSA",
        ),
        (
            secure("algorithms = []"),
            "hub.toml: [issuers.a] algorithms takes at least one algorithm",
        ),
        (
            secure("assurance = [\"a b\"]"),
            "hub.toml: [issuers.a] assurance takes a list of texts without blanks, quotes and backslashes",
        ),
        (
            secure("assurance = ['a\"', \"\"]"),
            "hub.toml: [issuers.a] assurance takes a list of texts without blanks, quotes and backslashes",
        ),
        (
            secure("skew_seconds = 31"),
            "hub.toml: [issuers.a] skew_seconds takes seconds, at most 30",
        ),
        (
            secure("lifetime_seconds = 3601"),
            "hub.toml: [issuers.a] lifetime_seconds takes seconds from 1 to 3600",
        ),
        (
            secure("method = \"demo\""),
            "hub.toml: section [issuers.a] has no key `method`",
        ),
        (
            "[server]\naddress = canary".to_owned(),
            "hub.toml: not TOML at line 2, column 11",
        ),
        (
            "[limits]\nintrospection = true".to_owned(),
            "hub.toml: section [limits] has no key `introspection`",
        ),
    ] {
        assert_eq!(parse(&text, &[]).expect_err(&text), expected);
    }
}

/// Of one issuer both kinds of token may be taken; of one that is asked, no keys are needed.
#[test]
fn an_issuer_that_is_asked_is_taken() {
    let asked = "[issuers.acm]\nissuer = \"https://a\"\naudience = \"b\"\nintrospection_url = \"https://a/introspect\"\n\
                 client_id = \"hub\"\nclient_secret_file = \"/secret\"\n";
    let keys = "[issuers.other]\nissuer = \"https://c\"\naudience = \"b\"\njwks_url = \"https://c/jwks\"\n";
    for text in [
        asked.to_owned(),
        format!("{asked}jwks_url = \"https://a/jwks\"\n"),
        format!("{keys}{asked}"),
    ] {
        let config = parse(&text, &[]).expect("a configuration");
        assert_eq!(config.issuers["acm"].introspection_url, "https://a/introspect");
    }
}

/// An issuer of this machine is one like any other, as the benches have: only a demo's is refused.
#[test]
fn an_issuer_on_this_machine_is_taken() {
    let issuer =
        "[issuers.a]\nissuer = \"http://127.0.0.1:4000\"\naudience = \"b\"\njwks_url = \"http://127.0.0.1:4000/jwks\"";
    assert_eq!(parse(issuer, &[]).map(|config| config.issuers.len()), Ok(1));
}

#[test]
fn a_variable_that_nobody_reads_is_refused() {
    for (variable, expected) in [
        (
            "CLB_HUB__SERVER__ADRESS",
            "CLB_HUB__SERVER__ADRESS: section [server] has no key `adress`",
        ),
        ("CLB_HUB__SEVER__ADDRESS", "CLB_HUB__SEVER__ADDRESS: no section [sever]"),
        (
            "CLB_HUB__SERVER",
            "CLB_HUB__SERVER: not of the form CLB_HUB__SECTION__KEY",
        ),
        (
            "CLB_HUB__ISSUERS__ISSUER",
            "CLB_HUB__ISSUERS__ISSUER: not of the form CLB_HUB__SECTION__KEY",
        ),
        (
            "CLB_HUB__LIMITS__COST",
            "CLB_HUB__LIMITS__COST: [limits] cost takes a number from 1 to 1000000",
        ),
    ] {
        assert_eq!(parse("", &[(variable, "canary")]).expect_err(variable), expected);
    }
}

#[test]
fn a_database_address_is_never_printed() {
    let config = parse("[database]\nurl = \"postgres://hub:canary@db/hub\"", &[]).expect("a configuration");
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn the_committed_example_is_what_the_sections_say() {
    let committed = include_str!("../../clb-hub.example.toml");
    assert_eq!(
        committed,
        example(),
        "write the output of `config::example()` to clb-hub.example.toml"
    );
    // As it stands it is the default, and with every line switched on it is still read.
    assert!(parse(committed, &[]).is_ok());
    let all: String = committed
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.contains(" = ") || rest.starts_with('['))
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let config = parse(&all, &[]).expect("every setting");
    assert!(config.issuers.contains_key("acm") && config.keys.cursor_file.is_some());
}

/// The example's defaults are the code's: each setting alone changes nothing.
#[test]
fn the_defaults_shown_are_the_defaults() {
    let shown = parse(&example(), &[]).expect("the example");
    assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));
    assert_eq!(
        shown.database.url.0.expose_secret(),
        Config::default().database.url.0.expose_secret()
    );
}
