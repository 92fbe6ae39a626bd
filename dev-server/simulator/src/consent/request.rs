//! What the link to the page asks for, checked.

use url::{Host, Url};

use crate::apps::AppRecord;
use crate::charset::Charset;
use crate::grants::Scope;
use crate::parameters::Parameters;
use crate::world::World;

/// Alipay's limit.
const LONGEST_STATE: usize = 100;

/// A link that names an app, where its user goes back to, and what they are asked.
#[derive(Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) app_id: String,
    /// `scope` as it came: names joined by commas.
    pub(super) scopes: String,
    /// What a code for all of them grants.
    pub(super) scope: Scope,
    pub(super) redirect_uri: Url,
    pub(super) state: Option<String>,
}

/// A parameter that is missing or wrong, and the rule that it breaks, in Chinese.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) parameter: &'static str,
    pub(super) rule: &'static str,
}

impl Flaw {
    pub(super) fn new(parameter: &'static str, rule: &'static str) -> Self {
        Self { parameter, rule }
    }
}

impl AuthorizationRequest {
    pub(super) fn read(parameters: &Parameters, world: &World) -> Result<Self, Flaw> {
        let mut texts = parameters
            .decode(Charset::Utf8)
            .ok_or_else(|| Flaw::new("charset", "参数必须是 UTF-8"))?;
        if parameters.contradiction.is_some() {
            return Err(Flaw::new("query", "同一个参数出现了不同的值"));
        }
        let mut given = |name| {
            texts
                .remove(name)
                .filter(|value: &String| !value.is_empty())
        };

        let app_id = given("app_id").ok_or_else(|| Flaw::new("app_id", "缺少 app_id"))?;
        let app = world.apps.get(&app_id);
        let app = app.ok_or_else(|| Flaw::new("app_id", "没有这个应用"))?;
        let scopes = given("scope").ok_or_else(|| Flaw::new("scope", "缺少 scope"))?;
        let scope = granted_by(&scopes)
            .ok_or_else(|| Flaw::new("scope", "只能是 auth_base、auth_user，以逗号分隔"))?;
        let redirect_uri =
            given("redirect_uri").ok_or_else(|| Flaw::new("redirect_uri", "缺少 redirect_uri"))?;
        let redirect_uri = web_address(&redirect_uri)
            .filter(|address| is_callback_of(app, address))
            .ok_or_else(|| Flaw::new("redirect_uri", "与应用配置的授权回调地址不一致"))?;
        let state = given("state");
        if !state.as_deref().is_none_or(is_state) {
            let rule = "最多 100 个字符，只能是 base64 或十六进制的字符";
            return Err(Flaw::new("state", rule));
        }
        Ok(Self {
            app_id,
            scopes,
            scope,
            redirect_uri,
            state,
        })
    }

    /// Where the user goes back to with this code. A query that `redirect_uri` has already stays as it is.
    pub(super) fn way_back(&self, code: &str) -> String {
        let mut address = self.redirect_uri.clone();
        let mut query = address.query_pairs_mut();
        query.extend_pairs([
            ("app_id", self.app_id.as_str()),
            ("source", "alipay_wallet"),
            ("scope", &self.scopes),
            ("auth_code", code),
        ]);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        drop(query);
        address.into()
    }
}

/// What the scopes grant together, where all of them are known.
fn granted_by(scopes: &str) -> Option<Scope> {
    let mut granted = Scope::AuthBase;
    for name in scopes.split(',') {
        match name {
            "auth_base" => {}
            "auth_user" => granted = Scope::AuthUser,
            _ => return None,
        }
    }
    Some(granted)
}

/// The host of an address that an app's developer configured.
pub(crate) fn callback_host(address: &str) -> Option<Host> {
    Some(web_address(address)?.host()?.to_owned())
}

/// An http or https address that every reader understands alike.
fn web_address(text: &str) -> Option<Url> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains('\\')
        && (text.starts_with("https://") || text.starts_with("http://"));
    let address = Url::parse(text).ok().filter(|_| is_plain)?;
    let has_user = !address.username().is_empty() || address.password().is_some();
    (!has_user && address.fragment().is_none()).then_some(address)
}

fn is_callback_of(app: &AppRecord, address: &Url) -> bool {
    let Some(host) = address.host() else {
        return false;
    };
    match &app.callback_host {
        Some(configured) => host.to_owned() == *configured,
        None => is_loopback(&host),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn is_state(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    text.len() <= LONGEST_STATE && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_scopes_the_greatest_is_granted() {
        for (scopes, granted) in [
            ("auth_base", Some(Scope::AuthBase)),
            ("auth_user", Some(Scope::AuthUser)),
            ("auth_user,auth_base", Some(Scope::AuthUser)),
            ("auth_base,auth_user", Some(Scope::AuthUser)),
            ("auth_base,", None),
            ("auth_base auth_user", None),
            ("AUTH_BASE", None),
            ("auth_ecard", None),
        ] {
            assert_eq!(granted_by(scopes), granted, "{scopes}");
        }
    }

    #[test]
    fn an_address_that_readers_might_read_differently_is_none() {
        for text in [
            "https://login.example.com",
            "http://127.0.0.1:3000/h5/callback?a=1",
            "https://[::1]:8443/",
        ] {
            assert!(web_address(text).is_some(), "{text}");
        }
        for text in [
            "",
            "login.example.com",
            "//login.example.com/",
            "https:login.example.com",
            "javascript:alert(1)",
            "https://",
            "https://login.example.com\\@evil.example/",
            "https://login.example.com@evil.example/",
            "https://:secret@login.example.com/",
            "https://login.example.com/#fragment",
            "https://login.example.com/\r\nset-cookie:a=b",
            " https://login.example.com/",
            "https://登录.example.com/",
        ] {
            assert!(web_address(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_state_has_at_most_100_characters_of_the_alphabet() {
        for text in ["a", "QUJD+/8=", "-_", &"f".repeat(100)] {
            assert!(is_state(text), "{text}");
        }
        for text in ["a b", "a.b", "状态", "a%2B", &"f".repeat(101)] {
            assert!(!is_state(text), "{text}");
        }
    }
}
