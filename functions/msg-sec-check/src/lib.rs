//! `security.msgSecCheck`: asks Alipay whether a text may be published. vk says that Alipay has no such method; it has several,
//! and the app's `contentCheck` says which one its owner has a contract for. Stores nothing, so it links no DynamoDB client.

mod input;

use alipay_gateway::methods::{ContentVerdict, Judgement};
use function_kit::checked::OpenId;
use function_kit::{
    Access, Alipay, Caller, CheckAnswer, CheckedContent, ContentChecker, Failure, Function, Success,
};
use futures_util::{StreamExt, TryStreamExt, stream};

pub use input::Input;
use input::{Question, Task};

/// vk's words for a violation.
const RISKY: &str = "内容含有违法违规内容，请检查!";
/// How many of several texts are asked about at once.
const AT_ONCE: usize = 4;

/// The function.
#[derive(Debug, Clone)]
pub struct MsgSecCheck {
    alipay: Alipay,
}

impl MsgSecCheck {
    /// Checks texts for the apps of `alipay`.
    pub fn new(alipay: Alipay) -> Self {
        Self { alipay }
    }

    /// Checks `tasks`, a few at once, and gives the judgements in their order up to the first risky one. One failure fails all,
    /// because a text that was not judged must not pass with the others.
    async fn check_all(
        &self,
        tasks: &[Task],
        author: Option<&OpenId>,
        caller: &Caller,
    ) -> Result<Vec<Judgement>, Failure> {
        let checker = ContentChecker::new(&self.alipay, caller);
        let checks: Vec<_> = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| async move {
                let content = CheckedContent::Text(&task.content);
                let number = number_of(caller, index);
                checker.check(content, author, &number).await
            })
            .collect();
        let mut judged = stream::iter(checks).buffered(AT_ONCE);
        let mut judgements = Vec::with_capacity(tasks.len());
        while let Some(judgement) = judged.try_next().await? {
            let is_last = judgement.verdict == ContentVerdict::Risky;
            judgements.push(judgement);
            if is_last {
                break;
            }
        }
        Ok(judgements)
    }
}

impl Function for MsgSecCheck {
    const NAME: &'static str = "msg-sec-check";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = CheckAnswer;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<CheckAnswer>, Failure> {
        let author = caller.subject(input.openid.as_ref())?;
        let checker = ContentChecker::new(&self.alipay, caller);
        match input.question()? {
            Question::One { content, data_id } => {
                let number = data_id.map_or_else(|| number_of(caller, 0), str::to_owned);
                let content = CheckedContent::Text(content);
                let judgement = checker.check(content, author, &number).await?;
                Ok(CheckAnswer::to_text(judgement, RISKY))
            }
            Question::Several(tasks) => {
                let judgements = self.check_all(tasks, author, caller).await?;
                Ok(CheckAnswer::to_texts(judgements, RISKY))
            }
            Question::Earlier(earlier) => {
                let judgement = checker.ask_again(earlier).await?;
                Ok(CheckAnswer::to_text(judgement, RISKY))
            }
        }
    }
}

/// A number that no other text has: that of the invocation, and the text's place in it.
fn number_of(caller: &Caller, index: usize) -> String {
    format!("{}-{index}", caller.request_id)
}
