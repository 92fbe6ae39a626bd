//! One request and its verified reply, in either protocol, with whatever key that takes.

use std::fmt::Write;

use alipay_signing::VerifyingKey;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use https_client::Received;
use url::{Position, Url};

use super::{Gateway, LEAST_TIME};
use crate::certificate_download::{download_address, download_call, downloaded};
use crate::request::signed_request;
use crate::transport;
use crate::{App, Call, Deadline, GatewayError, KeyNeeded, Protocol, Reply, UnverifiedReply, v3};

impl Gateway {
    pub(super) async fn exchange(
        &self,
        app: &App,
        call: &Call,
        limit: Deadline,
    ) -> Result<Reply, GatewayError> {
        match app.protocol {
            Protocol::V2 => {
                let reply = self.unverified_v2(app, call, &app.gateway).await?;
                let key = reply.key_needed(app, (self.clock)())?;
                let key = self.key(app, key, limit).await?;
                reply.verify(app, call, &key)
            }
            Protocol::V3 => {
                let reply = self.unverified_v3(app, call).await?;
                let key = reply.key_needed(app, (self.clock)())?;
                let key = self.key(app, key, limit).await?;
                reply.verify(app, call, &key)
            }
        }
    }

    async fn unverified_v2(
        &self,
        app: &App,
        call: &Call,
        address: &Url,
    ) -> Result<UnverifiedReply, GatewayError> {
        let request = signed_request(app, call, (self.clock)())?;
        let address = format!("{}?{}", &address[..Position::AfterPath], request.query);
        let content_type = format!(
            "application/x-www-form-urlencoded;charset={}",
            app.charset.as_str()
        );
        let message = Request::post(address)
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, "application/json");
        let message = transport::built(message, request.body.into())?;
        let received = transport::exchange(&self.http, message).await?;
        if received.status != StatusCode::OK {
            return Err(GatewayError::unreachable(
                "the gateway answered with an HTTP error",
            ));
        }
        let content_type = received.header(CONTENT_TYPE.as_str());
        let trace_id = received.header("trace_id");
        UnverifiedReply::read(app, call, &received.body, content_type, trace_id)
    }

    async fn unverified_v3(
        &self,
        app: &App,
        call: &Call,
    ) -> Result<v3::UnverifiedReply, GatewayError> {
        let request = v3::signed_request(app, call, &self.nonce()?, (self.clock)())?;
        let received = self.send_v3(request).await?;
        let headers = v3::ReplyHeaders {
            timestamp: received.header("alipay-timestamp"),
            nonce: received.header("alipay-nonce"),
            signature: received.header("alipay-signature"),
            serial_number: received.header("alipay-sn"),
            trace_id: received.header("alipay-trace-id"),
        };
        let status = received.status.as_u16();
        v3::UnverifiedReply::read(app, status, headers, &received.body)
    }

    async fn send_v3(&self, request: v3::SignedRequest) -> Result<Received, GatewayError> {
        let mut message = Request::builder()
            .method(request.http_method)
            .uri(request.url.as_str());
        for (name, value) in request.headers {
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                GatewayError::unbuildable("a value holds a character that no header can")
            })?;
            value.set_sensitive(true);
            message = message.header(name, value);
        }
        let message = transport::built(message, request.body.into())?;
        transport::exchange(&self.http, message).await
    }

    /// 128 random bits.
    fn nonce(&self) -> Result<String, GatewayError> {
        let mut bytes = [0; 16];
        self.random
            .fill(&mut bytes)
            .map_err(|_| GatewayError::unbuildable("the system gave no random bytes"))?;
        let mut nonce = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(nonce, "{byte:02x}");
        }
        Ok(nonce)
    }

    async fn key(
        &self,
        app: &App,
        needed: KeyNeeded<'_>,
        limit: Deadline,
    ) -> Result<VerifyingKey, GatewayError> {
        match needed {
            KeyNeeded::Configured(key) => Ok(key.clone()),
            KeyNeeded::OfCertificate(serial_number) => {
                self.key_of_certificate(app, serial_number, limit).await
            }
        }
    }

    /// The key in a certificate of Alipay's that is not the configured one. By now the call was executed, so no failure in here
    /// may claim that nothing was sent.
    async fn key_of_certificate(
        &self,
        app: &App,
        serial_number: &str,
        limit: Deadline,
    ) -> Result<VerifyingKey, GatewayError> {
        let Some(certificates) = &app.certificates else {
            return Ok(app.alipay_key.clone());
        };
        let kept = self.downloaded.of(app, certificates);
        let mut kept = kept.lock().await;
        let now = (self.clock)();
        if let Some(key) = kept.key(serial_number, certificates, now) {
            return key;
        }
        // A download that is cut off would be in vain, and keep the next call from trying.
        if limit.remaining(now) < LEAST_TIME {
            return Err(GatewayError::TimedOut);
        }
        kept.begin_download(now)?;
        let call = download_call(serial_number);
        let reply = self.unverified_v2(app, &call, &download_address(app)).await;
        if reply.is_ok() {
            kept.answered(now);
        }
        let certificate = reply.as_ref().ok().and_then(downloaded).ok_or_else(|| {
            let error = reply.err();
            tracing::warn!(?error, serial_number, "Alipay's new certificate could not be fetched");
            GatewayError::unverified(
                "the reply is signed with a certificate that is not the configured alipayCert and could not be fetched",
            )
        })?;
        kept.keep(certificate, serial_number, certificates, now)
    }
}
