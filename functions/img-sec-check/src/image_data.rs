//! Image data in a call. Alipay's documents of its image checks speak of addresses only, so data is looked at, to say first what
//! else is wrong with it, and then refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_kit::{Failure, Outcome};

/// vk's limit for an image, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Why `data`, base64 with or without the head of a `data:` URL, is not checked.
pub(crate) fn refusal(data: &str) -> Failure {
    let data = match data.split_once(',') {
        Some((head, data)) if head.starts_with("data:") && head.ends_with(";base64") => data,
        _ => data,
    };
    // Encoders break lines.
    let data: Vec<u8> = data
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let Ok(bytes) = STANDARD.decode(data) else {
        return Failure::invalid("base64", "must be base64, or a data: URL of it");
    };
    if bytes.len() > MAX_BYTES {
        return Failure::new(Outcome::TooLarge {
            limit: "1 MB at most for an image".to_owned(),
        });
    }
    if !is_image(&bytes) {
        return Failure::invalid("base64", "must be a PNG, JPEG, GIF, BMP or WebP image");
    }
    Failure::invalid(
        "base64",
        "Alipay checks images by their address only; upload the image and give its https address as image",
    )
}

/// Whether the bytes begin like an image of a known kind, with the whole of the kind's first header.
fn is_image(bytes: &[u8]) -> bool {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    const JPEG: &[u8] = b"\xff\xd8\xff";
    /// "BM", then the file's length and the place of the pixels.
    const BMP_HEADER_BYTES: usize = 14;

    bytes.starts_with(PNG)
        || bytes.starts_with(JPEG)
        || bytes.starts_with(b"GIF87a")
        || bytes.starts_with(b"GIF89a")
        || (bytes.starts_with(b"BM") && bytes.len() >= BMP_HEADER_BYTES)
        || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(data: &str) -> String {
        match refusal(data).outcome() {
            Outcome::InvalidArgument { field, rule } if field == "base64" => rule.clone(),
            Outcome::TooLarge { limit } => limit.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_image_is_told_to_be_uploaded_first() {
        let bmp = [b"BM".as_slice(), &[0; 12]].concat();
        let images: [&[u8]; 6] = [
            b"\x89PNG\r\n\x1a\nrest",
            b"\xff\xd8\xff\xe0",
            b"GIF87a",
            b"GIF89a",
            &bmp,
            b"RIFF\x10\0\0\0WEBPVP8 ",
        ];
        for image in images {
            let data = STANDARD.encode(image);
            for data in [
                data.clone(),
                format!("data:image/png;base64,{data}"),
                format!("{}\r\n{}", &data[..4], &data[4..]),
            ] {
                let reason = reason(&data);
                assert!(reason.contains("upload"), "{data}: {reason}");
            }
        }
    }

    #[test]
    fn a_cut_header_is_of_no_known_kind() {
        let beginnings: [&[u8]; 6] = [
            b"",
            b"\x89PNG\r\n\x1a",
            b"\xff\xd8",
            b"GIF89",
            b"BM\0\0",
            b"RIFF\x10\0\0\0WEB",
        ];
        for bytes in beginnings
            .into_iter()
            .chain([b"<svg/>".as_slice(), b"%PDF-1.7"])
        {
            let reason = reason(&STANDARD.encode(bytes));
            assert!(reason.contains("PNG, JPEG"), "{bytes:?}: {reason}");
        }
    }

    #[test]
    fn what_is_not_base64_is_said_to_be_so() {
        for data in [
            "!!!",
            "aGk",
            "data:image/png,abc",
            "data:text/plain;base64,??",
        ] {
            assert!(reason(data).contains("must be base64"), "{data}");
        }
    }

    #[test]
    fn one_mebibyte_is_looked_into_and_one_byte_more_is_not() {
        let image = |length: usize| {
            let mut bytes = b"GIF89a".to_vec();
            bytes.resize(length, 0);
            STANDARD.encode(bytes)
        };
        assert!(reason(&image(1024 * 1024)).contains("upload"));
        assert!(reason(&image(1024 * 1024 + 1)).contains("1 MB"));
    }
}
