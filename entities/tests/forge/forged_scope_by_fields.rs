//! Its fields are private.

use hub_entities::policy::{Reach, Scope};

fn forge(day: chrono::NaiveDate) -> Scope {
    Scope {
        reach: Reach::Operations,
        viewer: None,
        day,
    }
}

fn main() {
    let _ = forge;
}
