//! An alert being put together: cleaned values in, entities and notes out, each thing once.

use std::net::IpAddr;

use jiff::Timestamp;
use quell_connector::DocumentError;
use quell_model::alert::Note;
use quell_model::entity::{
    Account, CloudInstance, Entity, File, Host, IndicatorKind, NetworkIndicator, Process,
};
use quell_model::{AlertStatus, AssetFacts, Severity, text};

use super::super::lenient::{Number, Text};
use super::{is_hex, known_status};

/// Entities and notes found so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) entities: Vec<Entity>,
    pub(super) notes: Vec<Note>,
    pub(super) asset: AssetFacts,
}

/// Most entities and notes of one alert; no real one comes near.
const MOST: usize = 200;

impl Draft {
    pub(super) fn note(&mut self, field: &str, text: &str) {
        self.remark(field, text, false);
    }

    /// Notes that the document contradicts itself about which machine is meant.
    pub(super) fn doubt(&mut self, field: &str, text: &str) {
        self.remark(field, text, true);
    }

    fn remark(&mut self, field: &str, text: &str, doubt: bool) {
        let note = Note {
            field: field.to_owned(),
            text: text::line(text),
            doubt,
        };
        if self.notes.len() < MOST && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn add(&mut self, entity: impl Into<Entity>) {
        let entity = entity.into();
        if self.entities.len() < MOST && !self.entities.contains(&entity) {
            self.entities.push(entity);
        }
    }

    /// Adds a host, or says why it cannot be acted on. The document's facts about it become the
    /// alert's asset facts.
    pub(super) fn host(&mut self, field: &str, host: Host, facts: &AssetFacts) {
        if host.id.is_none() && host.name.is_none() {
            self.note(
                field,
                "The document names no device, so no host can be acted on.",
            );
            return;
        }
        if host.id.is_none() {
            self.note(
                field,
                "The host has no device id, so it cannot be acted on; its name may belong to several.",
            );
        }
        self.asset = std::mem::take(&mut self.asset).with(facts);
        self.add(host);
    }

    /// Adds a process, if the document knows one: a name alone is only a file's.
    pub(super) fn process(&mut self, process: Process) {
        let empty =
            process.pid.is_none() && process.vendor_id.is_none() && process.command_line.is_none();
        if !empty {
            self.add(process);
        }
    }

    /// Adds a file, or its quarantine to the same file if it is there already.
    pub(super) fn file(&mut self, file: File) {
        if file.sha256.is_none() && file.md5.is_none() && file.sha1.is_none() && file.name.is_none()
        {
            return;
        }
        let same = |known: &File| {
            let shared = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
            shared(&known.sha256, &file.sha256)
                || (known.sha256.is_none() || file.sha256.is_none())
                    && shared(&known.md5, &file.md5)
        };
        for entity in &mut self.entities {
            if let Entity::File(known) = entity
                && same(known)
            {
                known.quarantined |= file.quarantined;
                known.sha256 = known.sha256.take().or(file.sha256);
                known.md5 = known.md5.take().or(file.md5);
                return;
            }
        }
        self.add(file);
    }

    pub(super) fn has_quarantined_file(&self) -> bool {
        let quarantined =
            |entity: &Entity| matches!(entity, Entity::File(file) if file.quarantined);
        self.entities.iter().any(quarantined)
    }

    /// Adds an account, if it is identified at all.
    pub(super) fn account(&mut self, account: Account) {
        if account.id.is_none() && account.name.is_none() && account.principal.is_none() {
            return;
        }
        let key = Entity::from(account.clone()).key();
        if key.is_some() && self.entities.iter().any(|known| known.key() == key) {
            return;
        }
        self.add(account);
    }

    /// Adds an address; a text that is none is left out with a note.
    pub(super) fn ip(&mut self, field: &str, address: &Text) {
        let Some(given) = address.raw() else { return };
        match given.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => self.add(NetworkIndicator {
                kind: IndicatorKind::Ip,
                value: ip.to_string(),
            }),
            _ => self.note(
                field,
                &format!(
                    "`{}` is not an address that could be blocked.",
                    text::line(given)
                ),
            ),
        }
    }

    /// Adds a domain name.
    pub(super) fn domain(&mut self, field: &str, name: &Text) {
        let Some(given) = name.raw() else { return };
        let domain = given.trim_end_matches('.').to_ascii_lowercase();
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        };
        if domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label) {
            self.add(NetworkIndicator {
                kind: IndicatorKind::Domain,
                value: domain,
            });
        } else {
            self.note(
                field,
                &format!(
                    "`{}` is not a domain that could be blocked.",
                    text::line(given)
                ),
            );
        }
    }

    /// Adds a cloud instance, if its id is known.
    pub(super) fn instance(&mut self, instance: CloudInstance) {
        if instance.id.is_some() {
            self.add(instance);
        }
    }

    /// An operating system pid; anything else that stands there is not one.
    pub(super) fn pid(&mut self, field: &str, given: &Text) -> Option<u32> {
        let given = given.raw()?;
        match given.parse::<u32>() {
            Ok(pid) if pid > 0 => Some(pid),
            _ => {
                self.note(
                    field,
                    &format!(
                        "`{}` is not an operating system process id.",
                        text::line(given)
                    ),
                );
                None
            }
        }
    }

    /// A hash of so many digits in lower case. Zeros are how Falcon says it has none.
    pub(super) fn hash(&mut self, field: &str, given: &Text, digits: usize) -> Option<String> {
        let given = given.raw()?;
        if !is_hex(given, digits) {
            self.note(
                field,
                &format!(
                    "`{}` is not a hash of {digits} hexadecimal digits; left out.",
                    text::line(given)
                ),
            );
            return None;
        }
        if given.bytes().all(|byte| byte == b'0') {
            self.note(
                field,
                "The hash is all zeros, which means the vendor has none; left out.",
            );
            return None;
        }
        Some(given.to_ascii_lowercase())
    }

    /// A moment; one that cannot be read is left out with a note.
    pub(super) fn moment(&mut self, field: &str, given: &Text) -> Option<Timestamp> {
        let raw = given.raw()?;
        let found = moment(raw);
        if found.is_none() {
            self.note(
                field,
                &format!(
                    "`{}` is not a time Quell can read; left out.",
                    text::line(raw)
                ),
            );
        }
        found
    }
}

/// Members that may say when it happened, best first.
pub(super) struct Stamps<'a>(pub(super) &'a [(&'static str, &'a Text)]);

/// When it happened.
pub(super) fn when(draft: &mut Draft, stamps: Stamps<'_>) -> Result<Timestamp, DocumentError> {
    let Stamps(stamps) = stamps;
    for (field, given) in stamps {
        if let Some(time) = draft.moment(field, given) {
            return Ok(time);
        }
    }
    let field = stamps.first().map_or("timestamp", |(field, _)| field);
    Err(DocumentError::missing(
        format!("$.{field}"),
        "missing, and nothing else says when it happened",
    ))
}

/// RFC 3339, or a count since 1970 in seconds, milliseconds, microseconds or nanoseconds, or
/// Windows' count of 100 nanoseconds since 1601: told apart by their size.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let number: i128 = match text.parse() {
        Ok(number) => number,
        // Some counts of seconds carry a fraction.
        Err(_) => format!("{:.0}", text.parse::<f64>().ok()?).parse().ok()?,
    };
    const SECOND: i128 = 1_000_000_000;
    let nanoseconds = match number {
        ..=0 => return None,
        1..=99_999_999_999 => number * SECOND,
        100_000_000_000..=99_999_999_999_999 => number * 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => number * 1000,
        100_000_000_000_000_000..=999_999_999_999_999_999 => {
            (number - 116_444_736_000_000_000) * 100
        }
        _ => number,
    };
    Timestamp::from_nanosecond(nanoseconds).ok()
}

/// The scale a severity number is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// 1 to 100.
    Hundred,
    /// 1 to 100, unless it is 5 or less: then the old scale of 1 to 5.
    MayBeOld,
}

/// The severity: the vendor's name for it, else its number.
pub(super) fn severity(
    draft: &mut Draft,
    field: &str,
    number: Number,
    name: &Text,
    scale: Scale,
) -> Severity {
    let by_number = |number: i64| match number {
        ..20 => Severity::Informational,
        20..40 => Severity::Low,
        40..60 => Severity::Medium,
        60..80 => Severity::High,
        _ => Severity::Critical,
    };
    let by_name = name.raw().and_then(|name| {
        Some(match name.to_ascii_lowercase().as_str() {
            "informational" | "information" | "info" => Severity::Informational,
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            _ => return None,
        })
    });
    match (by_name, number.0) {
        (Some(named), Some(number)) => {
            let old = scale == Scale::MayBeOld && number <= 5;
            if !old && by_number(number) != named {
                draft.note(
                    field,
                    &format!(
                        "The number {number} and the name `{}` disagree; the name counts.",
                        named.as_str()
                    ),
                );
            }
            named
        }
        (Some(named), None) => named,
        (None, Some(number @ 1..=5)) if scale == Scale::MayBeOld => {
            draft.note(
                field,
                &format!("Without a name, {number} is read on the old scale of 1 to 5."),
            );
            match number {
                1 => Severity::Informational,
                2 => Severity::Low,
                3 => Severity::Medium,
                4 => Severity::High,
                _ => Severity::Critical,
            }
        }
        (None, Some(number)) => by_number(number),
        (None, None) => {
            draft.note(
                field,
                "The document gives no severity; it is taken as medium.",
            );
            Severity::Medium
        }
    }
}

/// Where the alert stands.
pub(super) fn status(given: &Text) -> AlertStatus {
    known_status(&given.raw().unwrap_or_default().to_ascii_lowercase())
}

/// An id as the vendor wrote it. One that had to be cleaned would name something else.
pub(super) fn identifier(path: &str, given: &Text) -> Result<Option<String>, DocumentError> {
    match given.raw() {
        Some(id) if text::line(id) == id => Ok(Some(id.to_owned())),
        Some(_) => Err(DocumentError::new(
            path,
            format!(
                "is no id: longer than {} characters, or with control characters",
                text::LINE_LIMIT
            ),
        )),
        None => Ok(None),
    }
}

/// The last part of a path of either kind.
pub(super) fn file_name(path: &str) -> Option<String> {
    let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
    text::present(name).map(text::line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_unit_the_vendor_uses() {
        let expected: Timestamp = "2025-06-01T10:20:30Z".parse().unwrap();
        for spelled in [
            "2025-06-01T10:20:30Z",
            "2025-06-01T10:20:30.000000000Z",
            "1748773230",
            "1748773230000",
            "133932468300000000",
        ] {
            assert_eq!(moment(spelled), Some(expected), "{spelled}");
        }
        for nonsense in [
            "soon",
            "0",
            "-5",
            "",
            "NaN",
            "1e400",
            "99999999999999999999999999999999999999999",
        ] {
            assert_eq!(moment(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_cut_points_are_the_documented_ones() {
        let at = |number| {
            let mut draft = Draft::default();
            severity(
                &mut draft,
                "severity",
                Number(Some(number)),
                &Text::default(),
                Scale::Hundred,
            )
        };
        assert_eq!(at(19), Severity::Informational);
        assert_eq!(at(20), Severity::Low);
        assert_eq!(at(40), Severity::Medium);
        assert_eq!(at(60), Severity::High);
        assert_eq!(at(79), Severity::High);
        assert_eq!(at(80), Severity::Critical);
    }
}
