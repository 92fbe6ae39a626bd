//! The HTML of the page, in Chinese as Alipay's own. There is no script on it.
//!
//! For whoever drives a browser: `button[value=agree]`, `button[value=refuse]`, `#app-id`, `#scopes` and `#user` on the question;
//! `#refused` after a refusal; `#error`, with the parameter's name in `data-parameter`, where the link is wrong.

use axum::http::StatusCode;
use axum::response::Response;

use super::request::{AuthorizationRequest, Flaw};
use crate::page::{document, escaped};
use crate::users::SimulatedUser;

const TITLE: &str = "支付宝授权（模拟器）";

/// The form's one member, and its two values.
pub(super) const DECISION: &str = "decision";
pub(super) const AGREE: &str = "agree";
pub(super) const REFUSE: &str = "refuse";

/// Asks the user. The form has no address of its own, so that it comes to that of the page, with the same query.
pub(super) fn question(request: &AuthorizationRequest, user: &SimulatedUser) -> Response {
    let name = user.nick_name.as_deref().unwrap_or("（没有昵称）");
    let main = format!(
        r#"<h1>授权登录</h1>
<p>应用 <b id="app-id">{app_id}</b> 申请以下权限：</p>
<ul id="scopes"><li>获取你的会员信息（昵称、头像、性别、地区）<br><code>{scopes}</code></li></ul>
<p>当前用户：<b id="user">{name}</b> <code>{user_id}</code></p>
<p>授权后前往：<code>{host}</code></p>
<form method="post">
<button name="{DECISION}" value="{AGREE}">同意</button>
<button name="{DECISION}" value="{REFUSE}">拒绝</button>
</form>"#,
        app_id = escaped(&request.app_id),
        scopes = escaped(&request.scopes),
        name = escaped(name),
        user_id = escaped(&user.user_id),
        host = escaped(request.redirect_uri.host_str().unwrap_or_default()),
    );
    document(TITLE, StatusCode::OK, &main)
}

/// After a refusal the user stays here.
pub(super) fn refused() -> Response {
    let main = r#"<h1 id="refused">已拒绝授权</h1><p>没有向应用提供任何信息，可以关闭本页。</p>"#;
    document(TITLE, StatusCode::OK, main)
}

/// The link is wrong. Nothing of it is shown.
pub(super) fn rejected(flaw: &Flaw) -> Response {
    let Flaw { parameter, rule } = flaw;
    let main = format!(
        r#"<h1>授权链接有误</h1><p id="error" data-parameter="{parameter}"><code>{parameter}</code>：{rule}</p>"#
    );
    document(TITLE, StatusCode::BAD_REQUEST, &main)
}
