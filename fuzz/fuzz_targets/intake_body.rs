//! Any body at all, for every connector that reads alerts: an answer or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(body) = std::str::from_utf8(data) else { return };
    for connector in quell_connectors::catalog::CATALOG {
        if let Some(normalise) = connector.normalise {
            let _answer = quell_engine::documents(body, connector.envelope, normalise);
        }
    }
});
