//! What time it is at the gateway, as the header `Date` of any answer says.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Reads such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn parse(date: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(date, &Rfc2822)
        .ok()
        .map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_form_that_servers_write_is_read() {
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(UNIX_EPOCH + Duration::from_secs(784_111_777))
        );
        for text in ["", "now", "1994-11-06T08:49:37Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
