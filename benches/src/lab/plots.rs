//! The plots of a report, as SVG.
//!
//! Colors are those of Okabe and Ito, which people with any color vision tell apart; every line also
//! has a marker of its own and its name at its end, so that a print in gray is legible.
//! Source: M. Okabe and K. Ito, "Color universal design" (2008).

mod bars;
pub(super) mod lines;

pub(super) use bars::{boxes, gantt, rungs, spreads};
pub(super) use lines::{Line, lines};

use plotters::prelude::*;

/// Why a plot could not be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plot could not be drawn: {0}")]
pub struct PlotError(String);

impl PlotError {
    pub(super) fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The eight colors.
pub(super) const COLORS: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(120, 120, 120),
];

/// The size of a plot in pixels of SVG.
const SIZE: (u32, u32) = (860, 430);

/// Draws into a text. The size is the plot's width and height.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(PlotError::new)?;
        draw(&root)?;
        root.present().map_err(PlotError::new)?;
    }
    Ok(text)
}

/// The text style of a plot's labels.
fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}
