//! Media types, in and out (GraphQL over HTTP; RFC 9110 §12.5.1).

use http::{HeaderMap, header};

/// In which form the answer goes out. It also decides the status of a refused document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status says whether the document ran.
    GraphqlResponse,
    /// `application/json`: a well-formed request answers 200, whatever became of its document.
    Json,
}

impl Media {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// The form the client likes best, if it takes one of ours. No `Accept` is `application/json`.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Media> {
    let mut lines = headers.get_all(header::ACCEPT).iter().peekable();
    if lines.peek().is_none() {
        return Some(Media::Json);
    }
    // A line that is no text accepts nothing.
    let ranges: Vec<Range<'_>> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(Range::parse)
        .collect();
    let graphql = liking(&ranges, "graphql-response+json");
    let json = liking(&ranges, "json");
    // Named and equally liked, the newer form tells more; under a wildcard the older is expected.
    match (graphql, json) {
        (Some(graphql), Some(json)) if (graphql, 2) >= (json, graphql_rank(&ranges)) => Some(Media::GraphqlResponse),
        (Some(_), None) => Some(Media::GraphqlResponse),
        (_, Some(_)) => Some(Media::Json),
        (None, None) => None,
    }
}

/// Whether the client takes an event stream. No `Accept` takes anything.
pub(super) fn accepts_events(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::ACCEPT).iter().peekable();
    if lines.peek().is_none() {
        return true;
    }
    let ranges = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let events = |range: &Range<'_>| match (range.kind, range.subtype) {
        ("*", "*") => Some(0),
        (kind, "*") if kind.eq_ignore_ascii_case("text") => Some(1),
        (kind, subtype) if kind.eq_ignore_ascii_case("text") && subtype.eq_ignore_ascii_case("event-stream") => Some(2),
        _ => None,
    };
    let found = ranges
        .filter_map(Range::parse)
        .filter_map(|range| Some((events(&range)?, range.quality)));
    found.max().is_some_and(|(_, quality)| quality > 0)
}

/// 2 where the newer form is named itself, 3 where only a wildcard covers it.
fn graphql_rank(ranges: &[Range<'_>]) -> u8 {
    let named = ranges
        .iter()
        .any(|range| range.precision("graphql-response+json") == Some(2));
    if named { 2 } else { 3 }
}

/// How much a subtype of `application` is liked, in thousandths; 0 is a refusal.
fn liking(ranges: &[Range<'_>], subtype: &str) -> Option<u16> {
    let precise = |range: &&Range<'_>| range.precision(subtype);
    let best = ranges
        .iter()
        .filter(|range| precise(range).is_some())
        .max_by_key(precise)?;
    Some(best.quality).filter(|quality| *quality > 0)
}

struct Range<'header> {
    kind: &'header str,
    subtype: &'header str,
    quality: u16,
}

impl<'header> Range<'header> {
    fn parse(text: &'header str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1_000;
        for part in parts {
            let (name, value) = part.split_once('=')?;
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = thousandths(value.trim())?,
                "charset" if !is_utf8(value) => return None,
                _ => {}
            }
        }
        Some(Self { kind, subtype, quality })
    }

    /// How precisely the range names `application/<subtype>`: 2 itself, 1 `application/*`, 0 `*/*`.
    fn precision(&self, subtype: &str) -> Option<u8> {
        let application = self.kind.eq_ignore_ascii_case("application");
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (_, "*") if application => Some(1),
            (_, named) if application && named.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

/// A weight of RFC 9110 §12.4.2: `0` to `1` with up to three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1_000),
        _ => None,
    }
}

fn is_utf8(value: &str) -> bool {
    value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// Whether the body is JSON in UTF-8, neither encoded nor anything a form of a browser can send (R14).
pub(super) fn is_json_body(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(text) = one.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let charset = parts.all(|part| match part.split_once('=') {
        Some((name, value)) => name.trim().eq_ignore_ascii_case("charset") && is_utf8(value),
        None => part.is_empty(),
    });
    json && charset && !headers.contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_form_is_taken() {
        let with = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            accepted(&headers)
        };
        let (graphql, json) = (Some(Media::GraphqlResponse), Some(Media::Json));
        assert_eq!(accepted(&HeaderMap::new()), json);
        for (accept, expected) in [
            ("*/*", json),
            ("application/*", json),
            ("application/json", json),
            ("application/graphql-response+json", graphql),
            ("Application/GraphQL-Response+JSON; charset=UTF-8", graphql),
            ("application/graphql-response+json, application/json", graphql),
            ("application/json, application/graphql-response+json", graphql),
            ("application/graphql-response+json;q=0.9, application/json", json),
            (
                "application/json;q=0.2, application/graphql-response+json;q=0.21",
                graphql,
            ),
            ("application/graphql-response+json, */*;q=0.1", graphql),
            ("application/json;q=0, */*", graphql),
            ("application/graphql-response+json;q=0, */*;q=0.5", json),
            ("text/html, */*;q=0.8", json),
            ("text/html", None),
            ("*/*;q=0", None),
            ("application/json;q=0", None),
            ("application/json; charset=iso-8859-1", None),
            ("application/json;q=2", None),
            ("", None),
        ] {
            assert_eq!(with(accept), expected, "{accept}");
        }
    }

    #[test]
    fn events_go_to_who_takes_them() {
        let with = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            accepts_events(&headers)
        };
        assert!(accepts_events(&HeaderMap::new()));
        for taken in [
            "text/event-stream",
            "*/*",
            "text/*",
            "application/json, Text/Event-Stream;q=0.1",
        ] {
            assert!(with(taken), "{taken}");
        }
        for refused in [
            "application/json",
            "text/html",
            "text/event-stream;q=0, */*",
            "",
            "*/*;q=0",
        ] {
            assert!(!with(refused), "{refused}");
        }
    }

    #[test]
    fn only_json_in_utf8_comes_in() {
        let with = |content_type: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().expect("a header"));
            is_json_body(&headers)
        };
        assert!(with("application/json") && with("Application/JSON; charset=\"UTF-8\"") && with("application/json;"));
        for refused in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
            "application/json; charset=latin1",
            "application/json; boundary=x",
            "application/jsonp",
            "",
        ] {
            assert!(!with(refused), "{refused}");
        }
        assert!(!is_json_body(&HeaderMap::new()));
    }
}
