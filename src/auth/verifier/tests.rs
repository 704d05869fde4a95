//! Every class of bad token, each refused for its own reason.

use serde_json::{Value, json};

use super::*;
use crate::auth::demo_issuer::DemoIssuer;
use crate::auth::testing::{TestKey, ed_key, es256_key, fixed, rsa_key, sign, sign_raw};
use crate::auth::{Algorithm, TokenType};

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://id.example";
const ID_TOKENS: &str = "https://entra.example";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOW + seconds, 0).expect("an instant")
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "es" })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "clb-hub", "sub": "someone", "iat": NOW, "exp": NOW + 300, "scope": "hub other" })
}

/// The value with one member set, or taken away where it is null.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    object
}

struct World {
    es: TestKey,
    ed: TestKey,
    rsa: TestKey,
    weak: TestKey,
    stranger: TestKey,
    verifier: Verifier,
}

fn world() -> World {
    let (es, ed) = (es256_key("es"), ed_key("ed"));
    let rsa = rsa_key("rsa", aws_lc_rs::rsa::KeySize::Rsa2048);
    let mut weak = rsa_key("weak", aws_lc_rs::rsa::KeySize::Rsa2048);
    // A key of 1,024 bits cannot be made any more; one that says so is refused before it is used.
    if let jsonwebtoken::jwk::AlgorithmParameters::RSA(parameters) = &mut weak.public.algorithm {
        parameters.n = BASE64_URL_SAFE_NO_PAD.encode([0xC5_u8; 128]);
    }
    let mut profile = Profile::new(ISSUER, "clb-hub");
    profile.algorithms = vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa];
    profile.scope = Some("hub".to_owned());
    let mut entra = Profile::new(ID_TOKENS, "clb-hub");
    entra.types = vec![TokenType::Jwt];
    let verifier = Verifier::new([(profile, fixed(&[&es, &ed, &rsa, &weak])), (entra, fixed(&[&es]))]);
    World {
        es,
        ed,
        rsa,
        weak,
        stranger: es256_key("es"),
        verifier,
    }
}

#[tokio::test]
async fn good_tokens_open_the_door() {
    let world = world();
    let good = [
        sign(&world.es, &header(), &claims()),
        sign(
            &world.ed,
            &json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "ed" }),
            &claims(),
        ),
        sign(
            &world.rsa,
            &json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }),
            &claims(),
        ),
        sign(
            &world.es,
            &with(header(), "typ", json!("application/AT+JWT")),
            &claims(),
        ),
        sign(
            &world.es,
            &header(),
            &with(claims(), "aud", json!(["account", "clb-hub"])),
        ),
        sign(&world.es, &header(), &with(claims(), "nbf", json!(NOW + 30))),
        sign(&world.es, &header(), &with(claims(), "iat", json!(NOW + 30))),
        sign(&world.es, &header(), &with(claims(), "exp", json!(NOW - 29))),
        sign(&world.es, &header(), &with(claims(), "exp", json!(NOW + 3_600))),
        // Keys in the header are not read, so they do no harm.
        sign(
            &world.es,
            &with(header(), "jku", json!("https://evil.example/jwks")),
            &claims(),
        ),
    ];
    for (number, token) in good.iter().enumerate() {
        let identity = world.verifier.verify(token, at(0)).await;
        let proven = identity.map(|identity| (identity.issuer, identity.subject));
        let expected = (ISSUER.to_owned(), "someone".to_owned());
        assert_eq!(proven, Ok(expected), "good token {number}");
    }
    let jwt = sign(
        &world.es,
        &with(header(), "typ", json!("JWT")),
        &with(claims(), "iss", json!(ID_TOKENS)),
    );
    assert!(world.verifier.verify(&jwt, at(0)).await.is_ok());
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table, one row a token")]
async fn every_bad_token_is_refused_for_its_own_reason() {
    let world = world();
    let es = |header: Value, claims: Value| sign(&world.es, &header, &claims);
    let header_with = |name: &str, value: Value| es(with(header(), name, value), claims());
    let claim = |name: &str, value: Value| es(header(), with(claims(), name, value));
    let id_token = |name: &str| {
        let claims = with(with(claims(), "iss", json!(ID_TOKENS)), name, json!("x"));
        es(with(header(), "typ", json!("JWT")), claims)
    };
    let good = es(header(), claims());
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let b64 = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    // The classic: the public key used as the secret of an HMAC.
    let confused = {
        let public = serde_json::to_vec(&world.es.public).expect("JSON");
        let header = with(header(), "alg", json!("HS256"));
        let message = format!("{}.{}", b64(&header.to_string()), b64(&claims().to_string()));
        let secret = jsonwebtoken::EncodingKey::from_secret(&public);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256)
            .expect("a signature");
        format!("{message}.{signature}")
    };
    let forged_payload = {
        let (head, _) = message.split_once('.').expect("two parts");
        format!(
            "{head}.{}.{signature}",
            b64(&with(claims(), "sub", json!("director")).to_string())
        )
    };
    let bad: Vec<(&str, String, Refused)> = vec![
        ("64 KiB", claim("filler", json!("x".repeat(65_536))), Refused::TooLarge),
        ("empty", String::new(), Refused::Malformed),
        ("one part", "abc".to_owned(), Refused::Malformed),
        ("two parts", message.to_owned(), Refused::Malformed),
        ("four parts", format!("{good}.x"), Refused::Malformed),
        ("empty signature", format!("{message}."), Refused::Malformed),
        ("padding", format!("{good}=="), Refused::Malformed),
        ("trailing newline", format!("{good}\n"), Refused::Malformed),
        (
            "header no JSON",
            sign_raw(&world.es, "alg", &claims().to_string()),
            Refused::Header,
        ),
        (
            "header an array",
            sign_raw(&world.es, "[1]", &claims().to_string()),
            Refused::Header,
        ),
        (
            "alg twice",
            sign_raw(
                &world.es,
                r#"{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"es"}"#,
                &claims().to_string(),
            ),
            Refused::Header,
        ),
        (
            "payload no JSON",
            sign_raw(&world.es, &header().to_string(), "sub"),
            Refused::Payload,
        ),
        (
            "sub twice",
            sign_raw(
                &world.es,
                &header().to_string(),
                &claims().to_string().replacen('{', r#"{"sub":"director","#, 1),
            ),
            Refused::Payload,
        ),
        (
            "scope twice",
            sign_raw(
                &world.es,
                &header().to_string(),
                &claims().to_string().replacen('{', r#"{"scope":"admin","#, 1),
            ),
            Refused::Payload,
        ),
        ("crit", header_with("crit", json!(["exp"])), Refused::Critical),
        (
            "crit null",
            sign_raw(
                &world.es,
                r#"{"alg":"ES256","typ":"at+jwt","kid":"es","crit":null}"#,
                &claims().to_string(),
            ),
            Refused::Critical,
        ),
        ("no typ", header_with("typ", Value::Null), Refused::Type),
        (
            "typ JWT at an RFC 9068 issuer",
            header_with("typ", json!("JWT")),
            Refused::Type,
        ),
        ("typ a number", header_with("typ", json!(1)), Refused::Type),
        ("typ dpop", header_with("typ", json!("dpop+jwt")), Refused::Type),
        (
            "at+jwt at an issuer of JWT",
            claim("iss", json!(ID_TOKENS)),
            Refused::Type,
        ),
        (
            "alg none",
            format!(
                "{}.{}.{signature}",
                b64(&with(header(), "alg", json!("none")).to_string()),
                b64(&claims().to_string())
            ),
            Refused::Algorithm,
        ),
        ("alg NoNe", header_with("alg", json!("NoNe")), Refused::Algorithm),
        ("alg missing", header_with("alg", Value::Null), Refused::Algorithm),
        ("alg HS256 with the public key", confused, Refused::Algorithm),
        (
            "alg not in the profile",
            header_with("alg", json!("PS256")),
            Refused::Algorithm,
        ),
        (
            "alg of another key",
            header_with("alg", json!("RS256")),
            Refused::UnfitKey,
        ),
        (
            "weak RSA",
            sign(
                &world.weak,
                &json!({ "alg": "RS256", "typ": "at+jwt", "kid": "weak" }),
                &claims(),
            ),
            Refused::UnfitKey,
        ),
        ("no kid", header_with("kid", Value::Null), Refused::KeyId),
        ("kid empty", header_with("kid", json!("")), Refused::KeyId),
        (
            "kid too long",
            header_with("kid", json!("k".repeat(257))),
            Refused::KeyId,
        ),
        (
            "kid a path",
            header_with("kid", json!("../../dev/null")),
            Refused::UnknownKey,
        ),
        (
            "own key in the header",
            sign(
                &world.stranger,
                &with(
                    header(),
                    "jwk",
                    serde_json::to_value(&world.stranger.public).expect("JSON"),
                ),
                &claims(),
            ),
            Refused::Signature,
        ),
        (
            "stranger's key",
            sign(&world.stranger, &header(), &claims()),
            Refused::Signature,
        ),
        ("payload changed", forged_payload, Refused::Signature),
        ("no iss", claim("iss", Value::Null), Refused::Issuer),
        ("iss an array", claim("iss", json!([ISSUER])), Refused::Issuer),
        (
            "iss with a slash",
            claim("iss", json!("https://id.example/")),
            Refused::UnknownIssuer,
        ),
        (
            "iss in capitals",
            claim("iss", json!("https://ID.example")),
            Refused::UnknownIssuer,
        ),
        ("no aud", claim("aud", Value::Null), Refused::AudienceMalformed),
        ("aud a number", claim("aud", json!(7)), Refused::AudienceMalformed),
        ("aud empty", claim("aud", json!([])), Refused::AudienceMalformed),
        (
            "aud of mixed kinds",
            claim("aud", json!(["clb-hub", 7])),
            Refused::AudienceMalformed,
        ),
        ("aud another", claim("aud", json!("lars")), Refused::Audience),
        ("aud a prefix", claim("aud", json!("clb-hub.evil")), Refused::Audience),
        ("aud others", claim("aud", json!(["a", "b"])), Refused::Audience),
        ("no sub", claim("sub", Value::Null), Refused::Subject),
        ("sub a number", claim("sub", json!(42)), Refused::Subject),
        ("sub empty", claim("sub", json!("")), Refused::Subject),
        ("sub with a line end", claim("sub", json!("a\nb")), Refused::Subject),
        ("no exp", claim("exp", Value::Null), Refused::ExpiryMalformed),
        (
            "exp a text",
            claim("exp", json!("1790000300")),
            Refused::ExpiryMalformed,
        ),
        ("exp endless", claim("exp", json!(1e300)), Refused::ExpiryMalformed),
        ("expired by the skew", claim("exp", json!(NOW - 30)), Refused::Expired),
        (
            "exp at the end of numbers",
            claim("exp", json!(i64::MAX)),
            Refused::Lifetime,
        ),
        ("nbf ahead", claim("nbf", json!(NOW + 31)), Refused::NotYet),
        ("nbf a text", claim("nbf", json!("now")), Refused::NotBeforeMalformed),
        ("no iat", claim("iat", Value::Null), Refused::IssuedMalformed),
        ("iat ahead", claim("iat", json!(NOW + 31)), Refused::IssuedAhead),
        (
            "lives a second too long",
            claim("exp", json!(NOW + 3_601)),
            Refused::Lifetime,
        ),
        ("nonce", id_token("nonce"), Refused::IdToken),
        ("at_hash", id_token("at_hash"), Refused::IdToken),
        ("c_hash", id_token("c_hash"), Refused::IdToken),
        (
            "bound to a certificate",
            claim("cnf", json!({ "x5t#S256": "x" })),
            Refused::Bound,
        ),
        (
            "scope an array",
            claim("scope", json!(["hub"])),
            Refused::ScopeMalformed,
        ),
        ("scope missing", claim("scope", Value::Null), Refused::Scope),
        (
            "scope of which ours is a part",
            claim("scope", json!("hubby")),
            Refused::Scope,
        ),
    ];
    for (name, token, reason) in &bad {
        assert_eq!(world.verifier.verify(token, at(0)).await, Err(*reason), "{name}");
    }
    let distinct: std::collections::BTreeSet<_> = bad.iter().map(|(_, _, reason)| *reason).collect();
    assert_eq!(distinct.len(), 27, "each reason of a token is shown by one");
}

/// Each of two issuers signs well, under the same key id or another, in the name of the other.
#[tokio::test]
async fn an_issuer_proves_its_own_tokens_only() {
    let (ours, same, other) = (es256_key("es"), es256_key("es"), es256_key("b"));
    let verifier = Verifier::new([
        (Profile::new(ISSUER, "clb-hub"), fixed(&[&ours])),
        (Profile::new("https://b.example", "clb-hub"), fixed(&[&same, &other])),
    ]);
    let signed = |key: &TestKey, kid: &str, issuer: &str| {
        let header = with(header(), "kid", json!(kid));
        sign(key, &header, &with(claims(), "iss", json!(issuer)))
    };
    for (key, kid, issuer, refused) in [
        (&ours, "es", ISSUER, None),
        (&same, "es", "https://b.example", None),
        (&other, "b", "https://b.example", None),
        (&same, "es", ISSUER, Some(Refused::Signature)),
        (&other, "b", ISSUER, Some(Refused::UnknownKey)),
        (&other, "es", ISSUER, Some(Refused::Signature)),
        (&ours, "es", "https://b.example", Some(Refused::Signature)),
    ] {
        let judged = verifier.verify(&signed(key, kid, issuer), at(0)).await;
        assert_eq!(judged.err(), refused, "{kid} for {issuer}");
    }
}

#[tokio::test]
async fn one_bearer_header_and_nothing_else() {
    let world = world();
    let token = sign(&world.es, &header(), &claims());
    let ask = async |values: &[String]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("a header"));
        }
        world
            .verifier
            .authenticate(&headers, at(0))
            .await
            .map(|identity| identity.subject)
    };
    assert_eq!(ask(&[format!("Bearer {token}")]).await, Ok("someone".to_owned()));
    assert_eq!(ask(&[format!("bearer {token}")]).await, Ok("someone".to_owned()));
    assert_eq!(ask(&[]).await, Err(Refused::Missing));
    assert_eq!(ask(&[format!("Basic {token}")]).await, Err(Refused::NotBearer));
    assert_eq!(ask(std::slice::from_ref(&token)).await, Err(Refused::NotBearer));
    let twice = format!("Bearer {token}");
    assert_eq!(ask(&[twice.clone(), twice]).await, Err(Refused::NotBearer));
    assert_eq!(ask(&[format!("Bearer  {token}")]).await, Err(Refused::Malformed));
}

/// What is proven ends the very second in which the token itself would be refused.
#[tokio::test]
async fn an_identity_says_until_when_it_holds() {
    let world = world();
    let token = sign(&world.es, &header(), &with(claims(), "exp", json!(NOW + 100)));
    let identity = world.verifier.verify(&token, at(0)).await.expect("a good token");
    assert_eq!(identity.expires_at, at(130), "with the skew of 30 s");
    assert!(world.verifier.verify(&token, at(129)).await.is_ok());
    assert_eq!(world.verifier.verify(&token, at(130)).await, Err(Refused::Expired));
}

#[test]
fn an_identity_does_not_print_its_subject() {
    let identity = Identity {
        issuer: ISSUER.to_owned(),
        subject: "canary".to_owned(),
        assured: false,
        step_up: None,
        expires_at: at(0),
    };
    assert!(!format!("{identity:?}").contains("canary"));
}

/// R24: strong and fresh, or it opens nothing under secrecy.
#[tokio::test]
async fn a_sign_in_is_assured_by_its_means_and_its_age() {
    let issuer = DemoIssuer::new(
        "https://issuer.example",
        "hub",
        &crate::runtime::new_signing_key().unwrap(),
    )
    .unwrap();
    let (mut profile, KeySource::Fixed(keys)) = issuer.trust().unwrap() else {
        panic!("the demo's keys are at hand")
    };
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let minted = at("2026-10-01T10:00:00Z");
    let token = issuer.mint("someone", minted, uuid::Uuid::from_u128(1)).unwrap();
    let assured = async |profile: &Profile, now: &str| {
        let verifier = Verifier::new([(profile.clone(), KeySource::Fixed(Arc::clone(&keys)))]);
        verifier.verify(&token, at(now)).await.unwrap().assured
    };
    assert!(assured(&profile, "2026-10-01T10:00:00Z").await);
    let others = ["urn:be:vlaanderen:authmech:password".to_owned()];
    profile.assurance = others.to_vec();
    assert!(!assured(&profile, "2026-10-01T10:00:00Z").await);
    profile.assurance = Vec::new();
    assert!(!assured(&profile, "2026-10-01T10:00:00Z").await);

    // By its age alone, whatever the token's own life is.
    let claims = |acr: &str, auth_time: &str| {
        let text = format!("{{\"acr\": \"{acr}\", \"auth_time\": {auth_time}}}");
        Claims::parse(text.as_bytes()).unwrap()
    };
    profile.assurance = vec!["strong".to_owned()];
    let signed_in = minted.timestamp();
    let after = |hours: i64, seconds: i64| minted + chrono::TimeDelta::seconds(hours * 3_600 + seconds);
    let strong = claims("strong", &signed_in.to_string());
    assert!(strong.is_assured(&profile, after(0, 0)));
    assert!(strong.is_assured(&profile, after(11, 3_599)));
    assert!(!strong.is_assured(&profile, after(12, 0)));
    // Clocks differ by half a minute, and not by an hour.
    assert!(strong.is_assured(&profile, after(0, -30)));
    assert!(!strong.is_assured(&profile, after(-1, 0)));
    assert!(!claims("weak", &signed_in.to_string()).is_assured(&profile, minted));
    assert!(!claims("strong", "\"now\"").is_assured(&profile, minted));
}
