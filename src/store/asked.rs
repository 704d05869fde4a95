//! Questions that are asked again and again, each time of others; on PostgreSQL on one way with what others ask at that moment.
//!
//! There each is prepared on a connection and asked by words, so that several fit in one message. Its text is made of pieces
//! that stand in the program, and its values are ids and names of ours: nothing else can be in those words. A value that
//! stands in several places is said once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::sea_query::ArrayType;
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::DbError;
use super::sql::rows;
use super::together::Answers;
use super::transaction::Beginner;

/// A value of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Id(Uuid),
    Ids(Vec<Uuid>),
    Name(&'static str),
}

impl Word {
    /// The type that PostgreSQL knows it by.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Id(_) => "uuid",
            Self::Ids(_) => "uuid[]",
            Self::Name(_) => "text",
        }
    }

    /// Goes on with it, as it stands in a message to PostgreSQL.
    fn say(&self, text: &mut String) {
        let mut buffer = Uuid::encode_buffer();
        text.push('\'');
        match self {
            Self::Id(id) => text.push_str(id.hyphenated().encode_lower(&mut buffer)),
            Self::Ids(ids) => {
                text.push('{');
                for (nth, id) in ids.iter().enumerate() {
                    text.push_str(if nth == 0 { "" } else { "," });
                    text.push_str(id.hyphenated().encode_lower(&mut buffer));
                }
                text.push('}');
            }
            Self::Name(name) => text.push_str(&name.replace('\'', "''")),
        }
        text.push('\'');
    }
}

impl From<&Word> for Value {
    fn from(word: &Word) -> Self {
        match word {
            Word::Id(id) => (*id).into(),
            Word::Ids(ids) => {
                let ids = ids.iter().map(|id| (*id).into()).collect();
                Self::Array(ArrayType::Uuid, Some(Box::new(ids)))
            }
            Word::Name(name) => (*name).into(),
        }
    }
}

/// A question in the making: pieces of text, and the values of the `?` in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    pieces: Vec<&'static str>,
    values: Vec<Word>,
}

impl Words {
    /// Goes on with this.
    pub(super) fn say(mut self, piece: &'static str) -> Self {
        self.pieces.push(piece);
        self
    }

    /// The next `?` is this id.
    pub(super) fn id(mut self, id: Uuid) -> Self {
        self.values.push(Word::Id(id));
        self
    }

    /// The next `?` is this name.
    pub(super) fn name(mut self, name: &'static str) -> Self {
        self.values.push(Word::Name(name));
        self
    }

    /// What was said last is one of these. Of one it is said that it is that: an index is then searched by it under any plan.
    pub(super) fn one_of(self, ids: impl IntoIterator<Item = Uuid>) -> Self {
        let mut ids: Vec<Uuid> = ids.into_iter().collect();
        match (ids.pop(), ids.is_empty()) {
            (Some(id), true) => self.say(" = ?").id(id),
            (last, _) => {
                ids.extend(last);
                let mut all = self.say(" in ?");
                all.values.push(Word::Ids(ids));
                all
            }
        }
    }

    /// Its pieces.
    pub(super) fn pieces(&self) -> &[&'static str] {
        &self.pieces
    }
}

/// A question without its values.
#[derive(Debug)]
pub(super) struct Shape {
    /// Under which number it is prepared; what is not kept is asked alone.
    number: Option<u32>,
    /// Its text, with a `?` in each place of a value.
    text: String,
    /// Which of the different values each `?` stands for.
    stands: Vec<usize>,
    /// Where the columns of each question in it stand, where there are several.
    pub(super) places: Vec<Arc<[usize]>>,
}

/// So many are kept; none of what goes alone, for a page of pupils has a shape of its own.
const KEPT: usize = 512;

/// The pieces of a text, and which of the different values stands in each place.
type Key = (Vec<&'static str>, Vec<usize>);

/// The shapes of what was asked so far, by what they are made of: a text is made once.
#[derive(Debug, Default)]
pub(super) struct Shapes(Mutex<HashMap<Key, Arc<Shape>>>);

impl Shapes {
    /// What is asked in these words, whose text is made of these pieces; its shape is made if it is new.
    pub(super) fn of<'a>(
        &self,
        words: impl IntoIterator<Item = &'a Words>,
        pieces: Vec<&'static str>,
        make: impl FnOnce() -> (String, Vec<Arc<[usize]>>),
    ) -> (Arc<Shape>, Values) {
        let mut values: Vec<Word> = Vec::with_capacity(8);
        let stands = words.into_iter().flat_map(|words| &words.values).map(|word| {
            values.iter().position(|one| one == word).unwrap_or_else(|| {
                values.push(word.clone());
                values.len().saturating_sub(1)
            })
        });
        let key = (pieces, stands.collect());
        let values = Values(values);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = known.get(&key) {
            return (Arc::clone(shape), values);
        }
        let (text, places) = make();
        let shape = Arc::new(Shape {
            number: u32::try_from(known.len())
                .ok()
                .filter(|_| values.are_few() && known.len() < KEPT),
            text,
            stands: key.1.clone(),
            places,
        });
        if shape.number.is_some() {
            known.insert(key, Arc::clone(&shape));
        }
        (shape, values)
    }

    /// The same, of one question.
    pub(super) fn of_one(&self, words: &Words) -> (Arc<Shape>, Values) {
        self.of([words], words.pieces.clone(), || (words.pieces.concat(), Vec::new()))
    }
}

/// The values of a question, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values(Vec<Word>);

/// What names more is asked alone: nobody waits for a long list.
const SHORT: usize = 64;

impl Values {
    /// Whether they may go with those of others.
    fn are_few(&self) -> bool {
        let named = |word: &Word| match word {
            Word::Ids(ids) => ids.len(),
            Word::Id(_) | Word::Name(_) => 1,
        };
        self.0.iter().map(named).sum::<usize>() <= SHORT
    }
}

/// One asking of a question.
pub(super) struct Asking {
    /// What is to hold while it is asked: a statement without values. None on SQLite.
    pub(super) with: Option<String>,
    /// What is asked.
    pub(super) shape: Arc<Shape>,
    /// Of what.
    pub(super) values: Values,
}

impl Asking {
    /// The number under which it goes with others; `None` where it goes alone.
    pub(super) fn number(&self) -> Option<u32> {
        self.shape.number.filter(|_| self.values.are_few())
    }

    /// What prepares it on a connection.
    pub(super) fn prepare(&self, number: u32) -> String {
        let kinds: Vec<&str> = self.values.0.iter().map(Word::kind).collect();
        let mut text = format!("prepare asked_{number} ({}) as ", kinds.join(", "));
        let mut places = self.shape.stands.iter();
        for part in self.shape.text.split_inclusive('?') {
            let Some((before, place)) = part.strip_suffix('?').zip(places.next()) else {
                text.push_str(part);
                continue;
            };
            let nth = place.saturating_add(1).to_string();
            match before.strip_suffix("in ") {
                Some(before) => text.extend([before, "= any($", &nth, ")"]),
                None => text.extend([before, "$", &nth]),
            }
        }
        text
    }

    /// What asks it there.
    pub(super) fn execute(&self, number: u32) -> String {
        let mut text = format!("execute asked_{number} ");
        for (nth, word) in self.values.0.iter().enumerate() {
            text.push_str(if nth == 0 { "(" } else { ", " });
            word.say(&mut text);
        }
        text.push(')');
        text
    }

    /// Asks it alone.
    pub(super) async fn alone(&self, of: &Beginner) -> Result<Vec<QueryResult>, DbError> {
        let tx = of.begin_reading(self.with.clone()).await?;
        let values = self.shape.stands.iter().filter_map(|place| self.values.0.get(*place));
        let found = rows(&tx, &self.shape.text, values.map(Value::from).collect()).await?;
        tx.commit().await?;
        Ok(found)
    }
}

#[async_trait]
impl Answers<Asking> for Beginner {
    type Answer = Vec<QueryResult>;

    async fn all(&self, askings: &[&Asking]) -> Result<Vec<Self::Answer>, DbError> {
        if let Self::Own(own) = self {
            let mut taken = own.take().await?;
            let found = taken.each(askings).await?;
            taken.give_back();
            return Ok(found);
        }
        let mut found = Vec::with_capacity(askings.len());
        for asking in askings {
            found.push(asking.alone(self).await?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sea_orm::ConnectionTrait as _;
    use tracing::{Event, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::super::sql::row;
    use super::super::transaction::tests::alone;
    use super::*;

    fn id(of: u128) -> Uuid {
        Uuid::from_u128(of)
    }

    fn asking(shapes: &Shapes, with: &str, words: &Words) -> Asking {
        let (shape, values) = shapes.of_one(words);
        Asking {
            with: Some(format!("set local clb_hub.clbs = '{with}'")),
            shape,
            values,
        }
    }

    // By hand.
    #[test]
    fn a_value_is_said_once_wherever_it_stands() {
        let words = Words::default().say("select 1 from a where b = ?").id(id(1));
        let words = words.say(" and c").one_of([id(2), id(3)]).say(" and d").one_of([id(1)]);
        let words = words.say(" and e = ? and f = ?").name("o'clock").id(id(1));
        let asking = asking(&Shapes::default(), "", &words.say(" and g").one_of([]));
        assert_eq!(
            asking.prepare(7),
            "prepare asked_7 (uuid, uuid[], text, uuid[]) as select 1 from a \
             where b = $1 and c = any($2) and d = $1 and e = $3 and f = $1 and g = any($4)"
        );
        let [one, two, three] = [1, 2, 3].map(|nth| format!("00000000-0000-0000-0000-00000000000{nth}"));
        assert_eq!(
            asking.execute(7),
            format!("execute asked_7 ('{one}', '{{{two},{three}}}', 'o''clock', '{{}}')")
        );
    }

    #[test]
    fn a_shape_is_known_by_its_text_and_by_where_a_value_stands_again() {
        let shapes = Shapes::default();
        let number = |one: u128, other: u128, text| {
            let words = Words::default().say(text).id(id(one)).id(id(other));
            asking(&shapes, "", &words).number()
        };
        let first = number(1, 2, "select ?, ?");
        assert!(first.is_some());
        assert_eq!(number(3, 4, "select ?, ?"), first);
        assert_ne!(number(5, 5, "select ?, ?"), first, "one value");
        assert_ne!(number(1, 2, "select ? , ?"), first, "another text");
        assert_eq!(number(6, 6, "select ?, ?"), number(7, 7, "select ?, ?"));
    }

    #[test]
    fn what_is_long_or_one_of_too_many_goes_alone() {
        let shapes = Shapes::default();
        let of = |count: u128| Words::default().say("select 1 where a").one_of((0..count).map(id));
        assert!(asking(&shapes, "", &of(64)).number().is_some());
        assert!(asking(&shapes, "", &of(65)).number().is_none());
        // Nor is anything kept of what was never asked but alone.
        let page = Words::default().say("select 2 where a").one_of((0..65).map(id));
        assert!(asking(&shapes, "", &page).number().is_none());
        let longer = |by: usize| (0..by).fold(Words::default().say("select ?").id(id(1)), |words, _| words.say(" "));
        let goes = |by: usize| asking(&shapes, "", &longer(by)).number().is_some();
        // With the one above that is short.
        assert_eq!((0..600).filter(|by| goes(*by)).count(), KEPT - 1);
        assert!(goes(0), "those that are known go on");
    }

    /// What this one is told, and where.
    const WHERE: &str = "select ?, ?, current_setting('clb_hub.clbs'), pg_backend_pid()";

    #[tokio::test]
    async fn each_is_asked_within_what_holds_for_it_and_hears_its_own() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let shapes = Shapes::default();
        let of = |one: u128, other: u128| Words::default().say(WHERE).id(id(one)).id(id(other));
        let none = Words::default().say("select 1 where ? = ?").id(id(1)).id(id(2));
        let asked = [
            asking(&shapes, "first", &of(1, 2)),
            asking(&shapes, "second", &of(3, 4)),
            asking(&shapes, "second", &none),
            asking(&shapes, "second", &of(5, 6)),
            asking(&shapes, "first", &of(7, 8)),
        ];
        let told = beginner.all(&asked.iter().collect::<Vec<_>>()).await?;
        let mut heard = Vec::new();
        for rows in &told {
            for row in rows {
                let (one, other): (Uuid, Uuid) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let within: String = row.try_get_by_index(2)?;
                heard.push((one.as_u128(), other.as_u128(), within, row.try_get_by_index::<i32>(3)?));
            }
            heard.push((0, 0, String::new(), 0));
        }
        let on = heard.first().map(|(.., on)| *on).ok_or("nothing")?;
        let expected = [
            (1, 2, "first", on),
            (0, 0, "", 0),
            (3, 4, "second", on),
            (0, 0, "", 0),
            (0, 0, "", 0),
            (5, 6, "second", on),
            (0, 0, "", 0),
            (7, 8, "first", on),
            (0, 0, "", 0),
        ];
        assert_eq!(
            heard,
            expected.map(|(one, other, within, on)| (one, other, within.to_owned(), on))
        );
        // Asked once more, it is not prepared once more; and whoever comes next finds nothing of it.
        let again = beginner.all(&[&asking(&shapes, "third", &of(9, 1))]).await?;
        assert_eq!(again.first().map(Vec::len), Some(1));
        let next = beginner.begin(None).await?;
        let text = "select count(*)::int, coalesce(current_setting('clb_hub.clbs', true), ''), pg_backend_pid()
             from pg_prepared_statements where name like 'asked_%'";
        let found = row(&next, text, Vec::new()).await?.ok_or("no row")?;
        let found: (i32, String, i32) = (
            found.try_get_by_index(0)?,
            found.try_get_by_index(1)?,
            found.try_get_by_index(2)?,
        );
        assert_eq!(found, (2, String::new(), on));
        Ok(next.commit().await?)
    }

    #[tokio::test]
    async fn what_only_reads_may_not_write_and_who_is_refused_is_forgotten() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let shapes = Shapes::default();
        let of = |text| asking(&shapes, "first", &Words::default().say(text).name("none"));
        let who = async || {
            let text = "select pg_backend_pid(), ?";
            let told = beginner.all(&[&of(text)]).await?;
            let row = told.first().and_then(|rows| rows.first()).ok_or("no row")?;
            Ok::<i32, Box<dyn Error>>(row.try_get_by_index(0)?)
        };
        let first = who().await?;
        assert_eq!(who().await?, first);
        let writes = of("delete from pg_description where description = ?");
        let refused = beginner.all(&[&of("select 1 where 'a' = ?"), &writes]).await;
        let refused = refused.err().ok_or("it wrote")?;
        assert!(refused.to_string().contains("read-only transaction"), "{refused}");
        assert_ne!(who().await?, first, "its connection is not trusted any more");
        Ok(())
    }

    /// Counts what the driver says of statements.
    struct Heard(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Heard {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let is_theirs = event.metadata().target() == "sqlx::query";
            self.0.fetch_add(usize::from(is_theirs), Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn no_statement_is_logged_with_the_ids_in_it() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let heard = Arc::new(AtomicUsize::new(0));
        let layer = tracing_subscriber::registry().with(Heard(Arc::clone(&heard)));
        let _heard = tracing::subscriber::set_default(layer);
        tracing::debug!(target: "sqlx::query", "the control");
        let words = Words::default().say("select ?").id(id(1));
        let told = beginner.all(&[&asking(&Shapes::default(), "first", &words)]).await?;
        assert_eq!(told.len(), 1);
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        Ok(())
    }

    #[tokio::test]
    async fn what_was_prepared_first_makes_room() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let shapes = Shapes::default();
        let longer = |by: usize| {
            let words = (0..by).fold(Words::default().say("select ?"), |words, _| words.say(" "));
            asking(&shapes, "first", &words.id(id(1)))
        };
        for from in [0, 64, 128, 0] {
            let some: Vec<Asking> = (from..from + 64).map(longer).collect();
            let told = beginner.all(&some.iter().collect::<Vec<_>>()).await?;
            assert!(told.iter().all(|rows| rows.len() == 1));
        }
        let next = beginner.begin(None).await?;
        let text = "select count(*)::int from pg_prepared_statements where name like 'asked_%'";
        let found = next.query_one_raw(super::super::sql::statement(
            next.get_database_backend(),
            text,
            Vec::new(),
        ));
        let count: i32 = found.await?.ok_or("no row")?.try_get_by_index(0)?;
        assert_eq!(count, 128);
        Ok(next.commit().await?)
    }
}
