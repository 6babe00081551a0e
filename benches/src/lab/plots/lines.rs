//! Lines over a linear or logarithmic axis.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{COLORS, PlotError, SIZE, font, svg};

/// A line of a plot.
#[derive(Default)]
pub(in crate::lab) struct Line {
    pub(in crate::lab) name: String,
    pub(in crate::lab) points: Vec<(f64, f64)>,
    /// Where it would be at the least, as a dotted line of its own, if that is known.
    pub(in crate::lab) low: Vec<(f64, f64)>,
    /// From where to where the repeats of each point went, if it was measured: place, least and greatest.
    pub(in crate::lab) whiskers: Vec<(f64, [f64; 2])>,
    /// Bounds are dashed and without markers.
    pub(in crate::lab) is_bound: bool,
}

/// What stands at the axes.
pub(in crate::lab) struct Axes<'a> {
    pub(in crate::lab) x: &'a str,
    pub(in crate::lab) y: &'a str,
    pub(in crate::lab) log_y: bool,
}

/// Draws lines over a logarithmic x axis, with a linear or logarithmic y axis.
pub(in crate::lab) fn lines(lines: &[Line], axes: &Axes<'_>) -> Result<String, PlotError> {
    let ends = |line: &Line| -> Vec<(f64, f64)> {
        let whiskers = line.whiskers.iter();
        whiskers.flat_map(|&(x, ends)| ends.map(|y| (x, y))).collect()
    };
    let points = || {
        lines
            .iter()
            .flat_map(move |line| line.points.iter().chain(&line.low).copied().chain(ends(line)))
    };
    let range = |of: fn((f64, f64)) -> f64| {
        let low = points().map(of).fold(f64::INFINITY, f64::min);
        let high = points().map(of).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    };
    let ((x_low, x_high), (y_low, y_high)) = (range(|point| point.0), range(|point| point.1));
    if !(x_low > 0.0 && x_high.is_finite() && y_high.is_finite()) {
        return Err(PlotError::new("there are no points"));
    }
    // Workers come in powers of two, sizes in powers of ten.
    let base = if x_high <= 256.0 { 2.0 } else { 10.0 };
    let x = (x_low..x_high.max(x_low * 1.01)).log_scale().base(base);
    if axes.log_y {
        let (low, high) = (y_low.max(1e-3) / 1.2, y_high.max(y_low.max(1e-3) * 1.1) * 1.2);
        // Over few decades there would be hardly a label.
        let base = if high / low <= 1000.0 { 2.0 } else { 10.0 };
        draw(lines, axes, x, (low..high).log_scale().base(base))
    } else {
        let y: RangedCoordf64 = (0.0..y_high.max(1e-9) * 1.05).into();
        draw(lines, axes, x, y)
    }
}

fn draw<X, Y>(lines: &[Line], axes: &Axes<'_>, x: X, y: Y) -> Result<String, PlotError>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    svg(SIZE, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(10)
            .margin_right(170)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .build_cartesian_2d(x, y)
            .map_err(PlotError::new)?;
        chart
            .configure_mesh()
            .light_line_style(BLACK.mix(0.04))
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .label_style(font(13))
            .axis_desc_style(font(14))
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .draw()
            .map_err(PlotError::new)?;
        let mut ends = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let color = COLORS[at % COLORS.len()];
            let points = line.points.iter().copied();
            if !line.low.is_empty() {
                let low = line.low.iter().copied();
                let dotted = DashedLineSeries::new(low, 2, 4, color.stroke_width(1));
                chart.draw_series(dotted).map_err(PlotError::new)?;
            }
            if line.is_bound {
                let dashed = DashedLineSeries::new(points, 6, 4, color.stroke_width(1));
                chart.draw_series(dashed).map_err(PlotError::new)?;
            } else {
                let stroke = color.stroke_width(2);
                chart.draw_series(LineSeries::new(points, stroke)).map_err(PlotError::new)?;
                let mut marks = line.points.iter().map(|place| chart.backend_coord(place));
                marks.try_for_each(|place| mark(root, at, place, color))?;
                for &(x, [least, most]) in &line.whiskers {
                    let ends = [least, most].map(|y| chart.backend_coord(&(x, y)));
                    whisker(root, ends, color)?;
                }
            }
            if let Some(last) = line.points.last() {
                ends.push(End { place: chart.backend_coord(last), at, color, line });
            }
        }
        label_ends(root, ends)
    })
}

/// Draws a line from the least to the greatest of a point's repeats, with a stroke across at both ends.
fn whisker(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    ends: [(i32, i32); 2],
    color: RGBColor,
) -> Result<(), PlotError> {
    let across = ends.map(|(x, y)| [(x - 5, y), (x + 5, y)]);
    for line in [ends, across[0], across[1]] {
        root.draw(&PathElement::new(line.to_vec(), color)).map_err(PlotError::new)?;
    }
    Ok(())
}

/// Where a line ends.
struct End<'a> {
    place: (i32, i32),
    at: usize,
    color: RGBColor,
    line: &'a Line,
}

/// Writes each line's mark and name beside its end, moved apart where they would overlap.
fn label_ends(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    mut ends: Vec<End<'_>>,
) -> Result<(), PlotError> {
    const LINE_PX: i32 = 15;
    ends.sort_by_key(|end| end.place.1);
    let bottom = i32::try_from(SIZE.1).unwrap_or(i32::MAX) - 50;
    let n_ends = i32::try_from(ends.len()).unwrap_or(0);
    let mut free = 5;
    for (number, End { place: (x, y), at, color, line }) in (0..).zip(ends) {
        // As near to the end as the ones above and below leave room.
        let last = bottom - (n_ends - number) * LINE_PX;
        let place = (y - LINE_PX / 2).max(free).min(last.max(free));
        free = place + LINE_PX;
        let leader = vec![(x + 4, y), (x + 16, place + LINE_PX / 2)];
        root.draw(&PathElement::new(leader, color.mix(0.6))).map_err(PlotError::new)?;
        if !line.is_bound {
            mark(root, at, (x + 22, place + LINE_PX / 2), color)?;
        }
        let label = Text::new(line.name.as_str(), (x + 32, place), font(13));
        root.draw(&label).map_err(PlotError::new)?;
    }
    Ok(())
}

/// Draws the mark of a line: another shape for each color, so that a print in gray tells them apart.
fn mark(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    line: usize,
    (x, y): (i32, i32),
    color: RGBColor,
) -> Result<(), PlotError> {
    let (full, open) = (color.filled(), color.stroke_width(2));
    let path = |points: &[(i32, i32)]| {
        let points: Vec<_> = points.iter().map(|&(right, down)| (x + right, y + down)).collect();
        root.draw(&PathElement::new(points, open))
    };
    let square = [(x - 4, y - 4), (x + 4, y + 4)];
    let drawn = match line % 8 {
        0 => root.draw(&Circle::new((x, y), 4, full)),
        1 => root.draw(&Rectangle::new(square, full)),
        2 => root.draw(&TriangleMarker::new((x, y), 5, full)),
        3 => root.draw(&Cross::new((x, y), 4, open)),
        4 => root.draw(&Circle::new((x, y), 4, open)),
        5 => root.draw(&Rectangle::new(square, open)),
        6 => path(&[(0, -5), (5, 0), (0, 5), (-5, 0), (0, -5)]),
        _ => path(&[(-5, 0), (5, 0)]).and_then(|()| path(&[(0, -5), (0, 5)])),
    };
    drawn.map_err(PlotError::new)
}

/// A number as short as it is exact enough for an axis.
fn number(value: &f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1e6 => format!("{}M", value / 1e6),
        size if size >= 1e4 => format!("{}k", value / 1e3),
        size if size >= 10.0 => format!("{value:.0}"),
        _ => format!("{}", (value * 100.0).round() / 100.0),
    }
}
