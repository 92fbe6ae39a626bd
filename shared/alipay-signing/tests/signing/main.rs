//! What the crate promises, through its public face.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, one that is skipped says so; clippy.toml covers \
              functions marked as tests and not their helpers"
)]

mod certificate_chains;
mod certificate_writer;
mod certificates;
mod charsets;
mod content_encryption;
mod der_writer;
mod key_loading;
mod notices;
mod outside_certificates;
mod outside_vectors;
mod parameters;
mod sdk_modes;
mod sdk_vectors;
mod signatures;
mod v3;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alipay_signing::{Charset, SigningKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A throw-away key, made once for a run, as PKCS#8.
static KEY_PKCS8: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("its DER");
    der.as_ref().to_vec()
});

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_text(&STANDARD.encode(&*KEY_PKCS8)).expect("a loaded key"));

/// A second one, which has nothing to do with the first.
static OTHER_KEY: LazyLock<SigningKey> = LazyLock::new(new_key);

fn new_key() -> SigningKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("its DER");
    SigningKey::from_text(&STANDARD.encode(der.as_ref())).expect("a loaded key")
}

/// A file of the outside vectors, which lie beside the project and not in it; `None` where they
/// are absent.
fn vectors(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    if path.exists() {
        Some(path)
    } else {
        // Written past the test runner, which shows what a passing test prints to nobody.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {name} here");
        None
    }
}

fn json<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    let bytes = std::fs::read(vectors(name)?).expect("a readable file");
    Some(serde_json::from_slice(&bytes).expect("the expected JSON"))
}

/// What a server makes of a form: pairs split, `+` and `%XX` undone, bytes read in the charset.
fn form_decode(form: &str, charset: Charset) -> Vec<(String, String)> {
    let field = |text: &str| {
        let text = text.replace('+', " ");
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(&text).collect();
        charset
            .decode(&bytes)
            .expect("text of the charset")
            .into_owned()
    };
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("name=value");
            (field(name), field(value))
        })
        .collect()
}
