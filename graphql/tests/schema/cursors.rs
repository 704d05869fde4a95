//! A cursor belongs to one viewer and one list.

use hub_entities::operation::Role::{ClbDirector, ClbWorker, SchoolClient};

use crate::fake::{Fake, answer, code, over, viewer};

fn pupils(filter: &str, cursor: &str) -> String {
    format!(r#"{{ pupils(first: 10, after: "{cursor}" {filter}) {{ edges {{ node {{ id }} }} }} }}"#)
}

async fn end(schemas: &hub_graphql::Schemas) -> String {
    let query = "{ pupils(first: 10) { totalCount pageInfo { endCursor hasNextPage } } }";
    let data = answer(schemas, viewer(1, ClbWorker), query).await;
    assert_eq!(data["pupils"]["totalCount"], 100);
    assert_eq!(data["pupils"]["pageInfo"]["hasNextPage"], true);
    data["pupils"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_next_page_begins_after_the_cursor() {
    let (schemas, _) = over(Fake::default());
    let end = end(&schemas).await;
    let data = answer(&schemas, viewer(1, ClbWorker), &pupils("", &end)).await;
    let first = &data["pupils"]["edges"][0]["node"]["id"];
    assert_eq!(first, "pup_0000000000000000000000000000000b");
}

#[tokio::test]
async fn another_viewer_list_or_byte_is_refused() {
    let (schemas, hub) = over(Fake::default());
    let end = end(&schemas).await;
    let before = hub.asked.load(std::sync::atomic::Ordering::Relaxed);
    let mut cases = vec![
        (viewer(2, ClbWorker), pupils("", &end)),
        (viewer(1, ClbDirector), pupils("", &end)),
        (viewer(1, SchoolClient), pupils("", &end)),
        (viewer(1, ClbWorker), pupils(", orderBy: FAMILY_NAME", &end)),
        (
            viewer(1, ClbWorker),
            pupils(", filter: { truancyCountAtLeast: 5 }", &end),
        ),
        (viewer(1, ClbWorker), pupils("", "")),
        (viewer(1, ClbWorker), pupils("", "AAAA")),
        (viewer(1, ClbWorker), pupils("", &end[1..])),
        (
            viewer(1, ClbWorker),
            format!(r#"{{ signals(first: 1, after: "{end}") {{ edges {{ cursor }} }} }}"#),
        ),
        (
            viewer(1, ClbWorker),
            format!(r#"{{ changes(first: 1, after: "{end}") {{ endCursor }} }}"#),
        ),
    ];
    // Every letter of it counts.
    for at in 0..end.len() {
        let other = if &end[at..=at] == "A" { "Q" } else { "A" };
        let mut altered = end.clone();
        altered.replace_range(at..=at, other);
        cases.push((viewer(1, ClbWorker), pupils("", &altered)));
    }
    for (viewer, query) in cases {
        assert_eq!(code(&schemas, viewer, &query).await, "CURSOR_INVALID", "{query}");
    }
    assert_eq!(
        hub.asked.load(std::sync::atomic::Ordering::Relaxed),
        before,
        "the hub was asked"
    );
}

#[tokio::test]
async fn pages_are_capped() {
    let (schemas, _) = over(Fake::default());
    for first in ["0", "-5", "201", "2147483647"] {
        let query = format!("{{ pupils(first: {first}) {{ totalCount }} }}");
        assert_eq!(code(&schemas, viewer(1, ClbWorker), &query).await, "PAGE_INVALID");
    }
}

#[tokio::test]
async fn changes_go_on_where_they_ended() {
    let (schemas, _) = over(Fake::default());
    let query = "{ changes(first: 3) { endCursor hasMore changes { cursor id kind count } } }";
    let data = answer(&schemas, viewer(1, ClbWorker), query).await;
    assert_eq!(data["changes"]["changes"][2]["cursor"], data["changes"]["endCursor"]);
    let end = data["changes"]["endCursor"].as_str().unwrap();
    let query = format!(r#"{{ changes(first: 1, after: "{end}") {{ changes {{ id }} }} }}"#);
    let data = answer(&schemas, viewer(1, ClbWorker), &query).await;
    assert_eq!(
        data["changes"]["changes"][0]["id"],
        "evt_00000000000000000000000000000004"
    );
    assert_eq!(code(&schemas, viewer(2, ClbWorker), &query).await, "CURSOR_INVALID");
}
