//! Who is asking: access tokens by issuer, and the keys that sign them (R12, R28), or the issuer's own word for them (R13).
//!
//! A token proves an issuer and a subject, nothing more. What that subject may do follows from a
//! row of ours, never from the token.

pub mod claims;
pub mod demo_issuer;
pub mod header;
pub mod introspection;
pub mod jwks;
pub mod keys;
pub mod profile;
pub mod refused;
#[cfg(test)]
pub(crate) mod testing;
pub mod verifier;

pub use profile::{Algorithm, Profile, TokenType};
pub use refused::Refused;
pub use verifier::{Identity, Verifier};
