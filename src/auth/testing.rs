//! Keys and tokens for tests. Every key is made when a test starts.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::Value;

use super::keys::KeySet;

/// A signing key with its public half.
pub(crate) struct TestKey {
    pub(crate) algorithm: jsonwebtoken::Algorithm,
    pub(crate) signing: EncodingKey,
    pub(crate) public: Jwk,
}

fn test_key(kid: &str, algorithm: jsonwebtoken::Algorithm, signing: EncodingKey) -> TestKey {
    let mut public = Jwk::from_encoding_key(&signing, algorithm).expect("a public key");
    public.common.key_id = Some(kid.to_owned());
    TestKey {
        algorithm,
        signing,
        public,
    }
}

pub(crate) fn es256_key(kid: &str) -> TestKey {
    let pkcs8 = crate::runtime::new_signing_key().expect("randomness");
    test_key(kid, jsonwebtoken::Algorithm::ES256, EncodingKey::from_ec_der(&pkcs8))
}

pub(crate) fn ed_key(kid: &str) -> TestKey {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().expect("randomness");
    let pkcs8 = pair.to_pkcs8v1().expect("a key");
    test_key(
        kid,
        jsonwebtoken::Algorithm::EdDSA,
        EncodingKey::from_ed_der(pkcs8.as_ref()),
    )
}

pub(crate) fn rsa_key(kid: &str, size: aws_lc_rs::rsa::KeySize) -> TestKey {
    let pair = aws_lc_rs::rsa::KeyPair::generate(size).expect("randomness");
    let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("a key");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::prelude::BASE64_STANDARD.encode(pkcs8.as_ref())
    );
    let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key");
    test_key(kid, jsonwebtoken::Algorithm::RS256, signing)
}

pub(crate) fn key_set(keys: &[&TestKey]) -> KeySet {
    let keys = keys.iter().map(|key| key.public.clone()).collect();
    KeySet::from(jsonwebtoken::jwk::JwkSet { keys })
}

pub(crate) fn fixed(keys: &[&TestKey]) -> super::verifier::KeySource {
    super::verifier::KeySource::Fixed(Arc::new(key_set(keys)))
}

/// Signs these very bytes, whatever they say.
pub(crate) fn sign_raw(key: &TestKey, header: &str, payload: &str) -> String {
    let message = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(header),
        BASE64_URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key.signing, key.algorithm).expect("a signature");
    format!("{message}.{signature}")
}

pub(crate) fn sign(key: &TestKey, header: &Value, payload: &Value) -> String {
    sign_raw(key, &header.to_string(), &payload.to_string())
}
