//! Pulling several live sources at once, with a bar for each: what `sync` does, and the first thing that `demo` does.

use std::sync::Arc;

use chrono::NaiveDate;
use futures::StreamExt as _;
use hub_connectors::contract::Stream;
use hub_connectors::live::Systems;
use indicatif::{MultiProgress, ProgressBar};

use super::import::bar_style;
use super::sync::name_of;
use crate::sync::pull::{BUDGET, Brought, LiveSource, Pull, Room};
use crate::sync::{Sync, SyncError};

/// What is to be told of one pull.
pub(super) type Told<'a> = dyn FnMut(&LiveSource, Stream, Result<Brought, SyncError>) + Send + 'a;

/// How several sources are pulled.
pub(super) struct Pulling<'a> {
    /// What brings in.
    pub(super) sync: &'a Sync,
    /// The way to the systems.
    pub(super) systems: &'a Systems,
    /// How many are read at once. They wait for their source; what weighs on the database is done a few at a time.
    pub(super) at_once: usize,
    /// Says what would change; nothing is.
    pub(super) dry_run: bool,
    /// Everything, whatever was read before.
    pub(super) full: bool,
    /// The first day of absence that is asked for.
    pub(super) since: Option<NaiveDate>,
    /// What these pulls share; told to stop, reads under way are given up and none begins.
    pub(super) room: &'a Room,
}

/// The bar of one source, under those that are there, and what moves it: rows done, of how many.
fn bar(bars: &MultiProgress, name: String) -> (ProgressBar, Arc<dyn Fn(u64, u64) + Send + std::marker::Sync>) {
    let bar = bars.add(ProgressBar::new(0).with_style(bar_style()));
    bar.set_prefix(name);
    let shown = bar.clone();
    let progress = Arc::new(move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
    });
    (bar, progress)
}

impl Pulling<'_> {
    /// Pulls these streams, one after the other, of these sources, and tells what came of each.
    pub(super) async fn all(&self, streams: &[Stream], sources: &[LiveSource], told: &mut Told<'_>) {
        let bars = MultiProgress::new();
        for stream in streams {
            let these = sources.iter().filter(|source| source.live.brings(*stream));
            let (bars, stream) = (&bars, *stream);
            let pulls = these.map(|source| async move {
                let (bar, progress) = bar(bars, name_of(source));
                let sync = Sync {
                    progress,
                    ..self.sync.clone()
                };
                let outcome = self.one(&sync, source, stream).await;
                bar.finish_and_clear();
                (source, outcome)
            });
            // One future after the other is large enough to be on the heap.
            let pulls: Vec<_> = pulls.map(Box::pin).collect();
            let mut pulls = futures::stream::iter(pulls).buffer_unordered(self.at_once);
            while let Some((source, outcome)) = pulls.next().await {
                bars.suspend(|| told(source, stream, outcome));
            }
        }
    }

    async fn one(&self, sync: &Sync, source: &LiveSource, stream: Stream) -> Result<Brought, SyncError> {
        let connector = self.systems.connect(&source.live)?;
        let pull = Pull {
            connection: &source.connection,
            school: &source.school,
            connector: &*connector,
            stream,
            full: self.full,
            since: self.since,
            budget: BUDGET,
            knock: false,
            room: Some(self.room),
        };
        if self.dry_run {
            sync.preview(&pull).await
        } else {
            sync.pull(&pull).await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal in memory: its lines, and on which of them the cursor is.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<(Vec<String>, usize)>>);

    impl Screen {
        fn at<T>(&self, write: impl FnOnce(&mut String) -> T) -> T {
            let mut screen = self.0.lock().unwrap();
            let row = screen.1;
            if screen.0.len() <= row {
                screen.0.resize(row + 1, String::new());
            }
            write(&mut screen.0[row])
        }

        fn go(&self, to: impl FnOnce(usize) -> usize) {
            let mut screen = self.0.lock().unwrap();
            screen.1 = to(screen.1);
        }

        /// The words of each line that has any; the last one of a bar is the time.
        fn shown(&self) -> Vec<Vec<String>> {
            let screen = self.0.lock().unwrap();
            let lines = screen.0.iter();
            let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
            words.filter(|words| !words.is_empty()).collect()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
            self.go(|row| row.saturating_sub(lines));
            Ok(())
        }

        fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
            self.go(|row| row + lines);
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.go(|row| row + 1);
            Ok(())
        }

        // What comes behind a full line stands on the next one.
        fn write_str(&self, text: &str) -> io::Result<()> {
            for letter in text.chars() {
                if self.at(|line| line.chars().count()) == usize::from(self.width()) {
                    self.go(|row| row + 1);
                }
                self.at(|line| line.push(letter));
            }
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.at(String::clear);
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_source_has_its_bar_until_it_is_done() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let bars = MultiProgress::with_draw_target(target);
        let (first, of_first) = bar(&bars, "123456/live".to_owned());
        let (second, of_second) = bar(&bars, "222222/other".to_owned());
        of_first(3, 10);
        of_second(700, 1_400);
        first.tick();
        second.tick();
        let shown = |place: usize| {
            let line = &screen.shown()[place];
            // Name, bar, how many of how many.
            (line[0].clone(), line[2].clone())
        };
        assert_eq!(shown(0), ("123456/live".to_owned(), "3/10".to_owned()));
        assert_eq!(shown(1), ("222222/other".to_owned(), "700/1400".to_owned()));
        // A source may say later how many there are.
        of_first(11, 12);
        first.tick();
        assert_eq!(shown(0).1, "11/12");
        // What is told of a pull stands among no bars.
        bars.suspend(|| assert_eq!(screen.shown(), Vec::<Vec<String>>::new()));
        first.finish_and_clear();
        assert_eq!((screen.shown().len(), shown(0).0), (1, "222222/other".to_owned()));
        second.finish_and_clear();
        assert_eq!(screen.shown(), Vec::<Vec<String>>::new());
    }
}
