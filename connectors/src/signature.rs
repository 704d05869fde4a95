//! Questions that are signed one by one: OAuth 1.0a (RFC 5849) with two legs, the client alone and no token.
//!
//! OneRoster 1.1 allows it beside tokens. In the field it is HMAC-SHA256, at some HMAC-SHA1 (standards §1.3); RFC 5849
//! §3.4.2 knows the latter only, and the other is the same with another hash.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::http::{Stamp, Url};

/// Whatever is not unreserved is escaped (RFC 5849 §3.6): a space too, never as `+`.
pub(crate) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Under which hash a server takes signatures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hash {
    /// `HMAC-SHA256`, as most do.
    #[default]
    #[serde(rename = "HMAC-SHA256")]
    Sha256,
    /// `HMAC-SHA1`, as some do alone.
    #[serde(rename = "HMAC-SHA1")]
    Sha1,
}

impl Hash {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "HMAC-SHA256",
            Self::Sha1 => "HMAC-SHA1",
        }
    }

    const fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }
}

/// As whom a connection signs. The secret is kept apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name of the client (consumer key).
    pub consumer_key: String,
    /// Under which hash.
    #[serde(default)]
    pub method: Hash,
}

/// Signs the questions of one connection.
pub struct Signer {
    settings: Settings,
    secret: SecretString,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// `secret` is that of the client.
    pub const fn new(settings: Settings, secret: SecretString) -> Self {
        Self { settings, secret }
    }

    /// The `Authorization` of one question without a form. A server takes each stamp once.
    ///
    /// # Errors
    /// The name of the client cannot stand in a header.
    pub fn sign(&self, method: &Method, url: &Url, stamp: Stamp) -> Result<HeaderValue, Fault> {
        let said = [
            ("oauth_consumer_key", self.settings.consumer_key.clone()),
            ("oauth_nonce", format!("{:032x}", stamp.nonce)),
            ("oauth_signature_method", self.settings.method.name().to_owned()),
            ("oauth_timestamp", stamp.seconds.to_string()),
            ("oauth_version", "1.0".to_owned()),
        ];
        let secrets = (self.secret.expose_secret(), "");
        let signature = signature(method, url, &said, self.settings.method, secrets);
        let all = said.iter().map(|(name, value)| (*name, value.as_str()));
        let written: Vec<String> = all
            .chain([("oauth_signature", signature.as_str())])
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let mut header = HeaderValue::try_from(format!("OAuth {}", written.join(", ")))
            .map_err(|_unprintable| Fault::Config("the consumer key cannot stand in a header"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The signature of a question (RFC 5849 §3.4) under the secrets of the client and of a token.
pub(crate) fn signature(
    method: &Method,
    url: &Url,
    said: &[(&str, String)],
    hash: Hash,
    (client, token): (&str, &str),
) -> String {
    let asked = url.query_pairs().map(|(name, value)| (escaped(&name), escaped(&value)));
    let said = said.iter().map(|(name, value)| (escaped(name), escaped(value)));
    let mut pairs: Vec<(String, String)> = asked.chain(said).collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // An address without what is asked: it writes the host in small letters and leaves out the usual port itself.
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let text = [method.as_str(), bare.as_str(), &pairs.join("&")]
        .map(escaped)
        .join("&");
    let key = hmac::Key::new(
        hash.algorithm(),
        format!("{}&{}", escaped(client), escaped(token)).as_bytes(),
    );
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("an address")
    }

    /// The two signed examples of RFC 5849 §1.2.
    #[test]
    fn the_examples_of_the_standard_are_signed_as_it_says() {
        let said = |key: &str, nonce: &str, time: &str, more: (&'static str, &str)| {
            [
                ("oauth_consumer_key", key.to_owned()),
                ("oauth_signature_method", "HMAC-SHA1".to_owned()),
                ("oauth_timestamp", time.to_owned()),
                ("oauth_nonce", nonce.to_owned()),
                (more.0, more.1.to_owned()),
            ]
        };
        let callback = ("oauth_callback", "http://printer.example.com/ready");
        let initiate = said("dpf43f3p2l4k3l03", "wIjqoS", "137131200", callback);
        let at = url("https://photos.example.net/initiate");
        assert_eq!(
            signature(&Method::POST, &at, &initiate, Hash::Sha1, ("kd94hf93k423kf44", "")),
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
        );
        let token = ("oauth_token", "nnch734d00sl2jdk");
        let photos = said("dpf43f3p2l4k3l03", "chapoH", "137131202", token);
        let at = url("http://photos.example.net/photos?file=vacation.jpg&size=original");
        let secrets = ("kd94hf93k423kf44", "pfkkdhi9sl3r4s00");
        assert_eq!(
            signature(&Method::GET, &at, &photos, Hash::Sha1, secrets),
            "MdpQcU8iPSUjWoN/UDMsK2sui9I="
        );
    }

    /// What the Python library `oauthlib` 4.0 signs with the same names, numbers and secrets.
    #[test]
    fn a_question_is_signed_as_a_library_of_others_does() {
        let stamp = Stamp {
            seconds: 1_793_000_000,
            nonce: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        };
        let signed = |address: &str, key: &str, secret: &str, method| {
            let settings = Settings {
                consumer_key: key.to_owned(),
                method,
            };
            let signer = Signer::new(settings, SecretString::from(secret));
            let header = signer.sign(&Method::GET, &url(address), stamp).expect("a header");
            assert!(header.is_sensitive());
            header.to_str().expect("text").to_owned()
        };
        let users = "https://school.example:8443/ims/oneroster/v1p1/users?limit=500&offset=0&sort=sourcedId&orderBy=asc\
             &filter=dateLastModified%3E%3D%272026-11-01T00%3A00%3A00.000Z%27&fields=sourcedId%2Cstatus";
        assert_eq!(
            signed(users, "hub & co", "sécret&%", Hash::Sha256),
            "OAuth oauth_consumer_key=\"hub%20%26%20co\", oauth_nonce=\"0123456789abcdef0123456789abcdef\", \
             oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1793000000\", oauth_version=\"1.0\", \
             oauth_signature=\"blczmBC67EwUFwaqvE0Bo5eABP5uAxE%2B5GgOVSYfIxk%3D\""
        );
        let by_sha1 = signed(users, "hub & co", "sécret&%", Hash::Sha1);
        assert!(
            by_sha1.ends_with("oauth_signature=\"ReMY%2FWyEkevSiLFjedtKL6qooro%3D\""),
            "{by_sha1}"
        );
        // The host in small letters, without the port that is usual.
        let orgs = "https://SCHOOL.example:443/ims/oneroster/v1p1/orgs/a%20b~c?limit=1";
        let of_orgs = signed(orgs, "hub", "s", Hash::Sha256);
        assert!(
            of_orgs.ends_with("oauth_signature=\"9o2v6RqmbPq%2BUHvGemUOJ%2BbKvaVptHH8NqQs2Y164Ac%3D\""),
            "{of_orgs}"
        );
    }

    #[test]
    fn it_shows_nothing_of_itself() {
        let signer = Signer::new(Settings::default(), SecretString::from("canary"));
        assert_eq!(format!("{signer:?}"), "Signer { .. }");
    }
}
