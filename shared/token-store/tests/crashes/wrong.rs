//! Protocols that are wrong, made out of the right one by changing what a client sends: whoever tests must find them.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;

/// What is wrong with a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wrong {
    #[default]
    Nothing,
    /// Stores a pair only while it has the lease.
    CommitsByLease,
    /// Stores a pair whatever is in the row.
    CommitsOverEverything,
    /// Takes the first refusal of a refresh token for the end of the grant.
    BelievesTheFirstRefusal,
    /// Takes a lease that has run out when it begins.
    TakesNoLease,
    /// Stores a login as the generation after the row that it saw, whatever is there by then.
    TrustsWhatItSaw,
}

/// How a client behaves; changed while it is in use.
#[derive(Clone, Debug, Default)]
pub struct Behaviour(Arc<Mutex<Settings>>);

#[derive(Debug, Default)]
struct Settings {
    wrong: Wrong,
    may_not_commit: bool,
    /// The lease that it took last.
    lease_owner: Option<AttributeValue>,
}

impl Behaviour {
    pub fn set(&self, wrong: Wrong, may_not_commit: bool) {
        *self.0.lock().unwrap() = Settings {
            wrong,
            may_not_commit,
            lease_owner: None,
        };
    }

    fn change(&self, update: &mut UpdateItemInput) -> Result<(), BoxError> {
        let mut settings = self.0.lock().unwrap();
        let sets = |name: &str| {
            let set = format!("#{name} = :{name}");
            update
                .update_expression
                .as_ref()
                .is_some_and(|expression| expression.contains(&set))
        };
        let (acquires, commits) = (sets("lease_until"), sets("commit_id"));
        let refused = sets("refused_since");
        let condition = update.condition_expression.get_or_insert_default();
        let values = update.expression_attribute_values.get_or_insert_default();
        if acquires {
            settings.lease_owner = values.get(":lease_owner").cloned();
        }
        match settings.wrong {
            _ if commits && settings.may_not_commit => return Err("no permission".into()),
            Wrong::CommitsByLease if commits => {
                if let Some(owner) = &settings.lease_owner {
                    condition.push_str(" AND lease_owner = :fence");
                    values.insert(":fence".into(), owner.clone());
                }
            }
            Wrong::CommitsOverEverything if commits => {
                *condition = format!("({condition}) OR attribute_exists(pk)");
            }
            Wrong::BelievesTheFirstRefusal if refused => {
                values.insert(":state".into(), AttributeValue::S("reauthorize".into()));
            }
            Wrong::TakesNoLease if acquires => {
                values.insert(":lease_until".into(), AttributeValue::N("0".into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn change_login(&self, put: &mut PutItemInput) {
        let trusts = self.0.lock().unwrap().wrong == Wrong::TrustsWhatItSaw;
        if let Some(condition) = &mut put.condition_expression
            && trusts
            && condition.contains(":seen_generation")
        {
            *condition = format!("({condition}) OR attribute_exists(pk)");
        }
    }
}

impl Intercept for Behaviour {
    fn name(&self) -> &'static str {
        "Behaviour"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut();
        if let Some(put) = input.downcast_mut::<PutItemInput>() {
            self.change_login(put);
        }
        match input.downcast_mut::<UpdateItemInput>() {
            Some(update) => self.change(update),
            None => Ok(()),
        }
    }
}
