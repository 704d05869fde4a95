//! There is no default of it.

use hub_entities::policy::Scope;

fn forge() -> Scope {
    Scope::default()
}

fn main() {
    let _ = forge;
}
