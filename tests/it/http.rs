//! The hub over a real connection: listener, token, principal, realm, schema, database.

use serde_json::Value;
use uuid::Uuid;

use crate::support::database::both_databases;
use crate::support::town::Town;
use crate::support::wire::Listening;
use crate::support::world::at;

both_databases!(only_a_token_opens_the_door, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let hub = Listening::new(&town).await;
    let question = format!("{{ pupil(id: \"{}\") {{ givenName }} }}", town.ada);
    let good = hub.token(&town.viewers.north);
    // The last letter of a signature holds bits that do not count; the first one does.
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let letter = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{rest}.{letter}{}", &signature[1..]);
    let stranger = hub
        .issuer
        .mint("nobody", at("2026-10-01T10:00:00Z"), Uuid::from_u128(2))
        .unwrap();
    let stale = hub
        .issuer
        .mint("nobody", at("2026-09-30T10:00:00Z"), Uuid::from_u128(3))
        .unwrap();
    for (token, status) in [
        (None, 401),
        (Some("no token"), 401),
        (Some(forged.as_str()), 401),
        (Some(stale.as_str()), 401),
        (Some(stranger.as_str()), 403),
    ] {
        let (found, head, body) = hub.ask(token, &question).await;
        assert_eq!(found, status, "{token:?}: {body}");
        assert_eq!(found == 401, head.contains("www-authenticate: bearer"), "{head}");
        assert!(!body.contains("Ada") && !body.contains("\"data\""), "{body}");
    }
    let (status, head, body) = hub.ask(Some(&good), &question).await;
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"data":{"pupil":{"givenName":"Ada"}}}"#)
    );
    assert!(
        head.contains("application/graphql-response+json") && head.contains("no-store"),
        "{head}"
    );
    // That a token was good is no word for another one with the same claims.
    let (status, _, body) = hub.ask(Some(&forged), &question).await;
    assert_eq!(status, 401, "{body}");
    assert_eq!(hub.ask(Some(&good), &question).await.0, 200);
    assert_eq!(hub.send("GET", "/readyz", None, "").await.0, 200);
    assert_eq!(hub.send("GET", "/graphql", Some(&good), "").await.0, 405);
    hub.end().await;
});

both_databases!(the_principal_decides_the_schema, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let hub = Listening::new(&town).await;
    let v = &town.viewers;
    let report = "mutation { reportSignal(input: { signal: \"sig_1\" }) { __typename } }";
    let accept = "mutation { acceptSignal(input: { signal: \"sig_1\" }) { __typename } }";
    let sources = "{ sources(first: 1) { totalCount } }";
    let pupils = "{ pupils(first: 1) { totalCount } }";
    for (viewer, open) in [
        (&v.north, [true, false, true, true]),
        (&v.first, [false, true, false, true]),
        (&v.operator, [false, false, true, false]),
    ] {
        for (question, opens) in [report, accept, sources, pupils].into_iter().zip(open) {
            let (status, _, body) = hub.ask(Some(&hub.token(viewer)), question).await;
            assert_eq!(status, if opens { 200 } else { 400 }, "{question}: {body}");
            assert_eq!(body.contains("\"data\""), opens, "{question}: {body}");
        }
    }
    // Fields come in the order in which they were asked for.
    let (_, _, body) = hub
        .ask(
            Some(&hub.token(&v.second)),
            "{ viewer { role clbId schoolId } pupils(first: 1) { totalCount } }",
        )
        .await;
    let expected = format!(
        r#"{{"data":{{"viewer":{{"role":"CLB_WORKER","clbId":"{}","schoolId":null}},"pupils":{{"totalCount":3}}}}}}"#,
        town.second
    );
    assert_eq!(body, expected);
    let (_, _, body) = hub
        .ask(
            Some(&hub.token(&v.second)),
            "{ pupils(first: 1) { totalCount } viewer { schoolId role } }",
        )
        .await;
    assert_eq!(
        body,
        r#"{"data":{"pupils":{"totalCount":3},"viewer":{"schoolId":null,"role":"CLB_WORKER"}}}"#
    );
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert!(answer.get("errors").is_none());
    hub.end().await;
});
