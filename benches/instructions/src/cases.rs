//! The cases. The names are those of `figures.json`.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use alipay_gateway::{
    Deadline, FrontEndData, Gateway, KeyNeeded, UnverifiedReply, signed_request, v3,
};
use function_kit::{
    Access, Alipay, Apps, Caller, Failure, Function, Handler, Invocation, Service, Success,
};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use crate::error::CountError;
use crate::samples;

/// One of a case's repetitions.
pub type Operation = Box<dyn FnMut() -> Result<(), CountError>>;

/// What is counted.
pub struct Case {
    /// Its name in `figures.json`.
    pub name: &'static str,
    /// Makes ready what is not counted.
    pub prepare: fn() -> Result<Operation, CountError>,
}

/// All of them.
pub const CASES: [Case; 6] = [
    Case {
        name: "sign-a-request",
        prepare: sign_a_request,
    },
    Case {
        name: "sign-a-v3-request",
        prepare: sign_a_v3_request,
    },
    Case {
        name: "verify-a-reply",
        prepare: verify_a_reply,
    },
    Case {
        name: "open-a-phone-number",
        prepare: open_a_phone_number,
    },
    Case {
        name: "answer-an-http-event",
        prepare: answer_an_http_event,
    },
    Case {
        name: "answer-a-direct-event",
        prepare: answer_a_direct_event,
    },
];

const NONCE: &str = "000102030405060708090a0b0c0d0e0f";

fn sign_a_request() -> Result<Operation, CountError> {
    let (app, call) = (samples::app()?, samples::call()?);
    Ok(Box::new(move || {
        black_box(signed_request(&app, &call, samples::now())?);
        Ok(())
    }))
}

fn sign_a_v3_request() -> Result<Operation, CountError> {
    let (app, call) = (samples::app()?, samples::call()?);
    Ok(Box::new(move || {
        black_box(v3::signed_request(&app, &call, NONCE, samples::now())?);
        Ok(())
    }))
}

fn verify_a_reply() -> Result<Operation, CountError> {
    let (app, call) = (samples::app()?, samples::call()?);
    let body = samples::reply();
    Ok(Box::new(move || {
        let content_type = Some("text/html;charset=utf-8");
        let trace_id = Some("0b2f5a6e17953416000001234e0d9f");
        let reply = UnverifiedReply::read(&app, &call, body.as_bytes(), content_type, trace_id)?;
        let KeyNeeded::Configured(key) = reply.key_needed(&app, samples::now())? else {
            return Err(CountError::WrongAnswer("another key is needed".to_owned()));
        };
        let key = key.clone();
        black_box(reply.verify(&app, &call, &key)?);
        Ok(())
    }))
}

fn open_a_phone_number() -> Result<Operation, CountError> {
    let app = samples::app()?;
    let data = FrontEndData {
        response: samples::PHONE_NUMBER.to_owned(),
        sign: Some(samples::PHONE_NUMBER_SIGN.to_owned()),
        sign_type: Some("RSA2".to_owned()),
        encrypt_type: Some("AES".to_owned()),
        charset: Some("UTF-8".to_owned()),
    };
    Ok(Box::new(move || {
        black_box(data.open(&app, samples::now())?);
        Ok(())
    }))
}

fn answer_an_http_event() -> Result<Operation, CountError> {
    answer(samples::HTTP_EVENT, r#""statusCode":200"#)
}

fn answer_a_direct_event() -> Result<Operation, CountError> {
    answer(samples::DIRECT_EVENT, r#"{"code":0,"#)
}

/// The event opened, app and input read out of it, the envelope around a success that is ready, and the line in the log.
fn answer(event: &'static str, expected: &'static str) -> Result<Operation, CountError> {
    let clock: alipay_gateway::Clock = Arc::new(samples::now);
    let document = json!({"apps": [{
        "appid": samples::APP_ID,
        "privateKey": samples::APP_KEY,
        "alipayPublicKey": samples::OTHER_PUBLIC_KEY,
        "gateway": "http://127.0.0.1:9/gateway.do",
        "homePage": "pages/index/index",
    }]});
    let apps = Apps::from_document(&SecretString::from(document.to_string()), None)?;
    let alipay = Alipay::new(Gateway::new(clock.clone())?, apps, clock, false);
    let service = Service::new(Prepared, alipay);
    Ok(Box::new(move || {
        let invocation = Invocation {
            request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
            deadline: Deadline::after(samples::now(), Duration::from_secs(10)),
        };
        let answer = at_once(service.handle(event, invocation))?;
        if answer.get().contains(expected) {
            black_box(answer);
            Ok(())
        } else {
            Err(CountError::WrongAnswer(format!("the answer is {answer}")))
        }
    }))
}

/// get-mini-code without its call of the gateway: its input, and a success like its own.
pub struct Prepared;

/// As get-mini-code's.
#[derive(Serialize)]
pub struct Fields {
    qr_code_url: &'static str,
    qr_code_url_circle_white: Option<&'static str>,
    qr_code_url_circle_blue: Option<&'static str>,
}

impl Function for Prepared {
    const NAME: &'static str = "get-mini-code";
    const ACCESS: Access = Access::SignedIn;
    type Input = get_mini_code::Input;
    type Fields = Fields;

    async fn call(&self, input: Self::Input, _: &Caller) -> Result<Success<Fields>, Failure> {
        black_box(input);
        Ok(Success::new(
            "生成成功",
            Fields {
                qr_code_url: "https://mobilecodec.alipay.com/show.htm?code=s4x00000abcdefgh",
                qr_code_url_circle_white: Some(
                    "https://mobilecodec.alipay.com/show.htm?code=s4x00000ijklmnop",
                ),
                qr_code_url_circle_blue: Some(
                    "https://mobilecodec.alipay.com/show.htm?code=s4x00000qrstuvwx",
                ),
            },
        ))
    }
}

/// What a future that waits for nothing gives.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T, CountError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending => Err(CountError::WrongAnswer(
            "the function waits for something".to_owned(),
        )),
    }
}
