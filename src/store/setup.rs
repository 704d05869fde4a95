//! What an operator registers: parties, principals, sources, agreements signed on paper.
//!
//! All of it is one transaction, so that a faulty file changes nothing. Rows are found by their natural keys and
//! written by their ids; what may follow from what is decided by the caller.

use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, Ids, SchoolId};
use hub_entities::operation::Operation;
use hub_entities::party::{clb, school};
use hub_entities::policy::{Reach, Relations, Scope};
use hub_entities::source::connection;
use hub_entities::{agreement, principal};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};

use super::agreement::derive_school;
use super::sql::{execute, row, rows};
use super::transaction::Transaction;
use super::{Db, DbError, relations};

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// A registration under way. Dropped before [`commit`](Self::commit), it has changed nothing.
pub struct Registration {
    db: Db,
    tx: Transaction,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").finish_non_exhaustive()
    }
}

impl Registration {
    /// Begins; refuses a scope that does not reach operations.
    pub async fn begin(db: &Db, scope: &Scope) -> Result<Self, DbError> {
        may(scope)?;
        Ok(Self {
            db: db.clone(),
            tx: db.begin().await?,
        })
    }

    pub(super) const fn tx(&self) -> &Transaction {
        &self.tx
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.tx.commit().await?)
    }

    /// Leaves everything as it was.
    pub async fn undo(self) -> Result<(), DbError> {
        Ok(self.tx.rollback().await?)
    }

    /// The CLB with this institution number.
    pub async fn find_clb(&self, institution_number: &str) -> Result<Option<clb::Model>, DbError> {
        let found = clb::Entity::find().filter(clb::Column::InstitutionNumber.eq(institution_number));
        Ok(found.one(&self.tx).await?)
    }

    /// Writes a CLB.
    pub async fn put_clb(&self, clb: &clb::Model) -> Result<(), DbError> {
        let values: Vec<Value> = vec![
            clb.id.into(),
            clb.institution_number.clone().into(),
            clb.name.clone().into(),
        ];
        execute(
            &self.tx,
            "insert into clb (id, institution_number, name) values (?, ?, ?)
             on conflict (id) do update set name = excluded.name",
            values,
        )
        .await?;
        Ok(())
    }

    /// The school with this institution number.
    pub async fn find_school(&self, institution_number: &str) -> Result<Option<school::Model>, DbError> {
        let found = school::Entity::find().filter(school::Column::InstitutionNumber.eq(institution_number));
        Ok(found.one(&self.tx).await?)
    }

    /// Writes a school.
    pub async fn put_school(&self, school: &school::Model) -> Result<(), DbError> {
        let values: Vec<Value> = vec![
            school.id.into(),
            school.institution_number.clone().into(),
            school.name.clone().into(),
            school.city.clone().into(),
            school.days_off.clone().into(),
        ];
        execute(
            &self.tx,
            "insert into school (id, institution_number, name, city, days_off) values (?, ?, ?, ?, ?)
             on conflict (id) do update set name = excluded.name, city = excluded.city, days_off = excluded.days_off",
            values,
        )
        .await?;
        Ok(())
    }

    /// The source of a school with this name.
    pub async fn find_source(&self, school: SchoolId, name: &str) -> Result<Option<connection::Model>, DbError> {
        let found = connection::Entity::find()
            .filter(connection::Column::SchoolId.eq(school))
            .filter(connection::Column::Name.eq(name));
        Ok(found.one(&self.tx).await?)
    }

    /// The sources of a school.
    pub async fn sources_of(&self, school: SchoolId) -> Result<Vec<connection::Model>, DbError> {
        let found = connection::Entity::find().filter(connection::Column::SchoolId.eq(school));
        Ok(found.all(&self.tx).await?)
    }

    /// Writes a source. How far it has been read stays as it was.
    pub async fn put_source(&self, source: &connection::Model) -> Result<(), DbError> {
        let values: Vec<Value> = vec![
            source.id.into(),
            source.school_id.into(),
            source.name.clone().into(),
            source.letters.clone().into(),
            source.letter_overrides.clone().into(),
            source.settings.clone().into(),
        ];
        execute(
            &self.tx,
            "insert into source (id, school_id, name, letters, letter_overrides, settings, watermark)
             values (?, ?, ?, ?, ?, ?, '{}')
             on conflict (id) do update set letters = excluded.letters, letter_overrides = excluded.letter_overrides,
             settings = excluded.settings",
            values,
        )
        .await?;
        Ok(())
    }

    /// The principal with this issuer and subject, compared byte for byte.
    pub async fn find_principal(&self, issuer: &str, subject: &str) -> Result<Option<principal::Model>, DbError> {
        let found = principal::Entity::find()
            .filter(principal::Column::Issuer.eq(issuer))
            .filter(principal::Column::Subject.eq(subject));
        Ok(found.one(&self.tx).await?)
    }

    /// Writes a principal. Of one that exists only begin and end change: its acts stay those of its role.
    pub async fn put_principal(&self, principal: &principal::Model) -> Result<(), DbError> {
        let values: Vec<Value> = vec![
            principal.id.into(),
            principal.issuer.clone().into(),
            principal.subject.clone().into(),
            principal.role.into(),
            principal.school_id.into(),
            principal.clb_id.into(),
            principal.pupil_id.into(),
            principal.discipline.into(),
            principal.begins_at.into(),
            principal.ends_at.into(),
        ];
        execute(
            &self.tx,
            "insert into principal (id, issuer, subject, role, school_id, clb_id, pupil_id, discipline, begins_at, ends_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             on conflict (id) do update set begins_at = excluded.begins_at, ends_at = excluded.ends_at",
            values,
        )
        .await?;
        Ok(())
    }

    /// The relations of an actor, with what this registration has written.
    pub async fn relations(&self, operation: &Operation) -> Result<Relations, DbError> {
        relations::load_from(&self.tx, operation).await
    }

    /// The agreements that two parties have or had, in whatever state.
    pub async fn find_agreements(&self, school: SchoolId, clb: ClbId) -> Result<Vec<agreement::Model>, DbError> {
        let found = agreement::Entity::find()
            .filter(agreement::Column::SchoolId.eq(school))
            .filter(agreement::Column::ClbId.eq(clb));
        Ok(found.all(&self.tx).await?)
    }

    /// Writes a new agreement that both parties signed on paper, each by someone who may decide for it. What follows
    /// for pupils who are in already follows at once.
    pub async fn put_agreement(
        &self,
        signed: &agreement::Model,
        (for_school, for_clb): (&Scope, &Scope),
        ids: &dyn Ids,
        now: DateTime<Utc>,
    ) -> Result<(), DbError> {
        let both = matches!(for_school.reach(), Reach::School(school) if *school == signed.school_id)
            && matches!(for_clb.reach(), Reach::Clb { clb, .. } if *clb == signed.clb_id);
        if !both {
            return Err(DbError::OutOfScope);
        }
        let values: Vec<Value> = vec![
            signed.id.into(),
            signed.school_id.into(),
            signed.clb_id.into(),
            signed.state.into(),
            signed.categories.into(),
            signed.ground.clone().into(),
            signed.begins_on.into(),
            signed.school_first_days.into(),
            signed.early_warning.into(),
            signed.releases_to_software.into(),
            for_school.viewer().into(),
            signed.proposed_for.into(),
            signed.proposed_at.into(),
            for_clb.viewer().into(),
            signed.decided_at.into(),
            signed.version.into(),
        ];
        execute(
            &self.tx,
            "insert into agreement (id, school_id, clb_id, state, categories, ground, begins_on, school_first_days,
             early_warning, releases_to_software, proposed_by, proposed_for, proposed_at, decided_by, decided_at, version)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        .await?;
        derive_school(&self.db, &self.tx, ids, signed.school_id, now).await
    }
}

/// A school by its institution number.
pub async fn find_school(db: &Db, scope: &Scope, institution_number: &str) -> Result<Option<SchoolId>, DbError> {
    may(scope)?;
    let text = "select id from school where institution_number = ?";
    let found = row(db.reader(), text, vec![institution_number.into()]).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// The source of a school by its name.
pub async fn find_source(
    db: &Db,
    scope: &Scope,
    institution_number: &str,
    name: &str,
) -> Result<Option<connection::Model>, DbError> {
    may(scope)?;
    let school = school::Entity::find().filter(school::Column::InstitutionNumber.eq(institution_number));
    let Some(school) = school.one(db.reader()).await? else {
        return Ok(None);
    };
    let found = connection::Entity::find()
        .filter(connection::Column::SchoolId.eq(school.id))
        .filter(connection::Column::Name.eq(name));
    Ok(found.one(db.reader()).await?)
}

/// Every CLB that is registered.
pub async fn clbs(db: &Db, scope: &Scope) -> Result<Vec<ClbId>, DbError> {
    may(scope)?;
    let found = rows(db.reader(), "select id from clb order by id", Vec::new()).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
