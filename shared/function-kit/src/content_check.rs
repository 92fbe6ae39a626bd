//! Content checks: which of Alipay's an app uses, asking them, and the answer that vk's callers expect.

mod answer;
mod checker;
mod settings;

pub use answer::CheckAnswer;
pub use checker::{CheckedContent, ContentChecker, EarlierCheck};
pub use settings::ContentCheck;
