//! Active Directory over LDAPS: disables and enables accounts and resets passwords.
//!
//! This file is the identity and the table; everything else lives in the file of its concern. LDAP and
//! its connections are `ldap`'s, who is believed is `tls`'s, which domain controller is asked is
//! `directory`'s, what is said to it `talk`'s. It is no source of alerts, and it has no way to end sessions.

mod account;
mod config;
mod directory;
mod enablement;
mod ldap;
mod lookup;
mod obstacles;
mod password;
mod probe;
mod refusal;
mod sid;
mod talk;
mod tls;

use std::time::Duration;

use quell_connector::{
    Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control, perform,
};
use quell_model::property::{AccountEnabled, ResetPassword};

pub use config::Config;

use directory::Directory;

/// What has to be delegated to the account that Quell signs in as.
mod needs {
    pub(super) const READ: &str = "Read all properties";
    pub(super) const WRITE_CONTROL: &str = "Write userAccountControl";
    pub(super) const RESET: &str = "Reset password";
    pub(super) const WRITE_PASSWORD_TIME: &str = "Write pwdLastSet";
}

/// One domain.
pub struct ActiveDirectory {
    directory: Directory,
    domain: String,
    username: String,
    probe_user: Option<String>,
}

impl Vendor for ActiveDirectory {
    const ID: &'static str = "active-directory";
    const NAME: &'static str = "Active Directory";
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, AccountEnabled>(Facts {
            needs: &[needs::READ, needs::WRITE_CONTROL],
            settle: Duration::from_secs(60),
            docs: "https://learn.microsoft.com/en-us/windows/win32/adschema/a-useraccountcontrol",
            quirks: &[
                "Whoever is signed in stays so: Kerberos tickets work until they run out, 10 hours by default.",
                "Microsoft Entra ID follows with the next synchronization, so disable the account there too.",
                "Windows takes delegated rights from members of protected groups every hour, so Quell cannot disable them.",
            ],
        }),
        perform::<Self, ResetPassword>(Facts {
            needs: &[needs::READ, needs::RESET, needs::WRITE_PASSWORD_TIME],
            settle: Duration::from_secs(60),
            docs: "https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-adts/6e803168-f140-4d23-b2d3-c3a8ab5917d2",
            quirks: &[
                "The new password has to be changed at the next sign-in, unless the account's password never expires.",
                "A new password ends no session either.",
            ],
        }),
    ];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        Ok(Self {
            directory: Directory::new(&config, &plumbing)?,
            domain: config.domain()?,
            probe_user: config.probe_user()?,
            username: config.username,
        })
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: self.directory.hosts(),
            accounts: vec![self.username.clone()],
            ..Lifelines::default()
        }
    }

    fn realm(&self) -> Option<String> {
        Some(self.domain.clone())
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}
