//! Who put the rules in force as they stand: whoever changed a rule does not also approve by it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quell_model::OrganizationId;
use rusqlite::params;

use crate::error::Result;
use crate::sqlite::Store;
use crate::{instant, micros};

/// Who put a rule in force as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAuthor {
    /// The rule's id.
    pub rule: String,
    /// Who; missing when nobody is known.
    pub person: Option<String>,
    /// Since when it stands so.
    pub since: Timestamp,
}

impl Store {
    /// Remembers that `person` put these rules in force (id to digest), and says which of them are new
    /// or changed. One that stands as before keeps its author.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_in_force(
        &self,
        organization: &OrganizationId,
        rules: BTreeMap<String, String>,
        person: Option<String>,
        at: Timestamp,
    ) -> Result<Vec<String>> {
        let organization = organization.clone();
        self.write(move |db| {
            let mut before: BTreeMap<String, String> = db
                .prepare_cached("SELECT rule, digest FROM rule_authors WHERE organization = ?1")?
                .query_map([organization.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let mut changed = Vec::new();
            for (rule, digest) in &rules {
                if before.remove(rule).as_ref() == Some(digest) {
                    continue;
                }
                db.prepare_cached(
                    "INSERT OR REPLACE INTO rule_authors (organization, rule, digest, person, since)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![organization.as_str(), rule, digest, person, micros(at)])?;
                changed.push(rule.clone());
            }
            // A rule that comes back has been changed by whoever brings it back.
            for rule in before.keys() {
                db.prepare_cached(
                    "DELETE FROM rule_authors WHERE organization = ?1 AND rule = ?2",
                )?
                .execute(params![organization.as_str(), rule])?;
            }
            Ok(changed)
        })
        .await
    }

    /// Who put these rules in force.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rule_authors(
        &self,
        organization: &OrganizationId,
        rules: Vec<String>,
    ) -> Result<Vec<RuleAuthor>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT person, since FROM rule_authors WHERE organization = ?1 AND rule = ?2",
            )?;
            let mut authors = Vec::new();
            for rule in rules {
                let rows = statement.query_map(params![organization.as_str(), rule], |row| {
                    Ok(RuleAuthor {
                        rule: rule.clone(),
                        person: row.get(0)?,
                        since: instant(row.get(1)?),
                    })
                })?;
                authors.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
            }
            Ok(authors)
        })
        .await
    }
}
