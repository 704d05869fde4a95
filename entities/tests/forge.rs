//! Nobody but the policy makes a right to query, and nobody reads one from outside data:
//! the attempts in `forge/` do not compile, each for the reason written beside it.

use hub_entities::operation::Operation;
use hub_entities::policy::{Action, Decision, Reach, Relations, Scope, decide};

#[test]
fn forging_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/forge/*.rs");
}

/// The right way compiles, or the refusals would prove nothing: a decision hands out a scope.
#[expect(dead_code, reason = "that it compiles is the test")]
fn reach(operation: &Operation, relations: &Relations) -> Option<Reach> {
    match decide(operation, relations, Action::ReadPupils) {
        Decision::Allowed(scope) => Some(Scope::reach(&scope).clone()),
        Decision::Refused(_) => None,
    }
}
