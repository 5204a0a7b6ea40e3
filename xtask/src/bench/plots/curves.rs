//! A line for each participant over both logarithms, with the exponent of its growth.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, WIDTH, is_ours};
use crate::bench::record::Record;
use crate::bench::sheet::number;
use crate::bench::statistics::{median, slope};
use crate::report::Failure;

const HEIGHT: u32 = 560;

/// The width of the names beside the lines, and the height of one.
const LEGEND: u32 = 260;
const LINE: i32 = 24;

/// What one participant's figure is at each size.
struct Curve<'a> {
    peer: &'a str,
    points: Vec<(f64, f64)>,
    colour: RGBAColor,
}

/// Draws records of one figure at several sizes; nothing where no point has a logarithm.
pub(super) fn draw(group: &[&Record], title: &str) -> Result<Option<String>, Failure> {
    let curves = curves(group);
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let sizes = range(points().map(|point| point.0));
    let values = range(points().map(|point| point.1));
    let (Some(sizes), Some(values)) = (sizes, values) else {
        return Ok(None);
    };
    let parameter = group.iter().find_map(|record| Some(record.size.as_ref()?.0.as_str()));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(WIDTH - LEGEND);
        let mut chart = ChartBuilder::on(&left)
            .caption(title, (FONT, 20))
            .margin(10)
            .x_label_area_size(45)
            .y_label_area_size(80)
            .build_cartesian_2d(
                (sizes.0..sizes.1 * 1.05).log_scale(),
                (values.0 * 0.8..values.1 * 1.25).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(BLACK.mix(0.05))
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| number(*value))
            .x_desc(parameter.unwrap_or_default())
            .y_desc(&group[0].unit)
            .label_style((FONT, 14))
            .draw()?;
        for curve in &curves {
            chart.draw_series(LineSeries::new(curve.points.iter().copied(), curve.style()))?;
            let dots = curve.points.iter();
            chart.draw_series(dots.map(|point| Circle::new(*point, 3, curve.colour.filled())))?;
        }
        legend(&right, &curves)?;
        area.present()?;
    }
    Ok(Some(svg))
}

/// The names, in the order in which the lines end.
fn legend<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    curves: &[Curve<'_>],
) -> Result<(), Failure>
where
    B::ErrorType: 'static,
{
    let mut curves: Vec<&Curve<'_>> = curves.iter().collect();
    curves.sort_by(|a, b| b.end().total_cmp(&a.end()));
    let style = (FONT, 14).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
    for (at, curve) in curves.into_iter().enumerate() {
        let y = 60 + LINE * at as i32;
        area.draw(&PathElement::new([(5, y), (25, y)], curve.style()))?;
        area.draw(&Text::new(curve.name(), (32, y), style.clone()))?;
    }
    Ok(())
}

/// The points that have a logarithm, by who made them.
fn curves<'a>(group: &[&'a Record]) -> Vec<Curve<'a>> {
    let mut curves: Vec<Curve<'a>> = Vec::new();
    for record in group {
        let (Some((_, size)), Some(value)) = (&record.size, median(&record.samples)) else {
            continue;
        };
        if *size == 0 || value <= 0.0 {
            continue;
        }
        let point = (*size as f64, value);
        let colour = Palette99::pick(curves.len()).to_rgba();
        match curves.iter_mut().find(|curve| curve.peer == record.peer) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve { peer: &record.peer, points: vec![point], colour }),
        }
    }
    curves
}

impl Curve<'_> {
    fn style(&self) -> ShapeStyle {
        self.colour.stroke_width(if is_ours(self.peer) { 3 } else { 1 })
    }

    /// The last value.
    fn end(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.1)
    }

    fn name(&self) -> String {
        match slope(&self.points) {
            // Rounded first, so that there is no negative zero.
            Some(slope) => {
                format!("{}, slope {:.2}", self.peer, (slope * 100.0).round() / 100.0 + 0.0)
            }
            None => self.peer.to_owned(),
        }
    }
}

/// The least and the greatest.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::OURS;
    use crate::bench::record::tests::sample;

    #[test]
    fn what_has_no_logarithm_is_no_point() {
        let records = [
            sample("spawn", Some(0), OURS, 1.0),
            sample("spawn", Some(10), OURS, 0.0),
            sample("spawn", None, OURS, 1.0),
        ];
        assert!(draw(&records.each_ref(), "spawn").unwrap().is_none());
        let point = sample("spawn", Some(10), OURS, 2.0);
        assert!(draw(&[&records[0], &point], "spawn").unwrap().is_some());
        assert_eq!(curves(&[&records[0], &point])[0].points, [(10.0, 2.0)]);
    }

    #[test]
    fn a_constant_has_no_sign() {
        let points = vec![(1.0, 3.0), (10.0, 2.999)];
        let curve = Curve { peer: OURS, points, colour: BLACK.to_rgba() };
        assert_eq!(curve.name(), "ours, slope 0.00");
    }
}
