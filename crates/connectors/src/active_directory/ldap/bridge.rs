//! The way between `ldap3`, which gets one end of a local pair of streams, and the encrypted connection.
//!
//! It lets whole messages through, and none that is too large or nested too deeply: `ldap3` reads
//! recursively, and a stack that overflows ends the process, whichever task it happens in.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::unreadable;

/// Largest message that is let through. One entry with the attributes Quell asks for takes a few kilobytes.
const LARGEST: usize = 4 << 20;
/// Deepest nesting that is let through. LDAP's own replies have six levels.
const DEEPEST: usize = 16;
const MESSAGE: u8 = 0x30;
const CONSTRUCTED: u8 = 0x20;
const CONTROLS: u8 = 0xa0;

/// Copies both ways until either side ends. An error is the far side's.
pub(super) async fn copy(
    mut near: UnixStream,
    far: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut requests, mut back) = near.split();
    let (mut from, mut to) = tokio::io::split(far);
    let out = async {
        tokio::io::copy(&mut requests, &mut to).await?;
        to.shutdown().await
    };
    tokio::select! {
        out = out => out,
        replies = replies(&mut from, &mut back) => replies,
    }
}

async fn replies(
    from: &mut (impl AsyncRead + Unpin),
    back: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut unread = Vec::new();
    loop {
        while let Some(length) = message(&unread)? {
            let rest = unread.split_off(length);
            let whole = std::mem::replace(&mut unread, rest);
            if back.write_all(&whole).await.is_err() {
                // Nobody is there to read it, which is no fault of the far side.
                return Ok(());
            }
        }
        if from.read_buf(&mut unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// How long the first message is with its header; `None` until all of it is there.
fn message(bytes: &[u8]) -> io::Result<Option<usize>> {
    if bytes.first().is_some_and(|tag| *tag != MESSAGE) {
        return Err(unreadable());
    }
    match value(bytes) {
        Ok((_, content, rest)) if shallow(content, DEEPEST, false) => {
            Ok(Some(bytes.len() - rest.len()))
        }
        Err(Cut::Short) => Ok(None),
        Ok(_) | Err(Cut::Odd) => Err(unreadable()),
    }
}

/// Whether reading these values goes no more than so deep. Reading ends at the first that is cut short.
fn shallow(mut values: &[u8], deepest: usize, control: bool) -> bool {
    loop {
        let (tag, content, rest) = match value(values) {
            Ok(parts) => parts,
            Err(Cut::Short) => return true,
            Err(Cut::Odd) => return false,
        };
        let constructed = tag & CONSTRUCTED != 0;
        // The plain values of a control are read like messages, too.
        if constructed || control {
            let control = constructed && (control || tag == CONTROLS);
            if deepest == 0 || !shallow(content, deepest - 1, control) {
                return false;
            }
        }
        values = rest;
    }
}

/// Why there is no whole value.
enum Cut {
    /// There may be one, given more bytes.
    Short,
    /// Its length is of a form that nobody uses, or too large.
    Odd,
}

/// The first value's tag and content, and what follows it.
fn value(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Cut> {
    let (Some(tag), Some(first)) = (bytes.first(), bytes.get(1)) else {
        return Err(Cut::Short);
    };
    let (header, length) = match *first {
        short @ 0..=0x7f => (2, usize::from(short)),
        long @ 0x81..=0x84 => {
            let header = 2 + usize::from(long & 0x7f);
            let digits = bytes.get(2..header).ok_or(Cut::Short)?;
            let digits = digits.iter().map(|digit| usize::from(*digit));
            (header, digits.fold(0, |length, digit| length << 8 | digit))
        }
        _ => return Err(Cut::Odd),
    };
    if length > LARGEST {
        return Err(Cut::Odd);
    }
    let rest = bytes.get(header..).ok_or(Cut::Short)?;
    let (content, rest) = rest.split_at_checked(length).ok_or(Cut::Short)?;
    Ok((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value with these contents, with its length in four bytes.
    fn put(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], length.as_slice(), content].concat()
    }

    fn nested(levels: usize) -> Vec<u8> {
        (0..levels).fold(Vec::new(), |inner, _| put(0x31, &inner))
    }

    #[test]
    fn a_message_is_let_through_once_it_is_whole() {
        let whole = put(MESSAGE, &nested(6));
        for cut in 0..whole.len() {
            assert_eq!(message(&whole[..cut]).unwrap(), None, "{cut}");
        }
        let followed = [whole.as_slice(), &[MESSAGE]].concat();
        assert_eq!(message(&followed).unwrap(), Some(whole.len()));
        assert_eq!(message(&[MESSAGE, 0x02, 0x05, 0x00]).unwrap(), Some(4));
    }

    #[test]
    fn what_can_never_become_a_message_is_known_from_its_first_bytes() {
        for odd in [
            b"HTTP/1.1 400".as_slice(),
            &[MESSAGE, 0x80],
            &[MESSAGE, 0x85],
            &[MESSAGE, 0x84, 0xff, 0, 0, 0],
        ] {
            assert!(message(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn nesting_is_limited_in_messages_and_in_the_values_of_their_controls() {
        let deep = nested(DEEPEST + 1);
        assert!(message(&put(MESSAGE, &deep)).is_err());
        // What is before it or around it does not hide it.
        assert!(message(&put(MESSAGE, &[vec![4, 1, 0], deep.clone()].concat())).is_err());
        let control = |value: &[u8]| {
            let parts = [put(4, b"1.2.840.113556.1.4.319"), put(4, value)].concat();
            put(MESSAGE, &put(CONTROLS, &put(0x30, &parts)))
        };
        assert!(message(&control(&deep)).is_err());
        let paged = put(0x30, &[put(2, &[0]), put(4, &[0xff; 40])].concat());
        assert!(message(&control(&paged)).is_ok());
        // An attribute may hold anything.
        assert!(message(&put(MESSAGE, &put(4, &deep))).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_bridge_panic_or_pass_on_what_it_has_not(bytes: Vec<u8>) {
            for bytes in [bytes.clone(), put(MESSAGE, &bytes), put(MESSAGE, &put(CONTROLS, &bytes))] {
                if let Ok(Some(length)) = message(&bytes) {
                    prop_assert!(length <= bytes.len());
                }
            }
        }
    }
}
