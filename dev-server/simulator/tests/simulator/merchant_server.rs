//! A merchant's server: takes notices and answers as the test says. And how such a server checks one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use percent_encoding::percent_decode;

use crate::caller::verifies;

/// One POST that came.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) target: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

#[derive(Default)]
struct Inbox {
    deliveries: Vec<Delivery>,
    /// The next answers; `success` once they are used up.
    answers: VecDeque<(u16, &'static str)>,
}

#[derive(Clone)]
pub(crate) struct MerchantServer {
    inbox: Arc<Mutex<Inbox>>,
    pub(crate) url: String,
}

impl MerchantServer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/notify/1?tenant=2",
            listener.local_addr().unwrap()
        );
        let inbox = Arc::<Mutex<Inbox>>::default();
        let router = Router::new()
            .route("/notify/1", post(take))
            .with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, url }
    }

    /// Answers these next.
    pub(crate) fn answers(&self, answers: &[(u16, &'static str)]) {
        self.inbox.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.inbox.lock().unwrap().deliveries.clone()
    }

    /// The fields of the last delivery.
    pub(crate) fn last(&self) -> BTreeMap<String, String> {
        fields(&self.deliveries().last().unwrap().body)
    }
}

async fn take(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let mut inbox = inbox.lock().unwrap();
    inbox.deliveries.push(Delivery {
        target: uri.to_string(),
        content_type: headers["content-type"].to_str().unwrap().to_owned(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let (status, text) = inbox.answers.pop_front().unwrap_or((200, "success"));
    (StatusCode::from_u16(status).unwrap(), text)
}

fn pairs(form: &str) -> Vec<(String, Vec<u8>)> {
    let decoded =
        |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect::<Vec<u8>>();
    form.split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (String::from_utf8(decoded(name)).unwrap(), decoded(value)))
        .collect()
}

/// The fields of a form in UTF-8.
pub(crate) fn fields(form: &str) -> BTreeMap<String, String> {
    let text = |(name, value)| (name, String::from_utf8(value).unwrap());
    pairs(form).into_iter().map(text).collect()
}

/// Whether the form is signed with this key, over the bytes that came: without `sign_type` or with it.
pub(crate) fn is_signed(form: &str, alipay_public_key: &str, with_sign_type: bool) -> bool {
    let mut pairs = pairs(form);
    pairs.sort();
    let mut signed = Vec::new();
    let mut sign = None;
    for (name, value) in pairs {
        if name == "sign" {
            sign = String::from_utf8(value).ok();
        } else if name != "sign_type" || with_sign_type {
            if !signed.is_empty() {
                signed.push(b'&');
            }
            signed.extend_from_slice(name.as_bytes());
            signed.push(b'=');
            signed.extend(value);
        }
    }
    sign.is_some_and(|sign| verifies(alipay_public_key, &signed, &sign))
}
