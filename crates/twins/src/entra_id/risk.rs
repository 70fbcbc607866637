//! Identity Protection: risk detections, and what is thought of the users they are about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::{parse_time, rfc3339};

/// A risk detection to raise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskSpec {
    /// Principal name or object id of the user.
    pub user: String,
    /// `unfamiliarFeatures` and so on.
    pub event: String,
    /// `low`, `medium`, `high`.
    pub level: String,
    /// Where the sign-in came from.
    pub ip: Option<String>,
    /// The sign-in's request id; one is made up unless the risk is about no sign-in.
    pub request_id: Option<String>,
    /// Whether the risk is about a sign-in at all.
    pub sign_in: bool,
    /// When it was found; the twin's present when absent.
    pub detected_at: Option<jiff::Timestamp>,
    /// Seconds from the activity until it was found.
    pub found_after_seconds: u64,
    /// Seconds from now until reads show it.
    pub shown_after_seconds: u64,
}

impl Default for RiskSpec {
    fn default() -> Self {
        Self {
            user: String::new(),
            event: "unfamiliarFeatures".into(),
            level: "high".into(),
            ip: Some("203.0.113.77".into()),
            request_id: None,
            sign_in: true,
            detected_at: None,
            found_after_seconds: 120,
            shown_after_seconds: 0,
        }
    }
}

impl RiskSpec {
    /// A high risk of this user's sign-in.
    #[must_use]
    pub fn of(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            ..Self::default()
        }
    }
}

/// A detection as reads show it.
#[derive(Debug)]
struct Detection {
    members: Map<String, Value>,
    shown_from: i64,
}

/// What is thought of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RiskyUser {
    /// `none` to `high`.
    pub level: String,
    /// `atRisk`, `dismissed`, `confirmedCompromised`, `remediated`.
    pub state: String,
    /// Why.
    pub detail: String,
    /// When this changed last, in nanoseconds.
    #[serde(skip)]
    pub(crate) updated: i64,
}

/// Everything Identity Protection knows, detections by id.
#[derive(Debug, Default)]
pub(crate) struct Risk {
    detections: BTreeMap<String, Detection>,
    users: BTreeMap<String, RiskyUser>,
}

/// Who a detection is about, and the ids made up for it.
pub(crate) struct Subject {
    pub(crate) user: String,
    pub(crate) principal: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) request_id: String,
}

impl Risk {
    pub(crate) fn raise(&mut self, spec: &RiskSpec, subject: Subject, now: i64) -> String {
        let detected = spec
            .detected_at
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .unwrap_or(now);
        let request = spec.sign_in.then_some(&subject.request_id);
        let request = spec.request_id.as_ref().or(request);
        let level = spec.level.clone();
        let found_after = i64::try_from(spec.found_after_seconds).unwrap_or(0);
        let activity = detected.saturating_sub(found_after.saturating_mul(1_000_000_000));
        let document = json!({
            "id": subject.id,
            "requestId": request,
            "correlationId": request,
            "riskEventType": spec.event,
            "riskState": "atRisk",
            "riskLevel": level,
            "riskDetail": "none",
            "source": "IdentityProtection",
            "detectionTimingType": if spec.sign_in { "realtime" } else { "offline" },
            "activity": if spec.sign_in { "signin" } else { "user" },
            "tokenIssuerType": "AzureAD",
            "ipAddress": spec.ip,
            "location": {
                "city": "Bergen",
                "state": "Vestland",
                "countryOrRegion": "NO",
                "geoCoordinates": {"latitude": 60.39, "longitude": 5.32},
            },
            "activityDateTime": rfc3339(activity),
            "detectedDateTime": rfc3339(detected),
            "lastUpdatedDateTime": rfc3339(detected),
            "userId": subject.user,
            "userDisplayName": subject.name,
            "userPrincipalName": subject.principal,
            "additionalInfo": r#"[{"Key":"userAgent","Value":"Mozilla/5.0 (X11; Linux x86_64)"}]"#,
        });
        let Value::Object(members) = document else {
            return subject.id;
        };
        let shown = i64::try_from(spec.shown_after_seconds).unwrap_or(0);
        let shown_from = match shown {
            0 => i64::MIN,
            seconds => now.saturating_add(seconds.saturating_mul(1_000_000_000)),
        };
        let detection = Detection {
            members,
            shown_from,
        };
        self.detections.insert(subject.id.clone(), detection);
        self.users.insert(
            subject.user,
            RiskyUser {
                level,
                state: "atRisk".into(),
                detail: "none".into(),
                updated: now,
            },
        );
        subject.id
    }

    /// Adds a detection document as it is.
    pub(crate) fn put(&mut self, members: Map<String, Value>) -> Result<String, &'static str> {
        let id = members.get("id").and_then(Value::as_str).ok_or("id")?;
        let detected = members.get("detectedDateTime").and_then(Value::as_str);
        detected.and_then(parse_time).ok_or("detectedDateTime")?;
        let id = id.to_owned();
        let shown_from = i64::MIN;
        self.detections.insert(
            id.clone(),
            Detection {
                members,
                shown_from,
            },
        );
        Ok(id)
    }

    /// Detections that reads show, in no useful order.
    pub(crate) fn shown(&self, now: i64) -> impl Iterator<Item = &Map<String, Value>> {
        self.detections
            .values()
            .filter(move |detection| detection.shown_from <= now)
            .map(|detection| &detection.members)
    }

    /// Users who are or were at risk, with their object ids.
    pub(crate) fn users(&self) -> impl Iterator<Item = (&String, &RiskyUser)> {
        self.users.iter()
    }

    pub(crate) fn user(&self, id: &str) -> Option<&RiskyUser> {
        self.users.get(id)
    }

    /// What somebody decided about a user, and with it about all open detections of the user.
    pub(crate) fn decide(&mut self, user: &str, state: &str, detail: &str, level: &str, now: i64) {
        self.users.insert(
            user.to_owned(),
            RiskyUser {
                level: level.to_owned(),
                state: state.to_owned(),
                detail: detail.to_owned(),
                updated: now,
            },
        );
        for detection in self.detections.values_mut() {
            let member = |name: &str| detection.members.get(name).and_then(Value::as_str);
            let open = matches!(member("riskState"), Some("atRisk" | "confirmedCompromised"));
            if member("userId") == Some(user) && open {
                for (name, value) in [
                    ("riskState", state.to_owned()),
                    ("riskDetail", detail.to_owned()),
                    ("lastUpdatedDateTime", rfc3339(now)),
                ] {
                    detection.members.insert(name.to_owned(), value.into());
                }
            }
        }
    }
}
