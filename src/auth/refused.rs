//! Why a token is refused.

/// The reason, for the metrics and the log; the client is told `invalid_token` and nothing more.
///
/// Carries no part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// No `Authorization` header.
    #[error("no token")]
    Missing,
    /// The header is not `Bearer` and one token, or is sent twice.
    #[error("not one bearer token")]
    NotBearer,
    /// Longer than [`super::verifier::MAX_TOKEN`].
    #[error("token too large")]
    TooLarge,
    /// Not three parts of base64url without padding, or empty ones.
    #[error("token malformed")]
    Malformed,
    /// The header is not a JSON object with each known member once and of its type.
    #[error("token header malformed")]
    Header,
    /// The payload is not a JSON object with each known claim once.
    #[error("token payload malformed")]
    Payload,
    /// `crit` is present: no extension is understood here (RFC 7515 §4.1.11).
    #[error("critical header not understood")]
    Critical,
    /// `typ` is missing or not one of the profile's.
    #[error("wrong token type")]
    Type,
    /// `alg` is not one of the profile's; `none` and `HS*` never are.
    #[error("algorithm not allowed")]
    Algorithm,
    /// No `kid`, or one longer than 256 bytes.
    #[error("no usable key id")]
    KeyId,
    /// `iss` is missing or no text.
    #[error("issuer missing or malformed")]
    Issuer,
    /// `iss` is not exactly an issuer of the configuration.
    #[error("unknown issuer")]
    UnknownIssuer,
    /// No key with this id.
    #[error("unknown key")]
    UnknownKey,
    /// The key is not meant or too weak for this algorithm.
    #[error("key not fit for the algorithm")]
    UnfitKey,
    /// The signature does not fit.
    #[error("signature wrong")]
    Signature,
    /// `aud` is missing or malformed.
    #[error("audience missing or malformed")]
    AudienceMalformed,
    /// `aud` does not hold our identifier exactly.
    #[error("meant for another audience")]
    Audience,
    /// `sub` is missing, no text, empty or longer than 255 bytes.
    #[error("subject missing or malformed")]
    Subject,
    /// `exp` is missing or no number.
    #[error("expiry missing or malformed")]
    ExpiryMalformed,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` is no number.
    #[error("not-before malformed")]
    NotBeforeMalformed,
    /// `nbf` lies ahead.
    #[error("not valid yet")]
    NotYet,
    /// `iat` is missing or no number.
    #[error("issue time missing or malformed")]
    IssuedMalformed,
    /// `iat` lies ahead.
    #[error("issued in the future")]
    IssuedAhead,
    /// Valid for longer than the profile allows.
    #[error("lives too long")]
    Lifetime,
    /// `nonce`, `at_hash` or `c_hash` is present: an ID token, not an access token.
    #[error("an ID token")]
    IdToken,
    /// `cnf` is present: bound to a key or certificate that this door cannot check.
    #[error("bound to its sender")]
    Bound,
    /// The scope claim is malformed.
    #[error("scope malformed")]
    ScopeMalformed,
    /// The required scope is not granted.
    #[error("scope not granted")]
    Scope,
    /// The issuer says that an opaque token does not count: revoked, expired, or never its own.
    #[error("not active")]
    Inactive,
    /// The issuer says of an opaque token that it is none for a bearer.
    #[error("no bearer token")]
    TokenType,
    /// The issuer's keys cannot be had.
    #[error("keys of the issuer unavailable")]
    KeysUnavailable,
    /// The issuer does not say whether an opaque token counts: it is not there, too slow or too busy.
    #[error("introspection unavailable")]
    IntrospectionUnavailable,
    /// The issuer does not take this hub's question: its client or secret, or the address, is wrong.
    #[error("introspection refused to the hub")]
    IntrospectionDenied,
    /// The issuer's answer is not one of RFC 7662.
    #[error("introspection answered what cannot be read")]
    IntrospectionMalformed,
}

impl Refused {
    /// The label in the metrics and the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotBearer => "not_bearer",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Critical => "crit",
            Self::Type => "typ",
            Self::Algorithm => "alg",
            Self::KeyId => "kid",
            Self::Issuer => "iss",
            Self::UnknownIssuer => "unknown_iss",
            Self::UnknownKey => "unknown_key",
            Self::UnfitKey => "unfit_key",
            Self::Signature => "signature",
            Self::AudienceMalformed => "aud_malformed",
            Self::Audience => "aud",
            Self::Subject => "sub",
            Self::ExpiryMalformed => "exp_malformed",
            Self::Expired => "expired",
            Self::NotBeforeMalformed => "nbf_malformed",
            Self::NotYet => "nbf",
            Self::IssuedMalformed => "iat_malformed",
            Self::IssuedAhead => "iat",
            Self::Lifetime => "lifetime",
            Self::IdToken => "id_token",
            Self::Bound => "cnf",
            Self::ScopeMalformed => "scope_malformed",
            Self::Scope => "scope",
            Self::Inactive => "inactive",
            Self::TokenType => "token_type",
            Self::KeysUnavailable => "keys_unavailable",
            Self::IntrospectionUnavailable => "introspection_unavailable",
            Self::IntrospectionDenied => "introspection_denied",
            Self::IntrospectionMalformed => "introspection_malformed",
        }
    }

    /// Whether nothing is known of the token itself: the client is told to come again, and is never let in.
    pub const fn is_not_the_clients(self) -> bool {
        matches!(
            self,
            Self::KeysUnavailable
                | Self::IntrospectionUnavailable
                | Self::IntrospectionDenied
                | Self::IntrospectionMalformed
        )
    }
}
