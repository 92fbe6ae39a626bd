use alipay_gateway::methods::{
    AnalysisResult, ContentAnalysis, ContentVerdict, DetectedData, Judgement, Pending,
    SyncDetection, TextDetection,
};
use alipay_gateway::{Call, GatewayError, Reply, timestamp};

use super::settings::{AnalyzeContract, ContentCheck, SyncContract};
use crate::checked::{OpenId, UserIdKind};
use crate::{Alipay, Caller, Failure};

/// Checks contents of one call by the engine that its app has.
#[derive(Debug, Clone, Copy)]
pub struct ContentChecker<'a> {
    alipay: &'a Alipay,
    caller: &'a Caller,
}

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub enum CheckedContent<'a> {
    /// A text.
    Text(&'a str),
    /// The public https address of an image. Alipay's documents speak of addresses only, so image data cannot be checked.
    Image(&'a str),
}

/// A check whose judgement was to come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierCheck<'a> {
    event_id: &'a str,
    data_id: &'a str,
}

impl<'a> EarlierCheck<'a> {
    /// The check of these numbers, as its answer named them.
    ///
    /// # Errors
    /// `invalid_argument` without `data_id`.
    pub fn new(event_id: &'a str, data_id: Option<&'a str>) -> Result<Self, Failure> {
        let data_id = data_id.ok_or_else(|| {
            Failure::invalid(
                "dataId",
                "is required with eventId; the check that gave the eventId answered it as app_scene_data_id",
            )
        })?;
        Ok(Self { event_id, data_id })
    }
}

/// How a reply of an engine is read.
type Reader = fn(&Reply) -> Result<Judgement, GatewayError>;

impl<'a> ContentChecker<'a> {
    /// For `caller`'s app and until its deadline.
    pub fn new(alipay: &'a Alipay, caller: &'a Caller) -> Self {
        Self { alipay, caller }
    }

    /// Asks for a judgement of `content`. `author` is whose content it is, where that is known; `number` is the content's own at
    /// the caller's, once for each content.
    ///
    /// # Errors
    /// [`Outcome::Forbidden`](crate::Outcome::Forbidden) where the app has no engine for such content, and the failures of the
    /// call.
    pub async fn check(
        self,
        content: CheckedContent<'_>,
        author: Option<&OpenId>,
        number: &str,
    ) -> Result<Judgement, Failure> {
        let (call, read) = match &self.caller.app.settings().content_check {
            ContentCheck::Detect => detection(content)?,
            ContentCheck::Sync(contract) => sync_detection(contract, content, author, number)?,
            ContentCheck::Analyze(contract) => {
                let written_at = timestamp(self.alipay.now());
                analysis(contract, content, author, number, written_at)?
            }
        };
        let mut judgement = self.ask(call, read).await?;
        if let Some(pending) = &mut judgement.pending {
            pending
                .app_scene_data_id
                .get_or_insert_with(|| number.to_owned());
        }
        Ok(judgement)
    }

    /// Asks again for a judgement that was to come later. Where it is still not there, the same numbers ask once more.
    ///
    /// # Errors
    /// [`Outcome::InvalidArgument`](crate::Outcome::InvalidArgument) where the app's engine judges at once, and the failures of
    /// the call.
    pub async fn ask_again(self, earlier: EarlierCheck<'_>) -> Result<Judgement, Failure> {
        let EarlierCheck { event_id, data_id } = earlier;
        let ContentCheck::Analyze(contract) = &self.caller.app.settings().content_check else {
            return Err(Failure::invalid(
                "eventId",
                "is only for apps whose contentCheck has \"engine\":\"analyze\"; the others are judged at once",
            ));
        };
        let call = AnalysisResult {
            app_scene: &contract.app_scene,
            app_scene_data_id: data_id,
            event_id,
        }
        .call()?;
        let mut judgement = self.ask(call, AnalysisResult::judgement).await?;
        judgement.unique_id = Some(event_id.to_owned());
        judgement.pending = (judgement.verdict == ContentVerdict::Review).then(|| Pending {
            event_id: event_id.to_owned(),
            app_scene_data_id: Some(data_id.to_owned()),
        });
        Ok(judgement)
    }

    async fn ask(self, call: Call, read: Reader) -> Result<Judgement, Failure> {
        let reply = self.alipay.answer_to(self.caller, &call).await?;
        Ok(read(&reply)?)
    }
}

fn detection(content: CheckedContent<'_>) -> Result<(Call, Reader), Failure> {
    let CheckedContent::Text(content) = content else {
        return Err(Failure::forbidden(
            "image: this app cannot check images: its contentCheck has the engine detect, which takes texts only. Its owner signs Alipay's content security product and sets contentCheck to {\"engine\":\"sync\"} or {\"engine\":\"analyze\",…} in the document of apps",
        ));
    };
    Ok((TextDetection { content }.call()?, TextDetection::judgement))
}

fn sync_detection(
    contract: &SyncContract,
    content: CheckedContent<'_>,
    author: Option<&OpenId>,
    number: &str,
) -> Result<(Call, Reader), Failure> {
    let (channel, data) = match content {
        CheckedContent::Text(text) => (&contract.channel, DetectedData::Text([text])),
        CheckedContent::Image(address) => {
            (&contract.image_channel, DetectedData::Picture([address]))
        }
    };
    let author_of = |kind: UserIdKind| author.filter(|author| author.kind() == kind);
    let call = SyncDetection {
        channel,
        data,
        products: &contract.products,
        request_id: number,
        tenants: contract.tenants.as_deref(),
        user_id: author_of(UserIdKind::UserId).map(|author| &**author),
        open_id: author_of(UserIdKind::OpenId).map(|author| &**author),
    }
    .call()?;
    Ok((call, SyncDetection::judgement))
}

fn analysis(
    contract: &AnalyzeContract,
    content: CheckedContent<'_>,
    author: Option<&OpenId>,
    number: &str,
    written_at: String,
) -> Result<(Call, Reader), Failure> {
    let (text, picture) = match content {
        CheckedContent::Text(text) => (Some(text), None),
        CheckedContent::Image(address) => (None, Some(address)),
    };
    let call = ContentAnalysis {
        account_id: author.map(|author| &**author),
        account_type: author.map(|_| contract.account_type.code()),
        app_main_scene: contract.app_main_scene.as_deref(),
        app_name: &contract.app_name,
        app_scene: &contract.app_scene,
        app_scene_data_id: number,
        publish_date: written_at,
        text,
        text_type: text.and(contract.text_type.as_deref()),
        picture_urls: picture.as_slice(),
    }
    .call()?;
    Ok((call, ContentAnalysis::judgement))
}
