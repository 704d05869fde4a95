//! A system that believes signatures (OAuth 1.0a) instead of tokens, as masterjx9 and `ClassLink` do (§1.3).

use std::collections::{BTreeMap, BTreeSet};

use super::System;
use crate::fake::Request;
use crate::http::Url;
use crate::signature::{Hash, signature};

/// The stamps that were taken: a server takes none twice.
#[derive(Debug)]
pub(super) struct Stamps(BTreeSet<(String, String)>);

impl Stamps {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether a question is signed by the client, under this hash, and for the first time.
    pub(super) fn believes(&mut self, system: &System, hash: Hash, request: &Request) -> bool {
        self.judged(system, hash, request) == Some(true)
    }

    fn judged(&mut self, system: &System, hash: Hash, request: &Request) -> Option<bool> {
        let mut said = BTreeMap::new();
        for pair in request.header("authorization")?.strip_prefix("OAuth ")?.split(',') {
            let (name, value) = pair.trim().split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
            said.insert(name, value.into_owned());
        }
        let signed = said.remove("oauth_signature")?;
        let of = |name: &str| said.get(name).cloned();
        if of("oauth_consumer_key")? != system.client_id || of("oauth_signature_method")? != hash.name() {
            return None;
        }
        let stamp = (of("oauth_timestamp")?, of("oauth_nonce")?);
        let mut url: Url = format!("http://{}{}", request.header("host")?, request.path)
            .parse()
            .ok()?;
        url.query_pairs_mut().extend_pairs(&request.query);
        let said: Vec<(&str, String)> = said.into_iter().collect();
        let expected = signature(&request.method, &url, &said, hash, (&system.client_secret, ""));
        Some(signed == expected && self.0.insert(stamp))
    }
}
