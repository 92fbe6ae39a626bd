//! The two forms of a link, as Alipay's document of the mini-program's scheme has them. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const SCHEME: &str = "alipays://platformapi/startapp";
const WEB_ADDRESS: &str = "https://ds.alipay.com/";

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `/` and `?` divide nothing inside a query, and Alipay's document leaves them as they are in a page.
const RESERVED_IN_PAGE: &AsciiSet = &RESERVED.remove(b'/').remove(b'?');

/// Opens `page` of the mini-program; without one its start page. What stands behind `?` in `page` is for that page, `query` is for
/// the mini-program as a whole. Both are encoded once.
pub(crate) fn scheme(app_id: &str, page: Option<&str>, query: Option<&str>) -> String {
    let mut link = format!("{SCHEME}?appId={}", utf8_percent_encode(app_id, RESERVED));
    if let Some(page) = page {
        link.push_str("&page=");
        link.extend(utf8_percent_encode(page, RESERVED_IN_PAGE));
    }
    if let Some(query) = query {
        link.push_str("&query=");
        link.extend(utf8_percent_encode(query, RESERVED));
    }
    link
}

/// The address that leads to `scheme` from where only https is let through.
pub(crate) fn web_address(scheme: &str) -> String {
    format!(
        "{WEB_ADDRESS}?scheme={}",
        utf8_percent_encode(scheme, RESERVED)
    )
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    /// The parameters behind `?`, decoded once.
    fn parameters(link: &str) -> Vec<(String, String)> {
        let (_, query) = link.split_once('?').unwrap();
        query
            .split('&')
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap();
                let value = percent_decode_str(value).decode_utf8().unwrap();
                (name.to_owned(), value.into_owned())
            })
            .collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn page_and_query_are_encoded_once_and_the_whole_once_more() {
        let link = scheme(
            "2021000000000001",
            Some("pages/index/index?id=1&名=x"),
            Some("a=1&b=50%"),
        );
        assert_eq!(
            link,
            "alipays://platformapi/startapp?appId=2021000000000001&page=pages/index/index?id%3D1%26%E5%90%8D%3Dx&query=a%3D1%26b%3D50%25"
        );
        assert_eq!(
            web_address("alipays://platformapi/startapp?appId=1&query=a%3D1"),
            "https://ds.alipay.com/?scheme=alipays%3A%2F%2Fplatformapi%2Fstartapp%3FappId%3D1%26query%3Da%253D1"
        );
    }

    #[test]
    fn what_is_not_given_is_not_in_the_link() {
        assert_eq!(
            scheme("1", None, None),
            "alipays://platformapi/startapp?appId=1"
        );
        assert_eq!(
            scheme("1", None, Some("a=1")),
            "alipays://platformapi/startapp?appId=1&query=a%3D1"
        );
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(app_id in any::<String>(), page in any::<String>(), query in any::<String>()) {
            let link = scheme(&app_id, Some(&page), Some(&query));
            prop_assert!(link.is_ascii() && !link.contains(char::is_whitespace));
            prop_assert_eq!(
                parameters(&link),
                [pair("appId", &app_id), pair("page", &page), pair("query", &query)]
            );
            prop_assert_eq!(parameters(&web_address(&link)), [pair("scheme", &link)]);
        }
    }
}
