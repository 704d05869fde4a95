//! A value that is none of its type.

use http::StatusCode;
use serde_json::json;

use super::world;

// What a field finds when it takes a value is of the sender all the same: it is told where and which, and never the value.
#[tokio::test]
async fn a_value_that_is_none_of_its_type_is_the_senders() {
    let world = world();
    for question in ["{ day(on: \"canary\") }", "{ day(on: \"2026-02-30\") }"] {
        let (status, body) = world.ask(question).await;
        assert_eq!(status, StatusCode::OK);
        let error = &body["errors"][0];
        assert_eq!(
            (&error["extensions"]["code"], &error["message"], &error["path"]),
            (
                &json!("INVALID_DOCUMENT"),
                &json!("a value is no NaiveDate"),
                &json!(["day"])
            )
        );
        assert!(!body.to_string().contains("canary"), "{body}");
    }
    for (message, told) in [
        (
            "Failed to parse \"NaiveDate\": canary (occurred while parsing \"EndAgreementInput\")",
            Some("a value in EndAgreementInput is no NaiveDate"),
        ),
        (
            "Expected input type \"Int\", found \"canary (occurred while parsing \\\"x\".",
            Some("a value is no Int"),
        ),
        ("Failed to parse \"a canary\": ", None),
        ("canary", None),
    ] {
        assert_eq!(crate::http::answer::unfit(message).as_deref(), told);
    }
}
