//! An embedded DynamoDB without HTTP: the client's requests are handed over in this process.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use embedded_dynamodb::client_config;
use embedded_dynamodb::dynoxide::{Database, DynoxideError, ImportOptions, Item};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many rows are imported at once.
const BATCH: usize = 20_000;

/// The database, and the rows that are not in it yet.
#[derive(Clone)]
pub struct Table {
    database: Database,
    /// While the table is filled, what is put collects here.
    filling: Arc<Mutex<Option<Vec<Item>>>>,
    name: &'static str,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Table")
    }
}

impl Table {
    pub fn new(name: &'static str) -> Self {
        Self {
            database: Database::memory().unwrap(),
            filling: Arc::default(),
            name,
        }
    }

    pub fn client(&self) -> Client {
        let table = self.clone();
        let config = client_config("http://localhost").http_client(http_client_fn(move |_, _| {
            SharedHttpConnector::new(table.clone())
        }));
        Client::from_conf(config.build())
    }

    /// From now on, what is put is imported in large parts and without conditions.
    pub fn begin_to_fill(&self) {
        *self.filling.lock().unwrap() = Some(Vec::with_capacity(BATCH));
    }

    pub fn end_filling(&self) {
        let rest = self.filling.lock().unwrap().take();
        self.import(rest.unwrap_or_default());
    }

    fn import(&self, rows: Vec<Item>) {
        self.database
            .import_items(self.name, rows, ImportOptions::default())
            .unwrap();
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
        match operation {
            "PutItem" => {
                let mut put: serde_json::Value = read(body);
                let item: Item = serde_json::from_value(put["Item"].take()).unwrap();
                let mut filling = self.filling.lock().unwrap();
                let rows = filling.as_mut().expect("only filling puts");
                rows.push(item);
                if rows.len() == BATCH {
                    let full = std::mem::replace(rows, Vec::with_capacity(BATCH));
                    self.import(full);
                }
                Ok("{}".to_owned())
            }
            "GetItem" => self.database.get_item(read(body)).map(written),
            "UpdateItem" => self.database.update_item(read(body)).map(written),
            "Query" => self.database.query(read(body)).map(written),
            "CreateTable" => self.database.create_table(read(body)).map(written),
            "DescribeTable" => self.database.describe_table(read(body)).map(written),
            "DescribeTimeToLive" => self.database.describe_time_to_live(read(body)).map(written),
            "UpdateTimeToLive" => self.database.update_time_to_live(read(body)).map(written),
            other => panic!("{other} is not expected"),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap()
}

fn written(reply: impl Serialize) -> String {
    serde_json::to_string(&reply).unwrap()
}

impl HttpConnector for Table {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let (status, body) =
            match self.answer(operation, request.body().bytes().unwrap_or_default()) {
                Ok(body) => (200, body),
                Err(error) => (error.status_code(), error.to_json()),
            };
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}
