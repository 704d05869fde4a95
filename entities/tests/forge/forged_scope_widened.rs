//! A scope that was granted cannot be widened: what it lends cannot be written to.

use hub_entities::policy::{Reach, Scope};

fn forge(scope: &mut Scope) {
    *scope.reach() = Reach::Operations;
}

fn main() {
    let _ = forge;
}
