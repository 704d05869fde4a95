//! Sockets and event streams of the binary itself: the close codes of the protocol, and that none outlives the right that
//! opened it (R22, R40).

use std::time::{Duration, Instant};

use hub_entities::client_grant::{Task, Tasks};
use hub_entities::operation::{Actor, Role};
use hub_entities::time::Clock as _;
use serde_json::{Value, json};

use crate::alerts::Scene;
use crate::audit::post;
use crate::support::database::both_databases;
use crate::support::front::{Closed, Events, Front, Socket, init};
use crate::support::process::{metric, subject};

/// How soon a stream ends when the right does (R22).
const SOON: Duration = Duration::from_secs(5);

fn subscribe(id: &str) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": "subscription { signals { cursor } }" } })
}

both_databases!(each_fault_has_its_close_code, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let serving = scene.folder.serve(&[("CLB_HUB__STREAMS__INIT_SECONDS", "1")]);
    let token = scene.token();
    let closed = async |mut socket: Socket, said: &[Value]| {
        for message in said {
            socket.say(message).await;
        }
        loop {
            if let Err(closed) = socket.next().await {
                return closed.code;
            }
        }
    };
    let open = async || Socket::open(&serving.address).await.unwrap();
    assert_eq!(closed(open().await, &[json!({ "type": "start" })]).await, Some(4400));
    assert_eq!(closed(open().await, &[subscribe("1")]).await, Some(4401));
    assert_eq!(closed(open().await, &[init("no token")]).await, Some(4403));
    assert_eq!(closed(open().await, &[]).await, Some(4408));
    let twice = [init(&token), subscribe("1"), subscribe("1")];
    assert_eq!(closed(open().await, &twice).await, Some(4409));
    assert_eq!(closed(open().await, &[init(&token), init(&token)]).await, Some(4429));
    // A sixth socket of one client.
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(Socket::signed_in(&serving.address, &token).await.unwrap());
    }
    assert_eq!(closed(open().await, &[init(&token)]).await, Some(4429));
});

both_databases!(a_stream_ends_with_its_token, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let serving = scene.folder.serve(&[]);
    let token = scene
        .provider
        .token_for(&subject(&scene.worker), Duration::from_secs(3));
    let begun = Instant::now();
    let mut socket = Socket::signed_in(&serving.address, &token).await.unwrap();
    socket.follow(None).await;
    let mut events = Events::follow(&serving.address, &token, None).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    assert!(events.next().await.is_some());
    let expired = Closed {
        code: Some(4403),
        reason: "Forbidden: the token has expired".to_owned(),
    };
    assert_eq!(socket.next().await, Err(expired));
    assert!(events.next().await.is_none_or(|said| said.get("errors").is_some()));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3) + SOON, "{took:?}");
    // Whoever comes back with the old token is not let in, and with a new one is.
    assert!(Events::refused(&serving.address, &token).await);
    assert!(Socket::signed_in(&serving.address, &scene.token()).await.is_some());
});

both_databases!(a_stream_ends_with_the_right, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let serving = scene.folder.serve(&[]);
    let token = scene.token();
    let mut socket = Socket::signed_in(&serving.address, &token).await.unwrap();
    socket.follow(None).await;
    let mut events = Events::follow(&serving.address, &token, None).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    assert!(events.next().await.is_some());
    // A colleague follows for the same CLB, and goes on: what is read for all of them is read on.
    let Actor::Principal { clb: Some(clb), .. } = &scene.worker else {
        panic!("a worker of a CLB")
    };
    let colleague = scene.world.someone(Role::ClbWorker, None, Some(*clb)).await;
    let colleague = scene.provider.token(&subject(&colleague));
    let mut goes_on = Events::follow(&serving.address, &colleague, None).await.unwrap();
    assert!(goes_on.next().await.is_some());
    // One event is told to all three: from now on it is read once for those of a CLB.
    scene.happen(1).await;
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    assert!(events.next().await.is_some() && goes_on.next().await.is_some());
    let now = clb_hub::runtime::SystemClock.now();
    scene.world.end_principal(&scene.worker, now).await;
    let begun = Instant::now();
    // It happens when it is over: nobody is told of it any more.
    scene.happen(1).await;
    let last = json!({ "clbId": clb.to_string() });
    let said = socket.next().await.unwrap();
    assert_eq!(said["payload"]["data"]["signals"]["noLongerYours"], last, "{said}");
    // It is over, and whoever said who it is on this socket is nobody here any more.
    let forbidden = Closed {
        code: Some(4403),
        reason: "Forbidden".to_owned(),
    };
    assert_eq!(socket.next().await, Err(forbidden));
    let said = events.next().await.unwrap();
    assert_eq!(said["data"]["signals"]["noLongerYours"], last, "{said}");
    assert_eq!(events.next().await, None);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let told = goes_on.next().await.unwrap();
    assert!(told["data"]["signals"]["cursor"].is_string(), "{told}");
    assert_eq!(told["data"]["signals"]["noLongerYours"], Value::Null, "{told}");
});

// A client that reads nothing is cut off once more waits for it than the configuration lets wait; and whoever comes back after
// the last cursor that reached it misses nothing (R40).
both_databases!(
    who_is_cut_off_comes_back_and_misses_nothing,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let serving = scene.folder.serve(&[("CLB_HUB__STREAMS__WAITING", "20")]);
        let token = scene.token();
        let mut narrow = Socket::narrow(&serving.address, &token).await;
        narrow.follow_at_length().await;
        let open = async || metric(&serving.address, r#"clb_hub_streams_open{transport="ws"}"#).await;
        assert_eq!(open().await, Some(1.0));
        // The network holds some hundred updates, twenty wait, and a second goes by in which none is taken.
        let mut happened = 0;
        while open().await != Some(0.0) {
            assert!(happened < 900, "it may let {happened} events wait");
            scene.happen(10).await;
            happened += 10;
        }
        let mut front = Front::default();
        let closed = front.rest(narrow).await;
        assert_eq!(closed.code, None, "no word that it is over: it comes back");
        let told = front.told.len();
        assert!(told < happened, "{told} of {happened}");
        let rest = happened - told;
        assert!(
            front
                .visit(&serving.address, &token, rest, Duration::from_secs(30))
                .await
        );
        assert_eq!(front.told, scene.happened().await);
    }
);

// The school takes back what it lets a vendor's software do, over the wire, and what that follows ends (R22).
both_databases!(a_stream_ends_with_the_grant, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let school = Some(scene.school.id);
    let software = scene.world.registered(Role::SchoolClient, school, None).await;
    let tasks = Tasks::from_iter([Task::Reading]);
    let grant = scene.world.grant(&software, tasks).await;
    let manager = scene.world.someone(Role::SchoolDataManager, school, None).await;
    let serving = scene.folder.serve(&[]);
    let token = |who| scene.provider.token(&subject(who));
    let (of_software, of_manager) = (token(&software), token(&manager));
    let mut socket = Socket::signed_in(&serving.address, &of_software).await.unwrap();
    socket.follow(None).await;
    let mut events = Events::follow(&serving.address, &of_software, None).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    assert!(events.next().await.is_some());
    scene.happen(1).await;
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    assert!(events.next().await.is_some());

    let revoke = format!(
        "mutation {{ revokeClientGrant(input: {{ grant: \"{grant}\" }}) {{ ... on ClientGrantDecided {{ grant {{ ends }} }} }} }}"
    );
    let begun = Instant::now();
    let revoked = post(&serving.address, &of_manager, &revoke).await;
    assert!(
        revoked["data"]["revokeClientGrant"]["grant"]["ends"].is_string(),
        "{revoked}"
    );
    scene.happen(1).await;
    let said = socket.next().await.unwrap();
    let last = &said["payload"]["data"]["signals"];
    assert_eq!(
        (&last["change"], last["noLongerYours"].is_object()),
        (&Value::Null, true),
        "{said}"
    );
    let forbidden = Closed {
        code: Some(4403),
        reason: "Forbidden".to_owned(),
    };
    assert_eq!(socket.next().await, Err(forbidden));
    let said = events.next().await.unwrap();
    assert!(said["data"]["signals"]["noLongerYours"].is_object(), "{said}");
    assert_eq!(events.next().await, None);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
});
