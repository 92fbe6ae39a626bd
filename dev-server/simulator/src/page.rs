//! The HTML of what users see in a browser, in Chinese as Alipay's own. There is no script on it.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// `form-action` is not restricted: Chromium applies it to the redirect after the form too, and that leads to another site.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// A page with this HTML in the middle.
pub(crate) fn document(title: &str, status: StatusCode, main: &str) -> Response {
    let document = format!(
        r#"<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font-family:sans-serif;max-width:28rem;margin:2rem auto;padding:0 1rem}}button{{font-size:1rem;padding:.5rem 2rem;margin-right:1rem}}pre{{white-space:pre-wrap;overflow-wrap:anywhere}}</style>
</head>
<body>
<main>
{main}
</main>
<footer><small>这是本机的模拟器，不是支付宝。</small></footer>
</body>
</html>
"#
    );
    (status, HEADERS, Html(document)).into_response()
}

/// The text as HTML shows it, in an element or in a quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}
