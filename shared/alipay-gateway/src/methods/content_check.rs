//! Alipay's content checks: three methods that judge a text or an image, and one that asks for a judgement made later.

mod judgement;

use serde::Serialize;

use crate::{Call, GatewayError, Reply};

pub use judgement::{ContentVerdict, Judgement, Pending};

const DETECT: &str = "alipay.security.risk.content.detect";
const SYNC_DETECT: &str = "alipay.security.risk.content.sync.detect";
const ANALYZE: &str = "alipay.security.risk.content.analyze";
const RESULT_GET: &str = "alipay.security.risk.content.result.get";

/// `alipay.security.risk.content.detect`: judges one text. The product for mini-programs (小程序内容风险检测服务).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextDetection<'a> {
    /// The text. Alipay's document of the method warns of double quotes and special characters, which break its JSON; they are
    /// sent as what reads the same.
    pub content: &'a str,
}

/// `alipay.security.risk.content.sync.detect`: judges one text or one image. Needs a contract (RiskGo).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncDetection<'a> {
    /// The product that the contract is for, such as `tinyapp-eco-open`.
    pub channel: &'a str,
    /// The text, or the address of the image.
    #[serde(flatten)]
    pub data: DetectedData<'a>,
    /// What to look for: codes such as `TJ_PORN_MC`, separated by `;`.
    pub products: &'a str,
    /// A number of ours, once for each check.
    pub request_id: &'a str,
    /// The tenant of the contract, where it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<&'a str>,
    /// Who wrote it, for apps that know their users by user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    /// Who wrote it, for apps that know their users by open id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_id: Option<&'a str>,
}

/// What [`SyncDetection`] judges. The method takes a list, but one entry only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "content_type", content = "data_list")]
pub enum DetectedData<'a> {
    /// A text.
    #[serde(rename = "TEXT")]
    Text([&'a str; 1]),
    /// The public address of an image.
    #[serde(rename = "PICTURE")]
    Picture([&'a str; 1]),
}

/// `alipay.security.risk.content.analyze`: judges a text or images, at once or later. Needs a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContentAnalysis<'a> {
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<&'a str>,
    /// What `account_id` is: `0` a user, `1` a merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_type: Option<&'a str>,
    /// The contract's main scene, where it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_main_scene: Option<&'a str>,
    /// The contract's name for the app.
    pub app_name: &'a str,
    /// The contract's scene.
    pub app_scene: &'a str,
    /// The content's number at the caller, such as that of a post.
    pub app_scene_data_id: &'a str,
    /// When it was written, as [`crate::timestamp`].
    pub publish_date: String,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// The contract's kind of text, where it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_type: Option<&'a str>,
    /// The public addresses of images.
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    pub picture_urls: &'a [&'a str],
}

/// `alipay.security.risk.content.result.get`: asks for the judgement of a [`ContentAnalysis`] that was not ready. Alipay asks to
/// wait 60 seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnalysisResult<'a> {
    /// The scene that was analysed.
    pub app_scene: &'a str,
    /// The content's number, as sent.
    pub app_scene_data_id: &'a str,
    /// The number that the analysis answered.
    pub event_id: &'a str,
}

// A judgement changes nothing, so every call here may be repeated; the request's own number stays the same in a repeat.

impl TextDetection<'_> {
    /// As a call.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        #[derive(Serialize)]
        struct Arguments {
            content: String,
        }
        let content = self.content.chars().map(harmless_in_json).collect();
        judged(DETECT, &Arguments { content })
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// [`GatewayError::Malformed`] when the node is no object.
    pub fn judgement(reply: &Reply) -> Result<Judgement, GatewayError> {
        reply.parse().map(judgement::of_detection)
    }
}

impl SyncDetection<'_> {
    /// As a call.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        judged(SYNC_DETECT, self)
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// [`GatewayError::Malformed`] when the node is no object.
    pub fn judgement(reply: &Reply) -> Result<Judgement, GatewayError> {
        reply.parse().map(judgement::of_sync_detection)
    }
}

impl ContentAnalysis<'_> {
    /// As a call.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        judged(ANALYZE, self)
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// [`GatewayError::Malformed`] when the node is no object.
    pub fn judgement(reply: &Reply) -> Result<Judgement, GatewayError> {
        reply.parse().map(judgement::of_analysis)
    }
}

impl AnalysisResult<'_> {
    /// As a call.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        judged(RESULT_GET, self)
    }

    /// Reads the reply. A judgement that is still not there has the verdict [`ContentVerdict::Review`].
    ///
    /// # Errors
    /// [`GatewayError::Malformed`] when the node is no object.
    pub fn judgement(reply: &Reply) -> Result<Judgement, GatewayError> {
        reply.parse().map(judgement::of_analysis_result)
    }
}

fn judged(method: &str, arguments: &impl Serialize) -> Result<Call, GatewayError> {
    Ok(Call::new(method)
        .with_biz_content(super::biz_content(arguments)?)
        .repeatable())
}

/// Full-width forms instead of what breaks JSON that is put together by hand; both are in GBK.
fn harmless_in_json(character: char) -> char {
    match character {
        '"' => '\u{ff02}',
        '\\' => '\u{ff3c}',
        control if control.is_control() => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent(call: &Call) -> Value {
        serde_json::from_str(call.biz_content.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn a_text_goes_out_without_the_characters_that_alipay_warns_of() {
        let call = TextDetection {
            content: "说\"好\\的\"\r\n第二行\t完🙂",
        }
        .call()
        .unwrap();
        assert_eq!(call.method, "alipay.security.risk.content.detect");
        assert_eq!(sent(&call), json!({"content": "说＂好＼的＂  第二行 完🙂"}));
        assert!(call.repeatable);
    }

    #[test]
    fn a_sync_detection_holds_one_entry_of_its_kind() {
        let detection = SyncDetection {
            channel: "tinyapp-eco-open",
            data: DetectedData::Picture(["https://img.example.com/a.png"]),
            products: "TJ_PORN_MC;TJ_ABUSES_MC",
            request_id: "r-1",
            tenants: None,
            user_id: None,
            open_id: Some("0a1"),
        };
        assert_eq!(
            sent(&detection.call().unwrap()),
            json!({
                "channel": "tinyapp-eco-open", "content_type": "PICTURE", "data_list": ["https://img.example.com/a.png"],
                "products": "TJ_PORN_MC;TJ_ABUSES_MC", "request_id": "r-1", "open_id": "0a1",
            })
        );
        let text = SyncDetection {
            data: DetectedData::Text(["好"]),
            ..detection
        };
        let text = sent(&text.call().unwrap());
        assert_eq!(
            (&text["content_type"], &text["data_list"]),
            (&json!("TEXT"), &json!(["好"]))
        );
    }

    #[test]
    fn an_analysis_names_only_what_there_is() {
        let call = ContentAnalysis {
            account_id: None,
            account_type: None,
            app_main_scene: None,
            app_name: "forum",
            app_scene: "post",
            app_scene_data_id: "p-1",
            publish_date: "2026-11-22 10:00:00".to_owned(),
            text: Some("好"),
            text_type: None,
            picture_urls: &[],
        }
        .call()
        .unwrap();
        assert_eq!(
            sent(&call),
            json!({
                "app_name": "forum", "app_scene": "post", "app_scene_data_id": "p-1",
                "publish_date": "2026-11-22 10:00:00", "text": "好",
            })
        );
    }
}
