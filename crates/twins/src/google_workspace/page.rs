//! Pages: a size within limits, and a token that says where the next one starts.

use super::wire::Refusal;
use crate::http::Query;

/// One page of `rows`, and the token of the next. `most` is the largest page there is.
pub(crate) fn page<T>(
    rows: Vec<T>,
    query: &Query,
    size: &str,
    most: usize,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let limit = match query.get(size) {
        None => most,
        Some(text) => match text.parse::<usize>() {
            Ok(limit @ 1..) => limit.min(most),
            _ => return Err(Refusal::invalid(format!("Invalid value for: {size}"))),
        },
    };
    let from = match query.get("pageToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("twin-page-")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| Refusal::invalid("Invalid Input: pageToken"))?,
    };
    let total = rows.len();
    let rows: Vec<T> = rows.into_iter().skip(from).take(limit).collect();
    let next = from.saturating_add(limit);
    Ok((rows, (next < total).then(|| format!("twin-page-{next}"))))
}
