//! The Basic Encoding Rules, as far as LDAP uses them (RFC 4511, section 5.1): definite lengths, and
//! tags that fit a byte. Reading never recurses and never panics, whatever the bytes are.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Bytes in the making.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn octets(&mut self, tag: u8, content: &[u8]) {
        self.nested(tag, |inner| inner.bytes.extend_from_slice(content));
    }

    pub(super) fn integer(&mut self, tag: u8, value: i32) {
        self.octets(tag, &value.to_be_bytes());
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.octets(BOOLEAN, &[if value { 0xff } else { 0 }]);
    }

    /// A value whose content `fill` writes. Its length always takes four bytes, as in what Active
    /// Directory itself sends, so that it can be filled in afterwards.
    pub(super) fn nested(&mut self, tag: u8, fill: impl FnOnce(&mut Self)) {
        self.bytes.extend_from_slice(&[tag, 0x84, 0, 0, 0, 0]);
        let start = self.bytes.len();
        fill(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(start - 4..start) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Bytes that are read value by value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value's tag and content. `None` when there is none, or not all of it.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, header, length) = header(self.0)?;
        let end = header.checked_add(length)?;
        let content = self.0.get(header..end)?;
        self.0 = self.0.get(end..)?;
        Some((tag, content))
    }

    /// The next value's content, if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .and_then(|(found, content)| (found == tag).then_some(content))
    }

    pub(super) fn integer(&mut self, tag: u8) -> Option<i64> {
        let content = self.expect(tag)?;
        let negative = content.first()? & 0x80 != 0;
        let mut bytes = if negative { [0xff; 8] } else { [0; 8] };
        let start = bytes.len().checked_sub(content.len())?;
        bytes.get_mut(start..)?.copy_from_slice(content);
        Some(i64::from_be_bytes(bytes))
    }

    pub(super) fn text(&mut self, tag: u8) -> Option<String> {
        let content = self.expect(tag)?;
        Some(String::from_utf8_lossy(content).into_owned())
    }
}

/// How long the first value in `bytes` is with its header; `None` when that cannot be told yet.
pub(super) fn extent(bytes: &[u8]) -> Option<usize> {
    let (_, header, length) = header(bytes)?;
    header.checked_add(length)
}

/// Whether `bytes` can become a value LDAP knows, given more of them.
pub(super) fn plausible(bytes: &[u8]) -> bool {
    // 0x80 is the indefinite length, which LDAP forbids; 4 GiB and more nobody sends.
    bytes.first().is_none_or(|tag| *tag == SEQUENCE)
        && bytes
            .get(1)
            .is_none_or(|length| (0..0x80).contains(length) || (0x81..=0x84).contains(length))
}

/// Tag, length of the header and length of the content.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let tag = *bytes.first()?;
    let first = *bytes.get(1)?;
    if first < 0x80 {
        return Some((tag, 2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None;
    }
    let digits = bytes.get(2..2 + count)?;
    let length = digits
        .iter()
        .fold(0, |length: usize, digit| length << 8 | usize::from(*digit));
    Some((tag, 2 + count, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = Writer::default();
        writer.nested(SEQUENCE, |inner| {
            inner.integer(INTEGER, -2);
            inner.octets(OCTETS, b"corp");
            inner.boolean(true);
            inner.octets(OCTETS, &[7; 300]);
        });
        let bytes = writer.finish();
        assert_eq!(extent(&bytes), Some(bytes.len()));
        let mut inner = Reader(Reader(&bytes).expect(SEQUENCE).unwrap());
        assert_eq!(inner.integer(INTEGER), Some(-2));
        assert_eq!(inner.text(OCTETS).as_deref(), Some("corp"));
        assert_eq!(inner.expect(BOOLEAN), Some([0xff].as_slice()));
        assert_eq!(inner.expect(OCTETS).map(<[u8]>::len), Some(300));
        assert_eq!(inner.next(), None);
    }

    #[test]
    fn short_lengths_are_read_too() {
        let mut reader = Reader(&[0x02, 0x01, 0x31, 0x04, 0x81, 0x02, 0x61, 0x62]);
        assert_eq!(reader.integer(INTEGER), Some(49));
        assert_eq!(reader.text(OCTETS).as_deref(), Some("ab"));
    }

    #[test]
    fn what_can_never_become_a_message_is_known_from_its_first_bytes() {
        assert!(plausible(&[]) && plausible(&[0x30]) && plausible(&[0x30, 0x84]));
        assert!(!plausible(b"HTTP/1.1 400") && !plausible(&[0x30, 0x80]));
        assert!(!plausible(&[0x30, 0x85]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_read_past_their_end(bytes: Vec<u8>) {
            let mut reader = Reader(&bytes);
            let mut read = 0;
            while let Some((_, content)) = reader.next() {
                read += content.len() + 2;
            }
            prop_assert!(read <= bytes.len());
            Reader(&bytes).integer(INTEGER);
            extent(&bytes);
        }
    }
}
