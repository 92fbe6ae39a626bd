//! Uploads in V3: a multipart body whose part `data` holds the parameters and is what is signed (Alipay's document of
//! uploading in V3). No method of the simulator takes a file, so the other parts are read past.

/// The content of the part `data`, empty where there is none; `None` where the body is not of this form.
pub(crate) fn data_part(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let boundary = content_type
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("boundary="))?
        .trim_matches('"');
    let delimiter = format!("--{boundary}");
    let mut pieces = split(body, delimiter.as_bytes()).into_iter();
    // What stands before the first delimiter is nobody's.
    pieces.next()?;
    for piece in pieces {
        if piece.starts_with(b"--") {
            return Some(Vec::new());
        }
        let (head, content) = halves(piece.strip_prefix(b"\r\n")?, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(head);
        if head.contains("; name=\"data\"") {
            return content.strip_suffix(b"\r\n").map(<[u8]>::to_vec);
        }
    }
    None
}

fn split<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while let Some((piece, after)) = halves(rest, delimiter) {
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// What stands before and after the first occurrence.
fn halves<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(delimiter.len())
        .position(|window| window == delimiter)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(delimiter.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::data_part;

    const TYPE: &str = "multipart/form-data; boundary=b1";

    #[test]
    fn the_part_data_is_found_among_files_and_nothing_else_is() {
        let file =
            "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\r\n\r\n";
        let data = "--b1\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{\"a\":1}\r\n";
        for body in [
            format!("{file}{data}--b1--\r\n"),
            format!("{data}{file}--b1--"),
        ] {
            assert_eq!(data_part(TYPE, body.as_bytes()).unwrap(), b"{\"a\":1}");
        }
        let without = format!("{file}--b1--\r\n");
        assert_eq!(data_part(TYPE, without.as_bytes()).unwrap(), b"");
        assert_eq!(data_part(TYPE, data.as_bytes()[..40].as_ref()), None);
        assert_eq!(data_part(TYPE, b"{}"), None);
        assert_eq!(data_part("multipart/form-data", data.as_bytes()), None);
    }
}
