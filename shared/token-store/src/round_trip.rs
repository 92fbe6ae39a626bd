//! A proof that table and keyring work, for whoever sets a deployment up.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::ExposeSecret;

use crate::address::Address;
use crate::dynamo::{failed, number, text};
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::keys::TokenKeys;
use crate::record::attribute;
use crate::sealed_table::SealedTable;
use table_rows::WallTime;

const FIELD: &str = "proof_sealed";
/// The row is deleted at once. Should that fail, DynamoDB removes it after this time.
const KEPT: Duration = Duration::from_secs(3600);

/// Seals a value, writes it to a row of its own in `table`, reads it back, opens it, and deletes the row. No row of anybody
/// else is touched.
///
/// # Errors
/// [`StoreError::Unavailable`] and [`StoreError::Rejected`]; [`StoreError::Corrupt`] when what was read is not what was written.
pub async fn prove_round_trip(
    client: &Client,
    table: &str,
    keyring: &Keyring,
    now: WallTime,
) -> Result<(), StoreError> {
    let table = SealedTable {
        client: client.clone(),
        name: table.to_owned(),
        keys: TokenKeys::for_reading(keyring.clone()),
    };
    let proof = format!("{:032x}", rand::random::<u128>());
    let address = Address {
        pk: format!("PROOF#{proof}"),
        sk: "ROUND-TRIP".to_owned(),
        kind: None,
    };
    write(&table, &address, &proof, now).await?;
    let read = read(&table, &address).await;
    // Also when the reading failed.
    let deleted = delete(&table, &address).await;
    if read? != proof {
        return Err(damaged("holds another value than was written"));
    }
    deleted
}

async fn write(
    table: &SealedTable,
    address: &Address,
    proof: &str,
    now: WallTime,
) -> Result<(), StoreError> {
    let place = address.place(&table.name, FIELD, 0, "");
    let sealed = table
        .keys
        .access
        .seal(&place, proof.as_bytes())
        .map_err(|_| StoreError::Sealing)?;
    let ends = now.plus(KEPT).as_millis() / 1000;
    table
        .client
        .put_item()
        .table_name(&table.name)
        .item(attribute::PK, address.pk())
        .item(attribute::SK, address.sk())
        .item(attribute::TTL, number(ends))
        .item(attribute::KEY_ID, text(sealed.key_id))
        .item(FIELD, AttributeValue::B(Blob::new(sealed.bytes)))
        .send()
        .await
        .map_err(failed)?;
    Ok(())
}

async fn read(table: &SealedTable, address: &Address) -> Result<String, StoreError> {
    let row = table
        .get(address)
        .await?
        .ok_or_else(|| damaged("is not there after it was written"))?;
    let (Some(AttributeValue::S(key_id)), Some(AttributeValue::B(sealed))) =
        (row.get(attribute::KEY_ID), row.get(FIELD))
    else {
        return Err(damaged("lost its type"));
    };
    let place = address.place(&table.name, FIELD, 0, "");
    table
        .keys
        .access
        .open(&place, key_id, sealed.as_ref())
        .map(|opened| opened.expose_secret().to_owned())
        .map_err(|_| damaged("does not open"))
}

async fn delete(table: &SealedTable, address: &Address) -> Result<(), StoreError> {
    table
        .client
        .delete_item()
        .table_name(&table.name)
        .key(attribute::PK, address.pk())
        .key(attribute::SK, address.sk())
        .send()
        .await
        .map_err(failed)?;
    Ok(())
}

fn damaged(problem: &str) -> StoreError {
    StoreError::Corrupt {
        field: FIELD,
        problem: problem.to_owned(),
    }
}
