//! Users of the organization: what the Directory service shows of them and what it lets an administrator change.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::wire::Refusal;

/// A user account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// The numeric id that never changes.
    pub id: String,
    /// The address people sign in with.
    pub primary_email: String,
    /// Other addresses of the same user.
    pub aliases: Vec<String>,
    /// Name for people.
    pub full_name: String,
    /// May not sign in.
    pub suspended: bool,
    /// Why; shown only while suspended.
    pub suspension_reason: Option<String>,
    /// Archived: keeps data, may not sign in.
    pub archived: bool,
    /// Super administrator.
    pub is_admin: bool,
    /// Has an administrator role with limits.
    pub is_delegated_admin: bool,
    /// Invited from outside.
    pub is_guest: bool,
    /// Has to choose a new password at the next sign-in.
    pub change_password_at_next_login: bool,
    /// How often `suspended` really changed through the API.
    pub suspensions: u64,
    /// The same for the way back.
    pub restorations: u64,
    /// How often all sessions were ended.
    pub sign_outs: u64,
    /// How often a password was set.
    pub password_sets: u64,
    /// The last password that was set.
    pub password: Option<String>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            id: String::new(),
            primary_email: "user@northwind.example".into(),
            aliases: Vec::new(),
            full_name: "A User".into(),
            suspended: false,
            suspension_reason: None,
            archived: false,
            is_admin: false,
            is_delegated_admin: false,
            is_guest: false,
            change_password_at_next_login: false,
            suspensions: 0,
            restorations: 0,
            sign_outs: 0,
            password_sets: 0,
            password: None,
        }
    }
}

impl User {
    /// A user with this address.
    pub fn new(primary_email: &str) -> Self {
        Self {
            primary_email: primary_email.to_owned(),
            ..Self::default()
        }
    }

    /// A super administrator with this address.
    pub fn admin(primary_email: &str) -> Self {
        Self {
            is_admin: true,
            ..Self::new(primary_email)
        }
    }

    fn answers_to(&self, key: &str) -> bool {
        self.id == key
            || self.primary_email.eq_ignore_ascii_case(key)
            || self
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(key))
    }

    fn is_any_admin(&self) -> bool {
        self.is_admin || self.is_delegated_admin
    }

    fn document(&self, customer: &str) -> Value {
        let mut document = json!({
            "kind": "admin#directory#user",
            "id": self.id,
            "etag": "\"twin\"",
            "primaryEmail": self.primary_email,
            "name": {"fullName": self.full_name},
            "isAdmin": self.is_admin,
            "isDelegatedAdmin": self.is_delegated_admin,
            "lastLoginTime": "2026-01-01T00:00:00.000Z",
            "creationTime": "2024-01-01T00:00:00.000Z",
            "agreedToTerms": true,
            "suspended": self.suspended,
            "archived": self.archived,
            "changePasswordAtNextLogin": self.change_password_at_next_login,
            "ipWhitelisted": false,
            "customerId": customer,
            "orgUnitPath": "/",
            "isMailboxSetup": true,
            "isEnrolledIn2Sv": true,
            "isEnforcedIn2Sv": false,
            "includeInGlobalAddressList": true,
        });
        if let Value::Object(members) = &mut document {
            if self.suspended {
                let reason = self.suspension_reason.as_deref().unwrap_or("ADMIN");
                members.insert("suspensionReason".into(), reason.into());
            }
            if !self.aliases.is_empty() {
                members.insert("aliases".into(), json!(self.aliases));
            }
            if self.is_guest {
                members.insert("isGuestUser".into(), true.into());
            }
        }
        document
    }
}

/// A user, and what readers still see of an earlier state.
#[derive(Debug)]
struct Row {
    user: User,
    stale: Option<(i64, User)>,
}

impl Row {
    fn seen(&self, now: i64) -> &User {
        match &self.stale {
            Some((until, before)) if now < *until => before,
            _ => &self.user,
        }
    }
}

/// All users.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    rows: Vec<Row>,
}

impl Directory {
    /// Adds a user or replaces the one with the same address; gives back the id.
    pub(crate) fn put(&mut self, mut user: User, made_up: impl FnOnce() -> String) -> String {
        if user.id.is_empty() {
            user.id = made_up();
        }
        let id = user.id.clone();
        let same = |row: &Row| row.user.primary_email == user.primary_email || row.user.id == id;
        self.rows.retain(|row| !same(row));
        self.rows.push(Row { user, stale: None });
        id
    }

    pub(crate) fn find(&self, key: &str) -> Option<&User> {
        self.rows
            .iter()
            .map(|row| &row.user)
            .find(|user| user.answers_to(key))
    }

    pub(crate) fn change(&mut self, key: &str, change: impl FnOnce(&mut User)) -> bool {
        match self.rows.iter_mut().find(|row| row.user.answers_to(key)) {
            Some(row) => {
                change(&mut row.user);
                row.stale = None;
                true
            }
            None => false,
        }
    }

    pub(crate) fn all(&self) -> Vec<User> {
        self.rows.iter().map(|row| row.user.clone()).collect()
    }

    /// Whether the caller may act on a user at all, and on an administrator.
    fn reach(&self, caller: &str, target: &User) -> Result<(), Refusal> {
        let caller = self.find(caller).ok_or_else(Refusal::forbidden)?;
        let allowed = caller.is_admin || caller.is_delegated_admin && !target.is_any_admin();
        allowed.then_some(()).ok_or_else(Refusal::forbidden)
    }

    fn may_read(&self, caller: &str) -> Result<(), Refusal> {
        let admin = self.find(caller).is_some_and(User::is_any_admin);
        admin.then_some(()).ok_or_else(Refusal::forbidden)
    }

    /// A user outside of the organization's domains is forbidden, not unknown, as at the vendor.
    fn unknown(&self, key: &str) -> Refusal {
        let domain = |address: &str| {
            address
                .rsplit_once('@')
                .map(|(_, domain)| domain.to_owned())
        };
        let ours = |wanted: &str| {
            self.rows
                .iter()
                .filter_map(|row| domain(&row.user.primary_email))
                .any(|known| known.eq_ignore_ascii_case(wanted))
        };
        match domain(key) {
            Some(other) if !ours(&other) => Refusal::forbidden(),
            Some(_) => Refusal::no_user(),
            None if key.bytes().all(|byte| byte.is_ascii_digit()) => Refusal::no_user(),
            None => Refusal::invalid("Type not supported: userKey"),
        }
    }

    pub(crate) fn read(
        &self,
        caller: &str,
        key: &str,
        customer: &str,
        now: i64,
    ) -> Result<Value, Refusal> {
        self.may_read(caller)?;
        let row = self.rows.iter().find(|row| row.user.answers_to(key));
        let row = row.ok_or_else(|| self.unknown(key))?;
        Ok(row.seen(now).document(customer))
    }

    /// Users that a query keeps, by address.
    pub(crate) fn list(
        &self,
        caller: &str,
        query: &str,
        customer: &str,
        now: i64,
    ) -> Result<Vec<Value>, Refusal> {
        self.may_read(caller)?;
        let wanted = Wanted::read(query)?;
        let mut users: Vec<&User> = self.rows.iter().map(|row| row.seen(now)).collect();
        users.retain(|user| wanted.keeps(user));
        users.sort_by(|a, b| a.primary_email.cmp(&b.primary_email));
        Ok(users
            .into_iter()
            .map(|user| user.document(customer))
            .collect())
    }

    /// Changes what the body names and leaves the rest. Readers see it `settle` later.
    pub(crate) fn update(
        &mut self,
        caller: &str,
        key: &str,
        body: &Map<String, Value>,
        (now, settle): (i64, i64),
        customer: &str,
    ) -> Result<Value, Refusal> {
        let found = self.find(key).ok_or_else(|| self.unknown(key))?.clone();
        self.reach(caller, &found)?;
        let mut user = found.clone();
        let flag = |name: &str| match body.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Refusal::invalid(format!("Invalid value for: {name}"))),
        };
        if let Some(suspended) = flag("suspended")? {
            user.suspensions += u64::from(suspended && !user.suspended);
            user.restorations += u64::from(!suspended && user.suspended);
            if suspended != user.suspended {
                user.suspension_reason = suspended.then(|| "ADMIN".to_owned());
            }
            user.suspended = suspended;
        }
        if let Some(forced) = flag("changePasswordAtNextLogin")? {
            user.change_password_at_next_login = forced;
        }
        match body.get("password") {
            None => {}
            Some(Value::String(password))
                if (8..=100).contains(&password.len()) && password.is_ascii() =>
            {
                user.password_sets += 1;
                user.password = Some(password.clone());
            }
            Some(_) => return Err(Refusal::invalid("Invalid Password")),
        }
        let document = user.document(customer);
        if let Some(row) = self.rows.iter_mut().find(|row| row.user.id == user.id) {
            if settle > 0 && user != found {
                let before = row.seen(now).clone();
                row.stale = Some((now.saturating_add(settle), before));
            }
            row.user = user;
        }
        Ok(document)
    }

    pub(crate) fn sign_out(&mut self, caller: &str, key: &str) -> Result<(), Refusal> {
        let found = self.find(key).ok_or_else(|| self.unknown(key))?.clone();
        self.reach(caller, &found)?;
        for row in &mut self.rows {
            row.user.sign_outs += u64::from(row.user.id == found.id);
        }
        Ok(())
    }
}

/// The part of the query language that is about flags: `isAdmin=true isSuspended=false`.
struct Wanted(Vec<(String, bool)>);

impl Wanted {
    fn read(query: &str) -> Result<Self, Refusal> {
        let term = |term: &str| {
            let (field, value) = term.split_once('=')?;
            let value = value.parse().ok()?;
            let known = matches!(field, "isAdmin" | "isDelegatedAdmin" | "isSuspended");
            known.then(|| (field.to_owned(), value))
        };
        let terms: Option<Vec<_>> = query.split_whitespace().map(term).collect();
        terms
            .map(Self)
            .ok_or_else(|| Refusal::invalid("Invalid Input: query"))
    }

    fn keeps(&self, user: &User) -> bool {
        self.0.iter().all(|(field, wanted)| {
            let value = match field.as_str() {
                "isAdmin" => user.is_admin,
                "isDelegatedAdmin" => user.is_delegated_admin,
                _ => user.suspended,
            };
            value == *wanted
        })
    }
}
