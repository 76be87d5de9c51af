//! Charts: bars and lines as SVG, drawn by the server.
//!
//! Two series differ by a pattern as well as by colour, every point has its value as text, and the template shows the same
//! numbers as a table.

use std::fmt::Write;

use askama::filters::Safe;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// A chart of one or two series. Templates show it with the macro `chart`.
pub struct Chart {
    pub title: String,
    /// What the chart shows, for readers who do not see it.
    pub description: String,
    pub kind: ChartKind,
    /// Names of the series; the second is drawn behind the first.
    pub series: Vec<String>,
    pub points: Vec<Point>,
    /// The address of the same numbers as CSV.
    pub csv: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    Bars,
    Lines,
}

/// A place on the horizontal axis, with a value of each series.
pub struct Point {
    pub label: String,
    pub values: Vec<Value>,
    /// The list that the value is made of.
    pub link: Option<String>,
}

/// A value, and as the table and the title of its mark write it.
pub struct Value {
    pub amount: Decimal,
    pub text: String,
}

/// A chart is drawn twice, because text that shrinks with its picture cannot be read on a phone. The style sheet shows
/// the one that fits.
struct Frame {
    class: &'static str,
    width: f64,
}

const BROAD: Frame = Frame { class: "broad", width: 720.0 };
const NARROW: Frame = Frame { class: "narrow", width: 360.0 };
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
/// Labels below the chart, and the widths of a letter and of the space between two labels.
const MAX_LABELS: f64 = 12.0;
const LETTER: f64 = 7.0;
const SPACE: f64 = 12.0;
const TICKS: u32 = 4;
/// The pattern of the second series, after its name.
const STRIPES: &str = "width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
                       patternTransform=\"rotate(45)\"><rect class=\"stripe-back\" width=\"6\" height=\"6\"/>\
                       <rect class=\"stripe\" width=\"2\" height=\"6\"/></pattern></defs>";

impl Chart {
    pub fn bars(title: impl Into<String>, description: impl Into<String>, series: &[&str]) -> Self {
        Self {
            title: title.into(),
            description: description.into(),
            kind: ChartKind::Bars,
            series: series.iter().map(|name| (*name).to_owned()).collect(),
            points: Vec::new(),
            csv: None,
        }
    }

    pub fn lines(title: impl Into<String>, description: impl Into<String>, series: &[&str]) -> Self {
        Self { kind: ChartKind::Lines, ..Self::bars(title, description, series) }
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.points.iter().flat_map(|point| &point.values).all(|value| value.amount.is_zero())
    }

    /// The picture, broad and narrow.
    pub fn svg(&self) -> Safe<String> {
        let scale = Scale::of(self.points.iter().flat_map(|point| &point.values).map(|value| value.amount));
        let mut svg = String::new();
        for frame in [&BROAD, &NARROW] {
            // Writing to a text cannot fail.
            let _ = self.write(&mut svg, &scale, frame);
        }
        Safe(svg)
    }

    fn write(&self, svg: &mut String, scale: &Scale, frame: &Frame) -> std::fmt::Result {
        let Frame { class, width, .. } = frame;
        write!(svg, "<svg class=\"chart {class}\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\">")?;
        write!(svg, "<title>{}</title><desc>{}</desc>", escape(&self.title), escape(&self.description))?;
        if self.kind == ChartKind::Bars && self.series.len() > 1 {
            write!(svg, "<defs><pattern id=\"stripes-{class}\" {STRIPES}")?;
        }
        for tick in scale.ticks() {
            let y = scale.y(tick);
            write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                width - RIGHT
            )?;
            let (x, y) = (LEFT - 8.0, y + 4.0);
            write!(svg, "<text class=\"tick\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>", short(tick))?;
        }
        // The second series is behind the first.
        for series in (0..self.series.len()).rev() {
            match self.kind {
                ChartKind::Bars => self.write_bars(svg, scale, frame, series)?,
                ChartKind::Lines => self.write_line(svg, scale, frame, series)?,
            }
        }
        let step = self.points.len().div_ceil(self.labels(frame)).max(1);
        for (place, point) in self.points.iter().enumerate().step_by(step) {
            let (x, y) = (self.middle(frame, place), HEIGHT - 8.0);
            write!(
                svg,
                "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
                escape(&point.label)
            )?;
        }
        svg.push_str("</svg>");
        Ok(())
    }

    fn write_bars(&self, svg: &mut String, scale: &Scale, frame: &Frame, series: usize) -> std::fmt::Result {
        let slot = self.slot(frame);
        let width = (slot * 0.7 / self.series.len() as f64).max(1.0);
        for (place, point) in self.points.iter().enumerate() {
            let Some(value) = point.values.get(series) else { continue };
            let x = self.middle(frame, place) - width * self.series.len() as f64 / 2.0 + width * series as f64;
            let (zero, y) = (scale.y(0.0), scale.y(to_f64(value.amount)));
            let (top, height) = (y.min(zero), (zero - y).abs());
            let title = self.title_of(point, series, value);
            write!(
                svg,
                "<rect class=\"series-{series}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
                 <title>{title}</title></rect>"
            )?;
        }
        Ok(())
    }

    fn write_line(&self, svg: &mut String, scale: &Scale, frame: &Frame, series: usize) -> std::fmt::Result {
        let places = self.points.iter().enumerate();
        let marks =
            places.filter_map(|(place, point)| Some((self.middle(frame, place), point, point.values.get(series)?)));
        let marks: Vec<_> = marks.map(|(x, point, value)| (x, scale.y(to_f64(value.amount)), point, value)).collect();
        let path: Vec<_> = marks.iter().map(|(x, y, ..)| format!("{x:.1},{y:.1}")).collect();
        write!(svg, "<polyline class=\"line-{series}\" points=\"{}\"/>", path.join(" "))?;
        for (x, y, point, value) in marks {
            let title = self.title_of(point, series, value);
            write!(
                svg,
                "<circle class=\"mark-{series}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{title}</title></circle>"
            )?;
        }
        Ok(())
    }

    fn title_of(&self, point: &Point, series: usize, value: &Value) -> String {
        let name = self.series.get(series).map_or("", String::as_str);
        escape(&format!("{}, {name}: {}", point.label, value.text))
    }

    /// How many labels fit below the chart.
    fn labels(&self, frame: &Frame) -> usize {
        let letters = self.points.iter().map(|point| point.label.chars().count()).max().unwrap_or_default();
        let fit = (frame.width - LEFT - RIGHT) / (letters as f64 * LETTER + SPACE);
        fit.clamp(1.0, MAX_LABELS) as usize
    }

    /// Width of a point.
    fn slot(&self, frame: &Frame) -> f64 {
        (frame.width - LEFT - RIGHT) / self.points.len().max(1) as f64
    }

    fn middle(&self, frame: &Frame, place: usize) -> f64 {
        LEFT + self.slot(frame) * (place as f64 + 0.5)
    }
}

/// The vertical axis: from 0, or from the lowest value below it, to a round number.
struct Scale {
    lowest: f64,
    step: f64,
    steps: u32,
}

impl Scale {
    fn of(amounts: impl Iterator<Item = Decimal>) -> Self {
        let (lowest, highest) =
            amounts.map(to_f64).fold((0.0_f64, 0.0_f64), |(low, high), amount| (low.min(amount), high.max(amount)));
        let step = round_step((highest - lowest) / f64::from(TICKS));
        let lowest = (lowest / step).floor() * step;
        let steps = ((highest - lowest) / step).ceil().max(1.0) as u32;
        Self { lowest, step, steps }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (lowest, step) = (self.lowest, self.step);
        (0..=self.steps).map(move |number| lowest + step * f64::from(number))
    }

    fn y(&self, amount: f64) -> f64 {
        let height = self.step * f64::from(self.steps);
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (amount - self.lowest) / height)
    }
}

/// The next 1, 2 or 5 times a power of ten; at least 1, because a shop counts whole units and prices.
fn round_step(step: f64) -> f64 {
    if step <= 1.0 {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| step <= factor * power * 1.000_001).unwrap_or(10.0);
    factor * power
}

/// A short number for the axis: `1.5k`, `2M`.
fn short(amount: f64) -> String {
    let (divisor, unit) = match amount.abs() {
        size if size >= 1e9 => (1e9, "G"),
        size if size >= 1e6 => (1e6, "M"),
        size if size >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let rounded = (amount / divisor * 100.0).round() / 100.0;
    format!("{rounded}{unit}")
}

fn to_f64(amount: Decimal) -> f64 {
    amount.to_f64().unwrap_or_default()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
