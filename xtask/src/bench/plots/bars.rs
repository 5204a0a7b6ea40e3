//! A bar for each participant, as long as its median, with a line between its quartiles.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, WIDTH, is_ours};
use crate::bench::record::Record;
use crate::bench::sheet::number;
use crate::bench::statistics::quantile;
use crate::report::Failure;

/// The height of one bar, and of what stands above and below the bars.
const BAR: u32 = 34;
const FRAME: u32 = 110;

/// Draws records that belong into one comparison; there are some.
pub(super) fn draw(group: &[&Record], title: &str) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let height = FRAME + BAR * group.len() as u32;
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        // From above to below, as in the table; the axis counts from below.
        let bars: Vec<Bar<'_>> = group.iter().rev().map(|record| Bar::of(record)).collect();
        let most = bars.iter().map(|bar| bar.high).fold(f64::MIN_POSITIVE, f64::max);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 20))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(190)
            .build_cartesian_2d(0.0..most * 1.15, (0..bars.len() - 1).into_segmented())?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(at) => bars.get(*at).map_or("", |bar| bar.name).to_owned(),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_max_light_lines(0)
            .y_labels(bars.len())
            .y_label_formatter(&name)
            .x_label_formatter(&|value| number(*value))
            .x_desc(&group[0].unit)
            .label_style((FONT, 14))
            .draw()?;
        let beside = Pos::new(HPos::Left, VPos::Center);
        let style = (FONT, 14).into_text_style(&area).pos(beside);
        for (at, bar) in bars.iter().enumerate() {
            let (lower, upper) = (SegmentValue::Exact(at), SegmentValue::Exact(at + 1));
            let mut body = Rectangle::new([(0.0, lower), (bar.median, upper)], bar.colour.filled());
            body.set_margin(4, 4, 0, 0);
            let end = |value: f64| (value, SegmentValue::CenterOf(at));
            let spread = vec![end(bar.low), end(bar.high)];
            let text = Text::new(number(bar.median), (6, 0), style.clone());
            chart.draw_series([body])?;
            chart.draw_series([PathElement::new(spread, BLACK.stroke_width(2))])?;
            chart.draw_series([EmptyElement::at(end(bar.high.max(bar.median))) + text])?;
        }
        area.present()?;
    }
    Ok(svg)
}

struct Bar<'a> {
    name: &'a str,
    low: f64,
    median: f64,
    high: f64,
    colour: RGBAColor,
}

impl Bar<'_> {
    fn of(record: &Record) -> Bar<'_> {
        let at = |share: f64| quantile(&record.samples, share).unwrap_or_default();
        let colour = if is_ours(&record.peer) { BLUE.mix(0.6) } else { BLACK.mix(0.25) };
        Bar { name: &record.peer, low: at(0.25), median: at(0.5), high: at(0.75), colour }
    }
}
