//! Messages to an app.

use alipay_gateway::{Deadline, MessageNotice};
use function_kit::SelectedApp;
use function_payments::Message;

use crate::redaction::without_secrets;
use crate::{NotTaken, PayNotify, Taken};

impl PayNotify {
    pub(crate) async fn take_message(
        &self,
        notice: &MessageNotice,
        app: &SelectedApp,
        deadline: Deadline,
    ) -> Result<Taken, NotTaken> {
        let fields = without_secrets(&notice.fields());
        let message = Message {
            app_id: app.id(),
            notify_id: notice.notify_id(),
            notify_type: notice.notify_type(),
            method: notice.method(),
            fields: &fields,
        };
        let is_new = self
            .payments
            .receive(&message, self.alipay.now(), deadline)
            .await?;
        Ok(if is_new { Taken::Message } else { Taken::Known })
    }
}
