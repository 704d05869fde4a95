//! Its constructor is the policy's.

use hub_entities::policy::{Reach, Scope};

fn forge(day: chrono::NaiveDate) -> Scope {
    Scope::new(Reach::Operations, None, day)
}

fn main() {
    let _ = forge;
}
