//! Labels by membership in groups: who is break-glass, important or a service account is often kept there.

use std::collections::{BTreeMap, BTreeSet};

use quell_connector::{Call, ConfigError, Error, Kind, Result};
use quell_model::text;

use super::users::is_object_id;
use super::{EntraId, api};

/// Most groups the vendor takes in one question.
const MOST_AT_ONCE: usize = 20;

/// The labels of each group's members, by the group's object id.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<String, BTreeSet<String>>);

impl Groups {
    /// From the configuration, or what cannot work in it.
    pub(super) fn checked(given: BTreeMap<String, Vec<String>>) -> Result<Self, ConfigError> {
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, labels) in given {
            let id = id.trim().to_ascii_lowercase();
            if !is_object_id(&id) {
                let problem = format!(
                    "`{}` is no group's object id; copy it from the group's overview",
                    text::line(&id)
                );
                return Err(ConfigError::new("groups", problem));
            }
            let labels = labels.iter().map(|label| label.trim().to_lowercase());
            let labels: BTreeSet<String> = labels.filter(|label| !label.is_empty()).collect();
            if labels.is_empty() {
                let problem = format!("`{id}` has no label; write for example [\"break-glass\"]");
                return Err(ConfigError::new("groups", problem));
            }
            groups.entry(id).or_default().extend(labels);
        }
        Ok(Self(groups))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl EntraId {
    /// The labels a user has by the configured groups; none when membership may not be read.
    pub(super) async fn labels_of(
        &self,
        cx: &Call,
        user: &str,
    ) -> Result<Option<BTreeSet<String>>> {
        let mut labels = BTreeSet::new();
        let ids: Vec<&str> = self.groups.ids().collect();
        for some in ids.chunks(MOST_AT_ONCE) {
            let among = match api::groups_among(&self.reads, cx, user, some).await {
                Ok(among) => among,
                Err(error) if error.kind == Kind::PermissionMissing => return Ok(None),
                // The user was there a moment ago.
                Err(error) if error.kind == Kind::TargetNotFound => {
                    let detail = "the vendor does not know the user or a group of `groups`; correct the group ids";
                    return Err(Error::new(Kind::ConfigInvalid, error.operation, detail));
                }
                Err(error) => return Err(error),
            };
            let named = among
                .iter()
                .filter_map(|id| self.groups.0.get(&id.to_ascii_lowercase()));
            labels.extend(named.flatten().cloned());
        }
        Ok(Some(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9D1C7F30-4e58-4b6a-a2d9-0c83f5e7b164";

    fn checked(id: &str, labels: &[&str]) -> Result<Groups, ConfigError> {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Groups::checked(BTreeMap::from([(id.to_owned(), labels)]))
    }

    #[test]
    fn labels_are_written_as_policy_knows_them() {
        let groups = checked(ID, &[" Break-Glass", "vip"]).unwrap();
        let (id, labels) = groups.0.first_key_value().unwrap();
        assert_eq!(id, &ID.to_ascii_lowercase());
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        assert_eq!(labels, ["break-glass", "vip"]);
    }

    #[test]
    fn a_group_by_name_and_one_without_a_label_are_refused() {
        for (id, labels) in [("Break glass", ["vip"]), (ID, [" "])] {
            let error = checked(id, &labels).unwrap_err();
            assert_eq!(error.key, "groups");
        }
    }
}
