//! A conditional change of one row.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use crate::address::Address;
use crate::dynamo::{Item, failed, number, text};
use crate::error::StoreError;
use crate::record::{State, TokenRecord, attribute};
use crate::sealed_table::SealedTable;

/// What a conditional change came to.
pub(crate) enum Changed {
    Yes,
    /// The condition did not hold; the row that was found, if there is one.
    No(Option<Item>),
}

/// An update of one row under conditions, all of which must hold.
pub(crate) struct Change {
    request: UpdateItemFluentBuilder,
    sets: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
}

impl Change {
    /// Of the row at `address`, whatever is in it.
    pub(crate) fn of_row(table: &SealedTable, address: &Address) -> Self {
        let request = table
            .client
            .update_item()
            .table_name(&table.name)
            .key(attribute::PK, address.pk())
            .key(attribute::SK, address.sk())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Self {
            request,
            sets: Vec::new(),
            removes: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// Of the row of `record`, if its generation and grant are still those of `record`.
    pub(crate) fn of_lineage(table: &SealedTable, record: &TokenRecord) -> Self {
        Self::of_row(table, &record.address).only_at(record.generation.get(), &record.grant_id)
    }

    /// Only if the row has this generation of this grant.
    pub(crate) fn only_at(self, generation: u64, grant_id: &str) -> Self {
        self.only_if("generation = :seen_generation AND grant_id = :seen_grant")
            .with(":seen_generation", number(generation))
            .with(":seen_grant", text(grant_id))
    }

    pub(crate) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = :{name}"));
        self.request = self
            .request
            .expression_attribute_names(format!("#{name}"), name)
            .expression_attribute_values(format!(":{name}"), value);
        self
    }

    /// Sets what has a value and removes what has none.
    pub(crate) fn put(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove(&[name]),
        }
    }

    pub(crate) fn remove(mut self, names: &[&str]) -> Self {
        for name in names {
            self.removes.push(format!("#{name}"));
            self.request = self
                .request
                .expression_attribute_names(format!("#{name}"), *name);
        }
        self
    }

    /// Only in one of `states`.
    pub(crate) fn in_states(self, states: &[State]) -> Self {
        let names: Vec<String> = states
            .iter()
            .map(|state| format!(":is_{}", state.as_str()))
            .collect();
        let change = self
            .named(attribute::STATE)
            .only_if(&format!("#state IN ({})", names.join(", ")));
        states
            .iter()
            .zip(names)
            .fold(change, |change, (state, name)| {
                change.with(&name, text(state.as_str()))
            })
    }

    /// Adds a condition. Names and values that it uses are given by [`named`](Self::named) and [`with`](Self::with), where
    /// [`set`](Self::set) has not.
    pub(crate) fn only_if(mut self, condition: &str) -> Self {
        self.conditions.push(format!("({condition})"));
        self
    }

    pub(crate) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.request = self.request.expression_attribute_values(name, value);
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.request = self
            .request
            .expression_attribute_names(format!("#{name}"), name);
        self
    }

    /// Makes the change if the conditions hold.
    pub(crate) async fn send(self) -> Result<Changed, StoreError> {
        let mut expression = String::new();
        for (word, parts) in [("SET", &self.sets), ("REMOVE", &self.removes)] {
            if !parts.is_empty() {
                expression.push_str(&format!("{word} {} ", parts.join(", ")));
            }
        }
        let sent = self
            .request
            .update_expression(expression)
            .set_condition_expression(
                (!self.conditions.is_empty()).then(|| self.conditions.join(" AND ")),
            )
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Changed::Yes),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                    Ok(Changed::No(refusal.item().cloned()))
                }
                _ => Err(failed(error)),
            },
        }
    }
}
