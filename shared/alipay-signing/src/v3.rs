//! The texts that protocol V3 signs. Requests carry their signature in the header `Authorization`, replies in
//! `alipay-signature`; both are RSA-SHA256 (RSASSA-PKCS1-v1_5), as Alipay's document of the V3 protocol and its official
//! SDKs have it.

/// The scheme of the header `Authorization`.
pub const SCHEME: &str = "ALIPAY-SHA256withRSA";

/// The part of the header `Authorization` that is signed: who calls, and a nonce with the time against replay.
/// `timestamp_ms` is milliseconds since 1970.
pub fn auth_string(
    app_id: &str,
    app_cert_sn: Option<&str>,
    nonce: &str,
    timestamp_ms: u64,
) -> String {
    let certificate = app_cert_sn.map_or_else(String::new, |sn| format!(",app_cert_sn={sn}"));
    format!("app_id={app_id}{certificate},nonce={nonce},timestamp={timestamp_ms}")
}

/// The text of a request that is signed. `target` is path and query exactly as sent; `body` is what is sent, the
/// ciphertext where it is encrypted, and empty for a GET.
pub fn request_text(
    auth_string: &str,
    http_method: &str,
    target: &str,
    body: &str,
    app_auth_token: Option<&str>,
) -> String {
    let mut lines = vec![auth_string, http_method, target, body];
    lines.extend(app_auth_token);
    // The last one ends in a line end too.
    lines.push("");
    lines.join("\n")
}

/// The text of a reply that is signed: the headers `alipay-timestamp` and `alipay-nonce`, and the body as received.
pub fn response_text(timestamp: &str, nonce: &str, body: &str) -> String {
    [timestamp, nonce, body, ""].join("\n")
}
