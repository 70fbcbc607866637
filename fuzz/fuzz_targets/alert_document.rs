//! One JSON object, for every connector that reads alerts. What is read must survive being stored:
//! written as JSON and read again it is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Ok(json) = serde_json::from_slice::<&RawValue>(data) else { return };
    for connector in quell_connectors::catalog::CATALOG {
        let Some(Ok(alert)) = connector.normalise.map(|normalise| normalise(json)) else { continue };
        let text = serde_json::to_string(&alert).expect("an alert is written as JSON");
        let again = serde_json::from_str(&text).expect("an alert reads back");
        assert_eq!(alert, again);
    }
});
