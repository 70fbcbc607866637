//! Everything a target can be listed as, with what each name is a name of.

use std::borrow::Cow;

use quell_model::Entity;

use super::entry::Subject;

/// The texts of a target that entries are compared with as text, and the subject each one belongs
/// to. Domains, addresses and senders are looked up in ways of their own and stand here as
/// [`Subject::Any`] only.
pub(super) fn names(target: &Entity) -> Vec<(Subject, Cow<'_, str>)> {
    let mut names = Names(Vec::with_capacity(8));
    match target {
        Entity::Host(host) => names.add(Subject::Host, [&host.id, &host.name]),
        // A process is protected with its host, its name and its file.
        Entity::Process(process) => {
            names.add(Subject::Host, [&process.host_id, &process.host_name]);
            names.file(Subject::ProcessName, &process.name, &process.path);
            names.add(Subject::Hash, [&process.sha256]);
        }
        Entity::File(file) => {
            names.add(Subject::Host, [&file.host_id]);
            names.file(Subject::FileName, &file.name, &file.path);
            names.add(Subject::Hash, [&file.sha256, &file.sha1, &file.md5]);
        }
        Entity::Account(account) => {
            names.add(
                Subject::Account,
                [&account.id, &account.principal, &account.name],
            );
            if let (Some(domain), Some(name)) = (&account.domain, &account.name) {
                names
                    .0
                    .push((Subject::Account, format!("{domain}\\{name}").into()));
            }
        }
        Entity::EmailMessage(message) => {
            names.add(
                Subject::Any,
                [&message.message_id, &message.vendor_id, &message.sender],
            );
        }
        Entity::NetworkIndicator(indicator) => names.one(Subject::Any, &indicator.value),
        Entity::Sender(sender) => names.one(Subject::Any, &sender.value),
        Entity::CloudInstance(instance) => names.add(Subject::CloudInstance, [&instance.id]),
        Entity::AccessKey(key) => {
            names.add(Subject::AccessKey, [&key.id]);
            names.add(Subject::Account, [&key.user]);
        }
        Entity::InboxRule(rule) => {
            names.add(Subject::InboxRule, [&rule.id, &rule.name]);
            names.add(Subject::Account, [&rule.mailbox]);
        }
    }
    names.0
}

struct Names<'a>(Vec<(Subject, Cow<'a, str>)>);

impl<'a> Names<'a> {
    fn one(&mut self, subject: Subject, name: &'a str) {
        self.0.push((subject, name.trim().into()));
    }

    fn add<const N: usize>(&mut self, subject: Subject, names: [&'a Option<String>; N]) {
        for name in names.into_iter().flatten() {
            self.one(subject, name);
        }
    }

    /// Vendors give a name, a path or both.
    fn file(&mut self, subject: Subject, name: &'a Option<String>, path: &'a Option<String>) {
        for name in [name, path].into_iter().flatten() {
            self.one(subject, file_name(name));
        }
    }
}

/// The last part of a path, whichever way its separators lean.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
