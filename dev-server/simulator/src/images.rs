//! PNG images of mini codes: real QR symbols, square, or inside a round frame.

use qrcode::{EcLevel, QrCode};

use crate::methods::mini_code::MiniCode;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour([u8; 3]);

const WHITE: [u8; 3] = [0xFF; 3];
const BLACK: [u8; 3] = [0; 3];
/// Modules of white around a symbol; the QR standard asks for four.
const QUIET_ZONE: usize = 4;

impl Default for Colour {
    /// Alipay's blue.
    fn default() -> Self {
        Self([0x16, 0x77, 0xFF])
    }
}

impl Colour {
    /// Six hexadecimal digits; bare, after `#` or after `0x`, since no document says which.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('#')
            .or_else(|| text.strip_prefix("0x"))
            .unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }
}

/// The three pictures of a mini code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Black on white.
    Square,
    /// Coloured modules on a white disc with a thin ring.
    CircleWhite,
    /// The same on a white disc inside a broad ring of the colour.
    CircleBlue,
}

impl Shape {
    /// From the last part of the address.
    pub(crate) fn from_file_name(name: &str) -> Option<Self> {
        match name {
            "square.png" => Some(Self::Square),
            "circle-white.png" => Some(Self::CircleWhite),
            "circle-blue.png" => Some(Self::CircleBlue),
            _ => None,
        }
    }
}

/// Draws the picture; `None` where the content does not fit into a QR symbol.
pub(crate) fn png(code: &MiniCode, shape: Shape) -> Option<Vec<u8>> {
    let symbol = QrCode::with_error_correction_level(code.content.as_bytes(), EcLevel::M).ok()?;
    let modules = symbol.width();
    let dark: Vec<bool> = symbol
        .to_colors()
        .into_iter()
        .map(|module| module == qrcode::Color::Dark)
        .collect();
    let square = (modules + 2 * QUIET_ZONE) * code.scale;
    // Round pictures hold the whole square inside their circle.
    let (side, ring) = match shape {
        Shape::Square => (square, 0),
        Shape::CircleWhite => (square * 3 / 2, code.scale),
        Shape::CircleBlue => (square * 8 / 5, square / 20),
    };
    let foreground = if shape == Shape::Square {
        BLACK
    } else {
        code.colour.0
    };
    let offset = (side - square) / 2 + QUIET_ZONE * code.scale;
    let is_dark = |x: usize, y: usize| {
        let module = |at: usize| {
            at.checked_sub(offset)
                .map(|inside| inside / code.scale)
                .filter(|&at| at < modules)
        };
        match (module(x), module(y)) {
            (Some(column), Some(row)) => dark.get(row * modules + column).copied().unwrap_or(false),
            _ => false,
        }
    };
    let mut pixels = Vec::with_capacity(side * side * 4);
    for y in 0..side {
        for x in 0..side {
            let [red, green, blue] = if is_dark(x, y) {
                foreground
            } else if shape != Shape::Square && !within(x, y, side, ring) {
                code.colour.0
            } else {
                WHITE
            };
            let inside = shape == Shape::Square || within(x, y, side, 0);
            pixels.extend_from_slice(&[red, green, blue, if inside { 0xFF } else { 0 }]);
        }
    }
    encode(&pixels, side)
}

/// Whether the pixel lies in the circle that is `margin` pixels inside the square's edge.
fn within(x: usize, y: usize, side: usize, margin: usize) -> bool {
    // Twice the distance from the centre, so that no half pixels are needed.
    let from_centre = |at: usize| (2 * at + 1).abs_diff(side);
    let radius = side - 2 * margin;
    from_centre(x).pow(2) + from_centre(y).pow(2) <= radius.pow(2)
}

fn encode(pixels: &[u8], side: usize) -> Option<Vec<u8>> {
    let side = u32::try_from(side).ok()?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}
