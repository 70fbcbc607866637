//! What an administrator does in the domain, and what it really holds: OpenLDAP's own tools, so that
//! nothing of Quell's has to be believed.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{PASSWORD, Samba};

const ADMINISTRATOR: &str = "Administrator@corp.example.test";
pub(crate) const DOMAIN: &str = "DC=corp,DC=example,DC=test";
pub(crate) const STAFF: &str = "OU=Staff,DC=corp,DC=example,DC=test";

impl Samba {
    /// Carries out changes in LDIF.
    pub(crate) fn change(&self, ldif: &str) {
        let mut tool = self.tool("ldapmodify", ADMINISTRATOR, PASSWORD);
        let mut running = tool.stdin(Stdio::piped()).spawn().unwrap();
        let input = running.stdin.take();
        input.unwrap().write_all(ldif.as_bytes()).unwrap();
        let done = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{ldif}\n{said}");
    }

    /// Replaces the value of one attribute.
    pub(crate) fn set(&self, name: &str, attribute: &str, value: &str) {
        self.change(&format!(
            "dn: {name}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"
        ));
    }

    /// Gives an account another password.
    pub(crate) fn set_password(&self, name: &str, password: &str) {
        let quoted = format!("\"{password}\"");
        let bytes: Vec<u8> = quoted.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.change(&format!(
            "dn: {name}\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:: {}\n",
            STANDARD.encode(&bytes)
        ));
    }

    /// Moves a member of the staff to where nothing is delegated.
    pub(crate) fn move_elsewhere(&self, name: &str) {
        self.change(&format!(
            "dn: CN={name},{STAFF}\nchangetype: moddn\nnewrdn: CN={name}\ndeleteoldrdn: 1\nnewsuperior: OU=Elsewhere,{DOMAIN}\n"
        ));
    }

    /// The value of one attribute, as text or in base 64.
    pub(crate) fn attribute(&self, account: &str, attribute: &str) -> Option<String> {
        let mut tool = self.tool("ldapsearch", ADMINISTRATOR, PASSWORD);
        let found = tool
            .args(["-LLL", "-o", "ldif-wrap=no", "-b", DOMAIN])
            .arg(format!("(cn={account})"))
            .arg(attribute)
            .output()
            .unwrap();
        let text = String::from_utf8(found.stdout).unwrap();
        let value = text.lines().find_map(|line| {
            let value = line.strip_prefix(attribute)?;
            value
                .strip_prefix(":: ")
                .or_else(|| value.strip_prefix(": "))
        });
        value.map(str::to_owned)
    }

    pub(crate) fn number(&self, account: &str, attribute: &str) -> i64 {
        let value = self.attribute(account, attribute);
        value.unwrap_or_default().parse().unwrap()
    }

    /// What the domain says when somebody signs in: nothing when it lets them.
    pub(crate) fn sign_in(&self, principal: &str, password: &str) -> Result<(), String> {
        let mut tool = self.tool("ldapsearch", principal, password);
        let done = tool.args(["-b", "", "-s", "base", "1.1"]).output().unwrap();
        if done.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned())
        }
    }

    fn tool(&self, name: &str, who: &str, password: &str) -> Command {
        let mut tool = Command::new(name);
        tool.args(["-x", "-H", &format!("ldaps://{}", self.address)])
            .args(["-D", who, "-w", password])
            .env("LDAPTLS_CACERT", self.authority())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        tool
    }
}
