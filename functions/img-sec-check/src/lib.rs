//! `security.imgSecCheck`: asks Alipay whether an image may be published. vk says that Alipay has no such method; it has two, and
//! both need a contract, which the app's `contentCheck` describes. Stores nothing, so it links no DynamoDB client.

mod image_data;
mod input;

use function_kit::{
    Access, Alipay, Caller, CheckAnswer, CheckedContent, ContentChecker, Failure, Function, Success,
};

pub use input::Input;
use input::Question;

/// vk's words for a violation.
const RISKY: &str = "图片内容含有违法违规内容，请检查!";

/// The function.
#[derive(Debug, Clone)]
pub struct ImgSecCheck {
    alipay: Alipay,
}

impl ImgSecCheck {
    /// Checks images for the apps of `alipay`.
    pub fn new(alipay: Alipay) -> Self {
        Self { alipay }
    }
}

impl Function for ImgSecCheck {
    const NAME: &'static str = "img-sec-check";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = CheckAnswer;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<CheckAnswer>, Failure> {
        let author = caller.subject(input.openid.as_ref())?;
        let checker = ContentChecker::new(&self.alipay, caller);
        let judgement = match input.question()? {
            Question::Address { address, data_id } => {
                let content = CheckedContent::Image(address);
                let number = data_id.unwrap_or(&caller.request_id);
                checker.check(content, author, number).await?
            }
            Question::Data(data) => return Err(image_data::refusal(data)),
            Question::Earlier(earlier) => checker.ask_again(earlier).await?,
        };
        Ok(CheckAnswer::to_image(judgement, RISKY))
    }
}
