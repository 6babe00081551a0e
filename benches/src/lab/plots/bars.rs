//! Bars, boxes and the lanes of workers.

use plotters::prelude::*;

use super::{COLORS, PlotError, font, svg};
use crate::Span;

const WIDTH_PX: u32 = 860;
const ROW_PX: u32 = 24;
const NAME_PX: u32 = 190;
const AXIS_PX: u32 = 42;

/// A chart of named rows, the first on top. `draw` gets the chart's place of each row's middle.
fn rows(
    names: &[String],
    x: (f64, f64),
    what: &str,
    elements: Vec<Element>,
) -> Result<String, PlotError> {
    let n = names.len();
    let height = ROW_PX * u32::try_from(n).unwrap_or(100) + AXIS_PX + 20;
    svg((WIDTH_PX, height), |root| {
        #[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
        let end = n as f64;
        let mut chart = ChartBuilder::on(root)
            .margin(10)
            .margin_right(30)
            .x_label_area_size(AXIS_PX)
            .y_label_area_size(NAME_PX)
            .build_cartesian_2d(x.0..x.1, 0.0..end)
            .map_err(PlotError::new)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .light_line_style(BLACK.mix(0.04))
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(what)
            .label_style(font(13))
            .axis_desc_style(font(14))
            .x_label_formatter(&|value| format!("{}", (value * 100.0).round() / 100.0))
            .draw()
            .map_err(PlotError::new)?;
        for Element { row, from, to, thickness, color } in elements {
            #[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
            let middle = end - row as f64 - 0.5;
            let corners = [(from, middle - thickness / 2.0), (to, middle + thickness / 2.0)];
            let bar = Rectangle::new(corners, color.filled());
            chart.draw_series([bar]).map_err(PlotError::new)?;
        }
        for (row, name) in names.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
            let middle = end - row as f64 - 0.5;
            let (left, y) = chart.backend_coord(&(x.0, middle));
            let place = (left - i32::try_from(NAME_PX).unwrap_or(0) + 4, y - 7);
            root.draw(&Text::new(name.as_str(), place, font(13))).map_err(PlotError::new)?;
        }
        Ok(())
    })
}

struct Element {
    row: usize,
    from: f64,
    to: f64,
    /// As a share of the row.
    thickness: f64,
    color: RGBColor,
}

/// A bar for each name.
pub(in crate::lab) fn rungs(values: &[(String, f64)], what: &str) -> Result<String, PlotError> {
    let high = values.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let named: Vec<String> =
        values.iter().map(|(name, value)| format!("{name}  {value:.2}")).collect();
    let bar = |(row, (_, value)): (usize, &(String, f64))| Element {
        row,
        from: 0.0,
        to: *value,
        thickness: 0.6,
        color: COLORS[4],
    };
    rows(&named, (0.0, high * 1.05), what, values.iter().enumerate().map(bar).collect())
}

/// A bar for each name that ends at a figure, and a line from the least to the greatest of its repeats.
pub(in crate::lab) fn spreads(
    values: &[(String, f64, [f64; 2])],
    what: &str,
) -> Result<String, PlotError> {
    let high = values.iter().map(|(_, value, [_, most])| value.max(*most)).fold(1.0, f64::max);
    let named: Vec<String> =
        values.iter().map(|(name, value, _)| format!("{name}  {value:.2}")).collect();
    let mut elements = Vec::new();
    for (row, (_, value, [least, most])) in values.iter().enumerate() {
        let mut push = |from, to, thickness, color| {
            elements.push(Element { row, from, to, thickness, color });
        };
        push(0.0, *value, 0.6, COLORS[2]);
        push(*least, *most, 0.08, COLORS[0]);
        let stroke = high * 0.001;
        for end in [*least, *most] {
            push(end - stroke, end + stroke, 0.5, COLORS[0]);
        }
    }
    rows(&named, (0.0, high * 1.05), what, elements)
}

/// A box for each name: the quartiles, a line from the least to the greatest, a mark at the median.
pub(in crate::lab) fn boxes(
    values: &[(String, Vec<f64>)],
    what: &str,
) -> Result<String, PlotError> {
    let mut elements = Vec::new();
    let mut named = Vec::new();
    let mut high = 1.0f64;
    for (row, (name, values)) in values.iter().enumerate() {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
        if sorted.is_empty() {
            return Err(PlotError::new("there are no values"));
        }
        high = high.max(at(100));
        named.push(format!("{name}  {:.2}", at(50)));
        let mut push = |from, to, thickness, color| {
            elements.push(Element { row, from, to, thickness, color });
        };
        push(at(0), at(100), 0.08, COLORS[7]);
        push(at(25), at(75), 0.6, COLORS[2]);
        let mark = (at(100).max(1.0) - 1.0).mul_add(0.002, 0.004);
        push(at(50) - mark, at(50) + mark, 0.8, COLORS[0]);
    }
    rows(&named, (1.0, high * 1.03), what, elements)
}

/// The executions of each worker over time, from the start to where there would be too many to tell apart, and that
/// end; those that did not count are orange.
pub(in crate::lab) fn gantt(spans: &[Span], n_workers: usize) -> Result<(String, u64), PlotError> {
    /// More rectangles than this are no picture and a large file. Ours to choose.
    const SPANS_MAX: usize = 4000;
    #[expect(clippy::cast_precision_loss, reason = "a picture needs few digits")]
    let us = |ns: u64| ns as f64 / 1000.0;
    let mut spans = spans.to_vec();
    spans.sort_by_key(|span| (span.start, span.end));
    let end = match spans.get(SPANS_MAX) {
        Some(span) => span.start,
        None => spans.iter().map(|span| span.end).max().unwrap_or(1),
    };
    let names: Vec<String> = (0..n_workers).map(|worker| format!("worker {worker}")).collect();
    let bars = spans.iter().take(SPANS_MAX).map(|span| {
        // Neighbors differ in shade, so that one can be told from the next.
        let shades = [COLORS[2], COLORS[4]];
        let color = if span.counted { shades[span.tx as usize % 2] } else { COLORS[5] };
        let row = span.worker as usize;
        Element { row, from: us(span.start), to: us(span.end.min(end)), thickness: 0.8, color }
    });
    Ok((rows(&names, (0.0, us(end)), "µs", bars.collect())?, end))
}
