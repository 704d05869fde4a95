//! What `doctor` says of each live source, and of what waits for its pupil.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;

use super::Failure;
use super::house::{Running, law_settings};
use super::sync::{name_of, systems};
use crate::config::Config;
use crate::store::Db;
use crate::sync::look::Line;

/// The longest that is waited for one source. A pull waits longer: a person sits before this.
const WITHIN: Duration = Duration::from_secs(20);
/// How many sources are asked at once.
const AT_ONCE: usize = 32;

/// Looks at every live source, by school and name, and into the quarantine. The schema is up to date.
pub(super) async fn look(config: &Config, db: Db, mut line: impl FnMut(&str, Line)) -> Result<(), Failure> {
    let running = Running::over(db, law_settings(config), None)?;
    let sync = running.sync(None, Arc::new(|_, _| {}));
    let systems = systems(config)?;
    let sources = sync.live_sources().await?;
    let looks = sources.iter().map(|source| async {
        let connector = systems.connect(&source.live);
        (name_of(source), sync.look(source, connector.as_deref(), WITHIN).await)
    });
    // One future after the other is large enough to be on the heap.
    let looks: Vec<_> = looks.map(Box::pin).collect();
    let mut looks = futures::stream::iter(looks).buffered(AT_ONCE);
    while let Some((name, told)) = looks.next().await {
        for one in told? {
            line(&name, one);
        }
    }
    line("quarantine", sync.look_at_waiting().await?);
    Ok(())
}
