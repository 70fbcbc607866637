//! Phishing in Gmail: the messages, whom they reached and who sent them.

use std::collections::BTreeSet;

use quell_connector::{DocumentError, document};
use quell_model::entity::{EmailMessage, File, Sender};
use quell_model::text;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::users::is_address;
use super::draft::{Draft, line};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    malicious_entity: Option<MaliciousEntity>,
    messages: Option<Vec<Message>>,
    is_internal: Option<bool>,
    system_action_type: Option<String>,
    source_ip: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MaliciousEntity {
    from_header: Option<String>,
    entity: Option<Actor>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Actor {
    email_address: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Message {
    message_id: Option<String>,
    recipient: Option<String>,
    subject_text: Option<String>,
    attachments_sha256_hash: Option<Vec<String>>,
}

/// Messages, recipients of one message, and attachments that are kept; an alert can name thousands.
const MOST: usize = 100;

impl Data {
    /// The address in the header, else the address of whoever is behind it.
    fn sender(&self) -> Option<String> {
        let malicious = self.malicious_entity.as_ref()?;
        let actor = || malicious.entity.as_ref()?.email_address.as_deref();
        let address = |given: &str| {
            // `"Name" <address>` in some, the bare address in others.
            let inner = given.rsplit_once('<').map_or(given, |(_, inner)| inner);
            let inner = inner.trim().trim_end_matches('>').trim().to_lowercase();
            Some(inner).filter(|inner| is_address(inner))
        };
        malicious
            .from_header
            .as_deref()
            .and_then(address)
            .or_else(|| actor().and_then(address))
    }
}

pub(super) fn read(data: &RawValue, draft: &mut Draft) -> Result<(), DocumentError> {
    let data: Data = document::read(data)?;
    let sender = data.sender();
    let mut found: Vec<EmailMessage> = Vec::new();
    let mut hashes = BTreeSet::new();
    let (mut nameless, mut left_out) = (false, false);
    for message in data.messages.iter().flatten() {
        let given = message.message_id.as_deref().and_then(text::present);
        let Some(id) = given.and_then(bracketed) else {
            nameless = true;
            continue;
        };
        let recipient = line(message.recipient.as_deref()).filter(|to| is_address(to));
        let full = found.len() >= MOST;
        let known = found
            .iter_mut()
            .find(|known| known.message_id.as_ref() == Some(&id));
        match known {
            Some(known) => {
                let new = recipient.filter(|to| !known.recipients.contains(to));
                left_out |= new.is_some() && known.recipients.len() >= MOST;
                let room = MOST.saturating_sub(known.recipients.len());
                known.recipients.extend(new.into_iter().take(room));
            }
            None if full => left_out = true,
            None => found.push(EmailMessage {
                message_id: Some(id),
                vendor_id: None,
                sender: sender.clone(),
                subject: line(message.subject_text.as_deref()),
                recipients: recipient.into_iter().collect(),
            }),
        }
        let attached = message.attachments_sha256_hash.iter().flatten();
        hashes.extend(attached.filter_map(|hash| sha256(hash)).take(MOST));
    }
    if found.is_empty() {
        let sentence = "The alert names no message, so none can be acted on.";
        draft.note("data.messages", sentence);
    }
    if nameless {
        let sentence = "Some messages have no usable message id and are left out.";
        draft.note("data.messages", sentence);
    }
    if left_out {
        let sentence = format!(
            "The alert names more than {MOST} messages, or more recipients of one; the rest is left out."
        );
        draft.note("data.messages", &sentence);
    }
    for message in found {
        draft.add(message);
    }
    match sender {
        Some(_) if data.is_internal == Some(true) => {
            let sentence =
                "The mail came from inside the organization, so its sender is no target.";
            draft.note("data.isInternal", sentence);
        }
        Some(value) => draft.add(Sender { value }),
        None => {}
    }
    for hash in hashes.into_iter().take(MOST) {
        draft.add(File {
            sha256: Some(hash),
            ..File::default()
        });
    }
    draft.ip("data.sourceIp", data.source_ip.as_deref());
    if data.system_action_type.as_deref() == Some("REMOVED_FROM_INBOX") {
        let sentence = "Google has taken the messages out of the inboxes already.";
        draft.note("data.systemActionType", sentence);
    }
    Ok(())
}

/// The id as headers spell it; alerts leave the brackets out.
fn bracketed(id: &str) -> Option<String> {
    let bare = id.trim_start_matches('<').trim_end_matches('>');
    let usable = !bare.is_empty()
        && bare.len() <= 500
        && bare.bytes().all(|byte| byte.is_ascii_graphic())
        && !bare.contains(['<', '>']);
    usable.then(|| format!("<{bare}>"))
}

fn sha256(given: &str) -> Option<String> {
    let hash = given.trim().to_ascii_lowercase();
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && hash.bytes().any(|byte| byte != b'0')).then_some(hash)
}
