//! A decision is taken, not read from outside data.

use hub_entities::policy::Decision;

fn needs<'a, T: serde::Deserialize<'a>>() {}

fn main() {
    needs::<Decision>();
}
