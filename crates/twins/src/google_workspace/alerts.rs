//! The Alert Center: documents with filters, orders and pages, and feedback on them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::page::page;
use super::wire::Refusal;
use crate::clock::{parse_time, rfc3339};
use crate::http::Query;

/// An alert to raise. What is left out is made up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertSpec {
    /// `Suspicious login`, `User reported phishing` and so on.
    pub r#type: String,
    /// `Google identity`, `Gmail phishing` and so on.
    pub source: String,
    /// Last part of `data.@type`.
    pub data_type: String,
    /// Members of `data` beside `@type`.
    pub data: Map<String, Value>,
    /// `HIGH`, `MEDIUM`, `LOW`; none leaves it out.
    pub severity: Option<String>,
    /// When it was created; the present when absent.
    pub created_at: Option<jiff::Timestamp>,
}

impl AlertSpec {
    fn new(source: &str, kind: &str, data_type: &str, data: Value) -> Self {
        Self {
            r#type: kind.to_owned(),
            source: source.to_owned(),
            data_type: data_type.to_owned(),
            data: match data {
                Value::Object(members) => members,
                _ => Map::new(),
            },
            severity: None,
            created_at: None,
        }
    }

    /// A sign-in that looks like somebody else's.
    pub fn suspicious_login(email: &str, ip: &str, at: jiff::Timestamp) -> Self {
        let details = json!({"loginTime": at.to_string(), "ipAddress": ip});
        Self::new(
            "Google identity",
            "Suspicious login",
            "AccountWarning",
            json!({"email": email, "loginDetails": details}),
        )
    }

    /// A password found in a leak.
    pub fn leaked_password(email: &str) -> Self {
        Self::new(
            "Google identity",
            "Leaked password",
            "AccountWarning",
            json!({"email": email}),
        )
    }

    /// One phishing message that reached these people.
    pub fn phishing(message_id: &str, sender: &str, recipients: &[&str]) -> Self {
        let message = |recipient: &&str| json!({"messageId": message_id, "recipient": recipient, "subjectText": "Invoice"});
        let messages: Vec<_> = recipients.iter().map(message).collect();
        Self::new(
            "Gmail phishing",
            "User reported phishing",
            "MailPhishing",
            json!({
                "domainId": {"customerPrimaryDomain": "northwind.example"},
                "maliciousEntity": {"fromHeader": sender, "entity": {"emailAddress": sender}},
                "messages": messages,
                "isInternal": false,
                "systemActionType": "NO_OPERATION",
            }),
        )
    }

    /// The same with this severity.
    #[must_use]
    pub fn severity(mut self, severity: &str) -> Self {
        self.severity = Some(severity.to_owned());
        self
    }

    /// The same, created then.
    #[must_use]
    pub fn created(mut self, at: jiff::Timestamp) -> Self {
        self.created_at = Some(at);
        self
    }
}

#[derive(Debug)]
struct Row {
    id: String,
    created: i64,
    updated: i64,
    document: Map<String, Value>,
}

/// All alerts of the organization.
#[derive(Debug, Default)]
pub(crate) struct AlertTable {
    rows: Vec<Row>,
    /// Feedback that was given: alert id and type.
    feedback: Vec<(String, String)>,
}

impl AlertTable {
    pub(crate) fn raise(&mut self, spec: &AlertSpec, id: String, customer: &str, now: i64) {
        let created = spec
            .created_at
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .unwrap_or(now);
        // This service leaves the first letter of the id out.
        let customer = customer.strip_prefix('C').unwrap_or(customer);
        let mut data = spec.data.clone();
        let kind = format!(
            "type.googleapis.com/google.apps.alertcenter.type.{}",
            spec.data_type
        );
        data.insert("@type".into(), kind.into());
        let mut metadata = json!({"customerId": customer, "alertId": id, "status": "NOT_STARTED", "updateTime": rfc3339(created), "etag": "twin"});
        if let (Value::Object(metadata), Some(severity)) = (&mut metadata, &spec.severity) {
            metadata.insert("severity".into(), severity.as_str().into());
        }
        let document = json!({
            "customerId": customer,
            "alertId": id,
            "createTime": rfc3339(created),
            "startTime": rfc3339(created),
            "updateTime": rfc3339(created),
            "type": spec.r#type,
            "source": spec.source,
            "data": data,
            "securityInvestigationToolLink": "https://admin.google.com/ac/sc/investigation",
            "metadata": metadata,
            "etag": "twin",
        });
        if let Value::Object(document) = document {
            self.rows.retain(|row| row.id != id);
            self.rows.push(Row {
                id,
                created,
                updated: created,
                document,
            });
        }
    }

    /// Adds a document as it is.
    pub(crate) fn put(&mut self, document: &Map<String, Value>) -> Result<String, &'static str> {
        let text = |name| document.get(name).and_then(Value::as_str);
        let time = |name| text(name).and_then(parse_time);
        let id = text("alertId").ok_or("alertId")?.to_owned();
        let created = time("createTime").ok_or("createTime")?;
        let updated = time("updateTime").unwrap_or(created);
        self.rows.retain(|row| row.id != id);
        self.rows.push(Row {
            id: id.clone(),
            created,
            updated,
            document: document.clone(),
        });
        Ok(id)
    }

    /// Sets the status, as somebody in the console would.
    pub(crate) fn set_status(&mut self, id: &str, status: &str, now: i64) -> bool {
        let Some(row) = self.rows.iter_mut().find(|row| row.id == id) else {
            return false;
        };
        row.updated = now;
        row.document
            .insert("updateTime".into(), rfc3339(now).into());
        if let Some(Value::Object(metadata)) = row.document.get_mut("metadata") {
            metadata.insert("status".into(), status.into());
            metadata.insert("updateTime".into(), rfc3339(now).into());
        }
        true
    }

    pub(crate) fn read(&self, id: &str) -> Result<Value, Refusal> {
        let row = self.rows.iter().find(|row| row.id == id);
        row.map(|row| Value::Object(row.document.clone()))
            .ok_or_else(not_found)
    }

    pub(crate) fn list(&self, query: &Query) -> Result<Value, Refusal> {
        let filter = Filter::read(query.get("filter").unwrap_or_default())?;
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| filter.keeps(row)).collect();
        match query.get("orderBy").unwrap_or("create_time desc") {
            "create_time asc" | "create_time" => rows.sort_by_key(|row| row.created),
            "create_time desc" => rows.sort_by_key(|row| std::cmp::Reverse(row.created)),
            "update_time desc" => rows.sort_by_key(|row| std::cmp::Reverse(row.updated)),
            other => {
                return Err(Refusal::invalid(format!("Invalid order_by: {other}")));
            }
        }
        let (rows, next) = page(rows, query, "pageSize", 100)?;
        let mut body = Map::new();
        // An empty list is left out, as in every reply that comes from protocol buffers.
        if !rows.is_empty() {
            let alerts = rows.iter().map(|row| Value::Object(row.document.clone()));
            body.insert("alerts".into(), alerts.collect());
        }
        if let Some(next) = next {
            body.insert("nextPageToken".into(), next.into());
        }
        Ok(Value::Object(body))
    }

    pub(crate) fn give_feedback(
        &mut self,
        id: &str,
        body: &Map<String, Value>,
        (by, feedback_id, now): (&str, String, i64),
    ) -> Result<Value, Refusal> {
        let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "NOT_USEFUL" | "SOMEWHAT_USEFUL" | "VERY_USEFUL") {
            return Err(Refusal::invalid(format!("Invalid value at 'type': {kind}")));
        }
        let row = self.rows.iter().find(|row| row.id == id);
        let row = row.ok_or_else(not_found)?;
        let customer = row.document.get("customerId").cloned();
        self.feedback.push((id.to_owned(), kind.to_owned()));
        Ok(json!({
            "customerId": customer,
            "alertId": id,
            "feedbackId": feedback_id,
            "createTime": rfc3339(now),
            "type": kind,
            "email": by,
        }))
    }

    pub(crate) fn feedback(&self) -> Vec<(String, String)> {
        self.feedback.clone()
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.rows
            .iter()
            .map(|row| Value::Object(row.document.clone()))
            .collect()
    }
}

fn not_found() -> Refusal {
    Refusal::new(404, "notFound", "Requested entity was not found.")
}

/// `createTime >= "…" AND type = "…"`: the part of the filter language that is conjunctions of comparisons.
struct Filter(Vec<(String, &'static str, String)>);

impl Filter {
    fn read(text: &str) -> Result<Self, Refusal> {
        let mut terms = Vec::new();
        for term in text.split(" AND ").filter(|term| !term.trim().is_empty()) {
            let bad = || Refusal::invalid(format!("Invalid filter: {term}"));
            let operator = [">=", "<=", "!=", "=", ">", "<"]
                .into_iter()
                .find(|operator| term.contains(operator))
                .ok_or_else(bad)?;
            let (field, value) = term.split_once(operator).ok_or_else(bad)?;
            let (field, value) = (field.trim(), value.trim());
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .ok_or_else(bad)?;
            let known = match field {
                "createTime" => parse_time(value).is_some(),
                "type" | "source" => matches!(operator, "=" | "!="),
                _ => false,
            };
            if !known {
                return Err(bad());
            }
            terms.push((field.to_owned(), operator, value.to_owned()));
        }
        Ok(Self(terms))
    }

    fn keeps(&self, row: &Row) -> bool {
        self.0.iter().all(|(field, operator, wanted)| {
            let order = match field.as_str() {
                "createTime" => row.created.cmp(&parse_time(wanted).unwrap_or_default()),
                _ => {
                    let found = row.document.get(field).and_then(Value::as_str);
                    found.unwrap_or_default().cmp(wanted.as_str())
                }
            };
            match *operator {
                ">=" => order.is_ge(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                "<" => order.is_lt(),
                "!=" => order.is_ne(),
                _ => order.is_eq(),
            }
        })
    }
}
