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
pub const ROUTES: [Route; 4] = [
    Route {
        method: "POST",
        path: "/openapi/alipay/auth/code2Session",
        function: "code2session",
        who: Who::Public,
    },
    Route {
        method: "POST",
        path: "/openapi/alipay/acode/getMiniCode",
        function: "get-mini-code",
        who: Who::Iam,
    },
    Route {
        method: "POST",
        path: "/openapi/alipay/subscribeMessage/send",
        function: "subscribe-message-send",
        who: Who::Iam,
    },
    Route {
        method: "POST",
        path: "/openapi/alipay/request",
        function: "generic-request",
        who: Who::Iam,
    },
];
