//! The calls that both streams need: the unique field, the tree, the accounts of classes, careers.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::account::{Account, MOST_ACCOUNT};
use super::answer::{Code, Short};
use super::call::{Hear, Tenant, broken, fault_of};
use super::career::{Career, MOST_ROW};
use super::envelope::Flaw;
use super::groups::{self, Class, MOST_TREE};
use super::pieces::Piece;
use super::settings::{Settings, UniqueField};
use crate::fault::Fault;

/// The longest answer that is one word.
pub(super) const MOST_WORD: usize = 1024;

/// What a list of maps is made of, even where PHP made it a map.
const fn value<'p>(piece: &Piece<'p>) -> &'p [u8] {
    match piece {
        Piece::Item(json) | Piece::Entry(_, json) => json,
    }
}

/// The pupils of one class.
pub(super) struct Pupils {
    unique: UniqueField,
    pub(super) found: Vec<Account>,
}

impl Pupils {
    pub(super) const fn of(unique: UniqueField) -> Self {
        Self {
            unique,
            found: Vec::new(),
        }
    }
}

impl Hear for Pupils {
    fn begin(&mut self) {
        self.found.clear();
    }

    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Flaw> {
        self.found.extend(Account::read(value(&piece), self.unique)?);
        Ok(())
    }
}

impl Hear for Career {
    fn begin(&mut self) {
        *self = Self::default();
    }

    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Flaw> {
        self.row(value(&piece))
    }
}

/// That the tenant names people by what the connection says.
///
/// # Errors
/// It does not, or could not be asked.
pub(super) async fn check_unique_field(tenant: &Tenant, settings: &Settings) -> Result<(), Fault> {
    const METHOD: &str = "getReferenceField";
    let said = tenant
        .text(METHOD, &[], MOST_WORD)
        .await?
        .map_err(|code| fault_of(METHOD, code))?;
    match (unique_field(&said)?, settings.unique_field) {
        (UniqueField::Number, UniqueField::Username) => Err(Fault::Config(
            "the unique field of the tenant is the internal number, the connection says the user name",
        )),
        (UniqueField::Username, UniqueField::Number) => Err(Fault::Config(
            "the unique field of the tenant is the user name, the connection says the internal number",
        )),
        _ => Ok(()),
    }
}

/// What the tenant names people by, as it is written.
pub(super) fn unique_field(said: &str) -> Result<UniqueField, Fault> {
    match said.trim().trim_matches('"').to_lowercase().as_str() {
        "number" => Ok(UniqueField::Number),
        "username" => Ok(UniqueField::Username),
        _ => Err(broken("getReferenceField", 0, "unique_field.unknown")),
    }
}

/// All classes of the tenant, of whatever school.
pub(super) async fn classes(tenant: &Tenant) -> Result<Vec<Class>, Fault> {
    const METHOD: &str = "getAllGroupsAndClasses";
    // Base64 is a third longer, and may be broken into lines.
    let text = tenant.text(METHOD, &[], MOST_TREE.saturating_mul(3) / 2).await?;
    let text = text.map_err(|code| fault_of(METHOD, code))?;
    groups::classes(&text).map_err(|flaw| broken(METHOD, 0, flaw))
}

/// The pupils that are in a class itself.
pub(super) async fn pupils(tenant: &Tenant, unique: UniqueField, class: &str) -> Result<Vec<Account>, Fault> {
    const METHOD: &str = "getAllAccountsExtended";
    let mut pupils = Pupils::of(unique);
    let parts = [("code", class), ("recursive", "0")];
    match tenant.pieces(METHOD, &parts, MOST_ACCOUNT, &mut pupils).await? {
        // The table calls it an unknown parent; what it says of a class that is there is: nobody (school-apis §1.4).
        None | Some(Short::Nothing | Short::Code(Code::EmptyGroup)) => Ok(pupils.found),
        Some(Short::Code(code)) => Err(fault_of(METHOD, code)),
    }
}

/// The career of a pupil, with the key that it was asked by; an empty one when there is none.
pub(super) async fn career<K: AsRef<str>>(tenant: &Tenant, pupil: K) -> Result<(K, Career), Fault> {
    const METHOD: &str = "getStudentCareer";
    let mut career = Career::default();
    match tenant
        .pieces(METHOD, &[("userIdentifier", pupil.as_ref())], MOST_ROW, &mut career)
        .await?
    {
        None => Ok((pupil, career.sorted())),
        // Whatever else the code is, there is no career then (school-apis §1.4); but whoever may not ask has not heard.
        Some(Short::Code(code @ (Code::Refused | Code::Failed))) => Err(fault_of(METHOD, code)),
        Some(_) => Ok((pupil, Career::default())),
    }
}

/// The pupils of several classes, in their order; so many calls at once.
pub(super) async fn pupils_of<'c>(
    tenant: &Tenant,
    settings: &Settings,
    classes: &[&'c Class],
) -> Result<Vec<Vec<Account>>, Fault> {
    // Gathered first: a stream over the closure itself would not be `Send` for every lifetime.
    let call = |class: &&'c Class| pupils(tenant, settings.unique_field, &class.code);
    let calls: Vec<_> = classes.iter().map(call).collect();
    stream::iter(calls).buffered(settings.calls()).try_collect().await
}
