//! It cannot be read from outside data.

use hub_entities::policy::Relations;

fn needs<'a, T: serde::Deserialize<'a>>() {}

fn main() {
    needs::<Relations>();
}
