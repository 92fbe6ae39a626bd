//! Mini codes and their pictures.

use serde_json::{Value, json};
use simulator::AppOptions;

use crate::caller::{Fixture, QRCODE_CREATE, text, verdict};

fn wanted() -> Value {
    json!({"url_param":"pages/index/index","query_param":"scene=a&b=你","describe":"小程序码"})
}

async fn create(fixture: &Fixture, wanted: &Value) -> Value {
    fixture
        .call(QRCODE_CREATE, &[("biz_content", &wanted.to_string())])
        .await
}

struct Picture {
    side: usize,
    pixels: Vec<[u8; 4]>,
}

async fn picture(fixture: &Fixture, url: &str) -> Picture {
    let response = fixture.http.get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/png");
    let bytes = response.bytes().await.unwrap().to_vec();
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut buffer).unwrap();
    assert_eq!(info.width, info.height);
    let pixels = buffer
        .chunks_exact(4)
        .map(|pixel| pixel.try_into().unwrap())
        .collect();
    Picture {
        side: info.width as usize,
        pixels,
    }
}

impl Picture {
    /// What a scanner reads in it.
    fn content(&self) -> String {
        let luma = |x: usize, y: usize| {
            let [red, green, blue, alpha] = self.pixels[y * self.side + x];
            let grey = (u32::from(red) * 3 + u32::from(green) * 6 + u32::from(blue)) / 10;
            if alpha == 0 {
                255
            } else {
                u8::try_from(grey).unwrap()
            }
        };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.side, self.side, luma);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one symbol");
        grids[0].decode().unwrap().1
    }

    fn count(&self, colour: [u8; 4]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }
}

#[tokio::test]
async fn the_three_addresses_serve_symbols_that_a_scanner_reads() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let mut wanted = wanted();
    wanted["color"] = json!("0xAA0000");
    let node = create(&fixture, &wanted).await;
    let expected = format!(
        "alipays://platformapi/startapp?appId={}&page=pages%2Findex%2Findex&query=scene%3Da%26b%3D%E4%BD%A0",
        fixture.app.app_id
    );
    let red = [0xAA, 0, 0, 0xFF];
    let square = picture(&fixture, text(&node, "qr_code_url")).await;
    assert_eq!(square.content(), expected);
    assert_eq!(
        square.count(red),
        0,
        "the square one is black whatever `color` says"
    );
    let white = picture(&fixture, text(&node, "qr_code_url_circle_white")).await;
    let blue = picture(&fixture, text(&node, "qr_code_url_circle_blue")).await;
    for round in [&white, &blue] {
        assert_eq!(round.content(), expected);
        assert!(round.count(red) > 0);
        assert_eq!(
            round.pixels[0][3], 0,
            "outside the circle it is transparent"
        );
    }
    assert!(blue.count(red) > white.count(red));
}

#[tokio::test]
async fn size_is_the_size_of_the_picture() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let mut sides = Vec::new();
    for size in ["s", "m", "l"] {
        let mut wanted = wanted();
        wanted["size"] = json!(size);
        sides.push(
            picture(
                &fixture,
                text(&create(&fixture, &wanted).await, "qr_code_url"),
            )
            .await
            .side,
        );
    }
    assert!(
        sides.is_sorted_by(|smaller, larger| smaller < larger),
        "{sides:?}"
    );
}

#[tokio::test]
async fn each_wrong_member_is_refused() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let long = |length: usize| json!("字".repeat(length));
    let rows = [
        ("url_param", Value::Null, "INVALID_PARAMETER"),
        ("url_param", json!("/pages/index"), "INVALID_PARAMETER"),
        ("url_param", long(257), "INVALID_PARAMETER"),
        ("query_param", Value::Null, "INVALID_PARAMETER"),
        ("query_param", long(256), "10000"),
        ("query_param", long(257), "INVALID_PARAMETER"),
        ("describe", Value::Null, "INVALID_PARAMETER"),
        ("describe", long(32), "10000"),
        ("describe", long(33), "INVALID_PARAMETER"),
        ("describe", json!(5), "INVALID_PARAMETER"),
        ("color", json!("red"), "HM_BG_COLOR_INVALID"),
        ("color", json!("#00aaFF"), "10000"),
        ("size", json!("xl"), "INVALID_PARAMETER"),
    ];
    for (name, value, expected) in rows {
        let mut wanted = wanted();
        if value.is_null() {
            wanted.as_object_mut().unwrap().remove(name);
        } else {
            wanted[name] = value.clone();
        }
        assert_eq!(
            verdict(&create(&fixture, &wanted).await),
            expected,
            "{name} = {value}"
        );
    }
    assert_eq!(
        verdict(&fixture.call(QRCODE_CREATE, &[]).await),
        "INVALID_PARAMETER"
    );
}
