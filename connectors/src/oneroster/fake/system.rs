//! What a fake system knows, record by record as 1.2 writes it. All of it can change while it runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::super::Version;
use crate::signature::Hash;

/// A class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Class {
    /// `sourcedId`.
    pub key: String,
    /// Title.
    pub title: String,
    /// The key of its school.
    pub school: String,
    /// The key of its term.
    pub session: String,
    /// Grade; empty for none.
    pub grade: String,
    /// Whether it is a class of its own (klas) and not a lesson group.
    pub homeroom: bool,
}

/// A pupil. What is empty was not filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pupil {
    /// `sourcedId`.
    pub key: String,
    /// The school's own number.
    pub identifier: String,
    /// First name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Date of birth.
    pub born: Option<NaiveDate>,
    /// `male` or `female`.
    pub sex: String,
    /// `userIds` as (type, id).
    pub user_ids: Vec<(String, String)>,
    /// E-mail address.
    pub email: String,
    /// Telephone.
    pub phone: String,
    /// Fields of `metadata`.
    pub metadata: Vec<(String, String)>,
    /// The keys of parents and guardians.
    pub agents: Vec<String>,
}

/// A parent or guardian.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parent {
    /// `sourcedId`.
    pub key: String,
    /// `parent`, `guardian` or `relative`.
    pub role: String,
    /// First name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// E-mail address.
    pub email: String,
    /// Telephone.
    pub phone: String,
    /// The keys of the children.
    pub children: Vec<String>,
}

/// What systems do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// Neither total nor links.
    Uncounted,
    /// A link to a next page at `localhost`, with a comma behind it, on the last page too and beyond.
    NextBeyondTheEnd,
    /// A link to a next page at another host.
    NextElsewhere,
    /// Booleans as 0 and 1.
    Numbers,
    /// What was not filled in stands there as `null`, `""` or `[]`.
    Nothings,
    /// An empty list is status 204 without a body.
    NoContent,
    /// `statusInfoSet` beside the data.
    StatusBeside,
    /// Filters are not looked at.
    FilterIgnored,
    /// Every filter is answered with an empty list.
    FilterToNothing,
    /// Every filter is an error.
    FilterRefused,
    /// Fields are chosen before the filter: what is not chosen matches nothing.
    FieldsBeforeFilter,
    /// A choice of fields is not looked at.
    FieldsIgnored,
    /// An order is an error.
    SortRefused,
    /// Order is made only within a page.
    SortInPage,
    /// There are no demographics: 404.
    NoDemographics,
    /// Credentials are taken from the form only.
    FormOnly,
    /// A scope must be asked for.
    ScopeNeeded,
}

/// Records by key, each as its text: a region of schools is many records, and who asks is answered a page at a time.
pub(super) type Records = BTreeMap<String, Box<str>>;

/// A record of a list.
pub(super) fn record(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn text(record: Map<String, Value>) -> Box<str> {
    Value::Object(record).to_string().into_boxed_str()
}

/// A fake system.
#[derive(Debug, Clone)]
pub struct System {
    /// The version that it speaks.
    pub version: Version,
    /// The name of the one client.
    pub client_id: String,
    /// The secret of the one client.
    pub client_secret: String,
    /// The hash under which it believes signatures; none where it believes tokens.
    pub signed: Option<Hash>,
    /// What the client may have, without the address before it.
    pub scopes: BTreeSet<String>,
    /// Its clock: changes are marked with it.
    pub now: DateTime<Utc>,
    /// What the `Date` of its answers says, where a machine in front of it writes that.
    pub date: Option<DateTime<Utc>>,
    /// What it does differently.
    pub quirks: BTreeSet<Quirk>,
    /// The most records of a page, whatever was asked for.
    pub page_cap: Option<usize>,
    /// How far its totals are off.
    pub miscounts: i64,
    pub(super) lists: BTreeMap<String, Records>,
}

impl System {
    /// An empty system with one client that may read everything.
    pub fn new(
        version: Version,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            version,
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            signed: None,
            scopes: ["roster-core.readonly", "roster-demographics.readonly"]
                .map(str::to_owned)
                .into(),
            now,
            date: None,
            quirks: BTreeSet::new(),
            page_cap: None,
            miscounts: 0,
            lists: BTreeMap::new(),
        }
    }

    /// Puts a record of 1.2 in a list, in place of the one with its key; when it was changed is filled in.
    pub fn put(&mut self, list: &str, record: Value) {
        let Value::Object(mut record) = record else { return };
        record.retain(|_, value| !is_nothing(value));
        record.entry("status").or_insert_with(|| json!("active"));
        record.insert("dateLastModified".to_owned(), self.stamp());
        self.load(list, Value::Object(record));
    }

    /// The records of a list, each as its text.
    pub fn texts(&self, list: &str) -> Vec<String> {
        let records = self.lists.get(list).into_iter().flat_map(BTreeMap::values);
        records.map(ToString::to_string).collect()
    }

    /// Puts a record in a list as it is.
    pub fn load(&mut self, list: &str, record: Value) {
        let Value::Object(record) = record else { return };
        let key = record.get("sourcedId").and_then(Value::as_str).unwrap_or_default();
        let key = key.to_owned();
        let records = self.lists.entry(list.to_owned()).or_default();
        records.insert(key, text(record));
    }

    /// Changes a record, if it is there; the change is marked.
    pub fn edit(&mut self, list: &str, key: &str, change: impl FnOnce(&mut Map<String, Value>)) {
        let stamp = self.stamp();
        if let Some(known) = self.lists.get_mut(list).and_then(|records| records.get_mut(key)) {
            let mut record = record(known);
            change(&mut record);
            record.insert("dateLastModified".to_owned(), stamp);
            *known = text(record);
        }
    }

    /// Marks a record as one to delete.
    pub fn delete(&mut self, list: &str, key: &str) {
        self.edit(list, key, |record| {
            drop(record.insert("status".to_owned(), json!("tobedeleted")));
        });
    }

    /// Removes a record without a trace.
    pub fn remove(&mut self, list: &str, key: &str) {
        if let Some(records) = self.lists.get_mut(list) {
            records.remove(key);
        }
    }

    /// Adds a school.
    pub fn add_school(&mut self, key: &str, name: &str, identifier: &str) {
        self.put(
            "orgs",
            json!({"sourcedId": key, "name": name, "type": "school", "identifier": identifier}),
        );
    }

    /// Adds a school year, by the year in which it ends.
    pub fn add_year(&mut self, key: &str, begins: NaiveDate, ends: NaiveDate, ending: i32) {
        self.put(
            "academicSessions",
            json!({
                "sourcedId": key, "title": key, "type": "schoolYear", "startDate": begins, "endDate": ends,
                "schoolYear": ending.to_string(),
            }),
        );
    }

    /// Adds a class, or says anew what is known of one.
    pub fn put_class(&mut self, class: &Class) {
        let grades: Vec<&String> = Some(&class.grade)
            .filter(|grade| !grade.is_empty())
            .into_iter()
            .collect();
        self.put(
            "classes",
            json!({
                "sourcedId": class.key, "title": class.title, "classCode": class.title, "grades": grades,
                "classType": if class.homeroom { "homeroom" } else { "scheduled" },
                "course": reference("courses", "course", &class.title),
                "school": reference("orgs", "org", &class.school),
                "terms": [reference("academicSessions", "academicSession", &class.session)],
            }),
        );
    }

    /// Adds a pupil of a school since a day, or says anew what is known of one.
    pub fn put_pupil(&mut self, pupil: &Pupil, school: &str, since: Option<NaiveDate>) {
        let user_ids = pupil.user_ids.iter();
        let user_ids: Vec<Value> = user_ids
            .map(|(kind, id)| json!({"type": kind, "identifier": id}))
            .collect();
        let agents: Vec<Value> = pupil.agents.iter().map(|key| reference("users", "user", key)).collect();
        let metadata: Map<String, Value> = pupil
            .metadata
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mut role = json!({"roleType": "primary", "role": "student", "org": reference("orgs", "org", school)});
        if let (Some(since), Value::Object(role)) = (since, &mut role) {
            role.insert("beginDate".to_owned(), json!(since));
        }
        self.put(
            "users",
            json!({
                "sourcedId": pupil.key, "username": pupil.key, "enabledUser": "true", "roles": [role],
                "givenName": pupil.given_name, "familyName": pupil.family_name, "identifier": pupil.identifier,
                "userIds": user_ids, "email": pupil.email, "phone": pupil.phone, "agents": agents,
                "metadata": metadata,
            }),
        );
        if pupil.born.is_some() || !pupil.sex.is_empty() {
            self.put(
                "demographics",
                json!({"sourcedId": pupil.key, "birthDate": pupil.born, "sex": pupil.sex}),
            );
        }
    }

    /// Adds a parent or guardian, at the school of the children, or says anew what is known of one.
    pub fn put_parent(&mut self, parent: &Parent, school: &str) {
        let children: Vec<Value> = parent
            .children
            .iter()
            .map(|key| reference("users", "user", key))
            .collect();
        self.put(
            "users",
            json!({
                "sourcedId": parent.key, "username": parent.key, "enabledUser": "true",
                "roles": [{"roleType": "primary", "role": parent.role, "org": reference("orgs", "org", school)}],
                "givenName": parent.given_name, "familyName": parent.family_name,
                "email": parent.email, "phone": parent.phone, "agents": children,
            }),
        );
    }

    /// Adds a teacher.
    pub fn put_teacher(&mut self, key: &str, family_name: &str, school: &str) {
        self.put(
            "users",
            json!({
                "sourcedId": key, "username": key, "enabledUser": "true", "familyName": family_name, "givenName": "-",
                "roles": [{"roleType": "primary", "role": "teacher", "org": reference("orgs", "org", school)}],
            }),
        );
    }

    /// Puts a pupil in a class since a day.
    pub fn enroll(&mut self, key: &str, pupil: &str, class: &str, school: &str, since: NaiveDate) {
        self.put(
            "enrollments",
            json!({
                "sourcedId": key, "role": "student", "primary": "false", "beginDate": since,
                "user": reference("users", "user", pupil), "class": reference("classes", "class", class),
                "school": reference("orgs", "org", school),
            }),
        );
    }

    /// The first day on which a pupil is no longer in a class.
    pub fn leaves(&mut self, enrollment: &str, day: NaiveDate) {
        self.edit("enrollments", enrollment, |record| {
            drop(record.insert("endDate".to_owned(), json!(day)));
        });
    }

    fn stamp(&self) -> Value {
        json!(self.now.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A reference, with the relative address that servers write.
fn reference(path: &str, kind: &str, key: &str) -> Value {
    json!({"href": format!("/{path}/{key}"), "sourcedId": key, "type": kind})
}

/// Whether a field was not filled in.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
