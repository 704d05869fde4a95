//! It cannot be read from outside data.

use hub_entities::policy::Scope;

fn needs<'a, T: serde::Deserialize<'a>>() {}

fn main() {
    needs::<Scope>();
}
