/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody, inside the route's throttle.
    Public,
    /// Only what IAM allows to. Routes for signed-in users belong here until there are sessions.
    Iam,
}

/// One HTTP route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// vk's name with `/` for `.`.
    pub path: &'static str,
    /// The function that answers.
    pub function: &'static str,
    /// Who may call it.
    pub who: Who,
}

/// Every route there is. A test holds `template.yaml` to it.
pub const ROUTES: [Route; 17] = [
    public("/openapi/alipay/auth/code2Session", "code2session"),
    iam("/openapi/alipay/acode/getMiniCode", "get-mini-code"),
    iam(
        "/openapi/alipay/subscribeMessage/send",
        "subscribe-message-send",
    ),
    iam("/openapi/alipay/request", "generic-request"),
    iam("/openapi/alipay/security/msgSecCheck", "msg-sec-check"),
    iam("/openapi/alipay/security/imgSecCheck", "img-sec-check"),
    iam("/openapi/alipay/decrypt/getPhoneNumber", "decrypt"),
    iam("/openapi/alipay/decrypt/decryptData", "decrypt"),
    iam("/openapi/alipay/urlscheme/generate", "launch-link"),
    iam("/openapi/alipay/urllink/generate", "launch-link"),
    iam("/openapi/alipay/user/getUserInfo", "user-info"),
    iam(
        "/openapi/alipay/acode/getTempMiniCode",
        "get-temp-mini-code",
    ),
    iam(
        "/openapi/alipay/subscribeMessage/batchSend",
        "subscribe-message-batch-send",
    ),
    iam(
        "/openapi/alipay/subscribeMessage/query",
        "subscribe-message-query",
    ),
    iam("/openapi/alipay/isv/getAuthLink", "isv-auth-link"),
    iam("/openapi/alipay/isv/getAuthToken", "isv-auth-token"),
    iam("/openapi/alipay/isv/queryAuth", "isv-auth-query"),
];

const fn public(path: &'static str, function: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        function,
        who: Who::Public,
    }
}

const fn iam(path: &'static str, function: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        function,
        who: Who::Iam,
    }
}
