use function_kit::{Failure, Request, Response};

/// How a login that did not come to its end is said: to a person as a page, to a program in the envelope. The page is one for all
/// failures. Nothing that came with the request is on it; the log has what went wrong under its number.
pub fn login_refused(request: &Request, failure: &Failure) -> Response {
    let envelope = Response::envelope(failure, request.request_id());
    if request.accepts("text/html") {
        Response::html(envelope.status(), &page(request.request_id()))
    } else {
        envelope
    }
}

fn page(request_id: &str) -> String {
    // Of Lambda's own making, and written to a page all the same.
    let number: String = request_id
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '-')
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>登录未完成 · Login not completed</title>\n\
         <h1>登录未完成</h1>\n\
         <p>这次登录未能完成，可能已过期、已使用过，或不是在这个浏览器中发起的。请返回原来的页面重新登录。</p>\n\
         <div lang=\"en\">\n<h1>Login not completed</h1>\n\
         <p>This login was not completed. It may have expired, have been used before, or have been begun in another browser. \
         Please go back to the page you came from and log in again.</p>\n</div>\n\
         <p>编号 · request_id: <code>{number}</code></p>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_even_the_number_can_write_to_the_page() {
        let page = page("<script>alert(1)</script>-0a");
        assert!(
            page.contains("<code>scriptalert1script-0a</code>"),
            "{page}"
        );
    }
}
