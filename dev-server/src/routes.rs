/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Anybody, inside the route's throttle.
    Public,
    /// A user with an id_token of ours as bearer.
    SignedIn,
    /// Only what IAM allows to.
    Iam,
}

/// The API of `template.yaml` that has a route. Here both are on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `Api`: vk's routes, for mini-programs and servers.
    Functions,
    /// `LoginApi`: logins, sessions, the keys of id_tokens, and Alipay's notices. Its address is the issuer, and what Alipay is told.
    Login,
}

/// One HTTP route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The API that has it.
    pub api: Api,
    /// The HTTP method.
    pub method: &'static str,
    /// Of [`Api::Functions`]: vk's name with `/` for `.`. A part in braces takes any one part.
    pub path: &'static str,
    /// The function that answers.
    pub function: &'static str,
    /// Who may call it.
    pub who: Who,
}

/// Every route there is. A test holds `template.yaml` to it.
pub const ROUTES: [Route; 50] = [
    public("/openapi/alipay/auth/code2Session", "code2session"),
    public("/openapi/alipay/app/getAuthInfo", "app-auth"),
    public("/openapi/alipay/app/login", "app-auth"),
    signed_in("/openapi/alipay/acode/getMiniCode", "get-mini-code"),
    signed_in(
        "/openapi/alipay/acode/getTempMiniCode",
        "get-temp-mini-code",
    ),
    signed_in("/openapi/alipay/security/msgSecCheck", "msg-sec-check"),
    signed_in("/openapi/alipay/security/imgSecCheck", "img-sec-check"),
    signed_in("/openapi/alipay/decrypt/getPhoneNumber", "decrypt"),
    signed_in("/openapi/alipay/decrypt/decryptData", "decrypt"),
    signed_in("/openapi/alipay/urlscheme/generate", "launch-link"),
    signed_in("/openapi/alipay/urllink/generate", "launch-link"),
    signed_in("/openapi/alipay/user/getUserInfo", "user-info"),
    iam(
        "/openapi/alipay/subscribeMessage/send",
        "subscribe-message-send",
    ),
    iam(
        "/openapi/alipay/subscribeMessage/batchSend",
        "subscribe-message-batch-send",
    ),
    iam(
        "/openapi/alipay/subscribeMessage/query",
        "subscribe-message-query",
    ),
    iam("/openapi/alipay/request", "generic-request"),
    iam("/openapi/alipay/isv/getAuthLink", "isv-auth-link"),
    iam("/openapi/alipay/isv/getAuthToken", "isv-auth-token"),
    iam("/openapi/alipay/isv/queryAuth", "isv-auth-query"),
    iam("/openapi/alipay/app/getOrderStr", "app-pay"),
    iam("/openapi/alipay/app/checkResult", "app-pay"),
    iam("/openapi/alipay/trade/create", "app-pay"),
    iam("/openapi/alipay/trade/query", "app-pay"),
    iam("/openapi/alipay/trade/close", "app-pay"),
    iam("/openapi/alipay/trade/refund", "app-pay"),
    iam("/openapi/alipay/refund/query", "app-pay"),
    login_post("/api/v2/sdk/login/alipay", "sdk-login"),
    login_post("/api/v3/sdk/login/alipay", "sdk-login"),
    login_post("/api/v2/sdk/login/alipay-miniprogram", "sdk-login"),
    login_post("/api/v2/tenant/token", "session"),
    login_post("/api/v2/tenant/sso/session-token/sso-ticket", "session"),
    login_post("/api/v2/tenant/sso/sso-ticket/verify", "session"),
    login_post("/api/v2/tenant/sso/session-token/refresh", "session"),
    login_post("/api/v2/sdk/session-token/refresh-id-token", "session"),
    login_post("/api/v2/sdk/logout", "session"),
    login_get("/api/v2/sdk/logout", "session"),
    login_get("/api/v2/sdk/public-key", "session"),
    login_get("/api/v2/sdk/server-date", "session"),
    login_get("/.well-known/openid-configuration", "session"),
    login_get("/.well-known/jwks.json", "session"),
    login_get("/h5/authorize", "h5-oauth"),
    login_get("/h5/callback", "h5-oauth"),
    login_post("/h5/ticket", "h5-oauth"),
    login_get("/authorize", "oidc"),
    login_post("/authorize", "oidc"),
    login_get("/oidc/callback", "oidc"),
    login_post("/token", "oidc"),
    login_get("/userinfo", "oidc"),
    login_post("/userinfo", "oidc"),
    login_post("/notify/{appid}", "pay-notify"),
];

const fn public(path: &'static str, function: &'static str) -> Route {
    post(Api::Functions, path, function, Who::Public)
}

const fn signed_in(path: &'static str, function: &'static str) -> Route {
    post(Api::Functions, path, function, Who::SignedIn)
}

const fn iam(path: &'static str, function: &'static str) -> Route {
    post(Api::Functions, path, function, Who::Iam)
}

/// What somebody is who logs in, is shown by what they send; that it is Alipay who notifies, by its signature.
const fn login_post(path: &'static str, function: &'static str) -> Route {
    post(Api::Login, path, function, Who::Public)
}

const fn login_get(path: &'static str, function: &'static str) -> Route {
    Route {
        method: "GET",
        ..login_post(path, function)
    }
}

const fn post(api: Api, path: &'static str, function: &'static str, who: Who) -> Route {
    Route {
        api,
        method: "POST",
        path,
        function,
        who,
    }
}
