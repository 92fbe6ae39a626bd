//! Makes notices of what becomes of trades, and of what a test has to say.

use std::collections::BTreeMap;

use super::form::{message_fields, trade_fields};
use super::{Form, Notice, NoticeOccasion, NoticeOptions, NoticeStanding, SignedText, delivery};
use crate::apps::AppRecord;
use crate::grants::random_text;
use crate::signer::Signer;
use crate::trades::{Number, Trade};
use crate::world::World;

impl World {
    /// Tells the merchant's server of the trade, where it has an address for that.
    pub(crate) fn notify(&mut self, trade: &Trade, occasion: NoticeOccasion) {
        let Some(url) = trade.notify_url.clone() else {
            return;
        };
        // The app of a trade that a gateway call made is known.
        if let Ok(form) = self.trade_form(trade, &occasion, &NoticeOptions::default()) {
            self.send_form(form, &trade.app_id, Some(trade.out_trade_no.clone()), url);
        }
    }

    /// A notice about the trade as it stands: about its last refund, where there is one.
    pub(crate) fn trade_notice(
        &mut self,
        app_id: &str,
        number: &str,
        options: &NoticeOptions,
    ) -> Result<(Trade, Form), &'static str> {
        let trade = self.trade_of(app_id, &Number::Either(number));
        let trade = trade.ok_or("no trade of this app and number")?.clone();
        let occasion = match trade.refunds.last() {
            Some(refund) => NoticeOccasion::Refund {
                out_request_no: refund.out_request_no.clone(),
            },
            None => NoticeOccasion::Status,
        };
        let form = self.trade_form(&trade, &occasion, options)?;
        Ok((trade, form))
    }

    /// Sends a notice about the trade as it stands; its `notify_id`.
    pub(crate) fn send_trade_notice(
        &mut self,
        app_id: &str,
        number: &str,
        options: &NoticeOptions,
    ) -> Result<String, &'static str> {
        let (trade, form) = self.trade_notice(app_id, number, options)?;
        let url = trade
            .notify_url
            .ok_or("the trade has no address for notices")?;
        Ok(self.send_form(form, app_id, Some(trade.out_trade_no), url))
    }

    /// A message to the app gateway with these members beside those that every message has.
    pub(crate) fn app_message(
        &mut self,
        app_id: &str,
        fields: BTreeMap<String, String>,
        options: &NoticeOptions,
    ) -> Result<Form, &'static str> {
        let app = self.app(app_id)?;
        let mut usual = message_fields(app_id, app, self.clock.now());
        usual.extend(fields);
        let charset = options.charset.as_deref().unwrap_or("utf-8");
        let signer = Signer::of(self, Some(app_id));
        Form::new(usual, charset, SignedText::WithSignType, options, &signer)
    }

    fn trade_form(
        &mut self,
        trade: &Trade,
        occasion: &NoticeOccasion,
        options: &NoticeOptions,
    ) -> Result<Form, &'static str> {
        let app = self.app(&trade.app_id)?;
        let fields = trade_fields(trade, app, &self.users, occasion, self.clock.now());
        let charset = options.charset.as_deref().unwrap_or(&trade.charset);
        let signer = Signer::of(self, Some(&trade.app_id));
        Form::new(
            fields,
            charset,
            SignedText::WithoutSignType,
            options,
            &signer,
        )
    }

    fn app(&self, app_id: &str) -> Result<&AppRecord, &'static str> {
        self.apps.get(app_id).ok_or("no app of this app_id")
    }

    /// Its `notify_id`.
    pub(crate) fn send_form(
        &mut self,
        form: Form,
        app_id: &str,
        out_trade_no: Option<String>,
        url: String,
    ) -> String {
        let is_deliverable = delivery::address(&url).is_some();
        // A test may have left it out.
        let notify_id = form.fields.get("notify_id").cloned();
        let notify_id = notify_id.unwrap_or_else(|| random_text("", 34));
        let notice = Notice {
            notify_id: notify_id.clone(),
            app_id: app_id.to_owned(),
            out_trade_no,
            url,
            fields: form.fields,
            body: form.body,
            standing: if is_deliverable {
                NoticeStanding::Waiting
            } else {
                NoticeStanding::Undeliverable
            },
            attempts: Vec::new(),
        };
        let now = self.clock.now();
        self.notices.add(notice, now);
        notify_id
    }
}
