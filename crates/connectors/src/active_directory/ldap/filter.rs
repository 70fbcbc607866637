//! Conditions on entries, as text (RFC 4515). A value is escaped wherever one goes in, so nothing in it
//! can end its condition, widen it or begin another.

use ldap3::ldap_escape;

/// Every entry.
pub(crate) const ANY: &str = "(objectClass=*)";

/// An attribute has the value, by the directory's own rule of what is equal.
pub(crate) fn is(attribute: &'static str, value: &str) -> String {
    format!("({attribute}={})", ldap_escape(value))
}

/// An attribute matches the value by the rule with this object identifier.
pub(crate) fn matches(rule: &'static str, attribute: &'static str, value: &str) -> String {
    format!("({attribute}:{rule}:={})", ldap_escape(value))
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{ASNTag, PL, StructureTag};
    use proptest::prelude::*;

    use super::*;

    /// The parts of a filter that is one condition.
    fn parts(filter: &str) -> Vec<Vec<u8>> {
        let parsed = ldap3::parse_filter(filter).unwrap().into_structure();
        let PL::C(parts) = parsed.payload else {
            panic!("no condition with parts: {filter}");
        };
        let content = |part: StructureTag| part.expect_primitive().unwrap();
        parts.into_iter().map(content).collect()
    }

    #[test]
    fn a_value_full_of_filter_characters_is_one_value() {
        let hostile = "*)(objectClass=*))(|(cn=\0\\2a";
        let wanted = [b"sAMAccountName".to_vec(), hostile.into()];
        assert_eq!(parts(&is("sAMAccountName", hostile)), wanted);
        let wanted = [b"1.2.3".to_vec(), b"memberOf".to_vec(), hostile.into()];
        assert_eq!(parts(&matches("1.2.3", "memberOf", hostile))[..3], wanted);
    }

    proptest! {
        #[test]
        fn whatever_the_value_is_it_arrives_as_it_was(value: String) {
            let wanted = [b"mail".to_vec(), value.clone().into_bytes()];
            prop_assert_eq!(parts(&is("mail", &value)), wanted);
        }
    }
}
