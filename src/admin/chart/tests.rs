use super::*;

fn chart(kind: ChartKind, amounts: &[(&str, &[i64])]) -> Chart {
    let value = |amount: &i64| Value { amount: Decimal::from(*amount), text: format!("{amount} EUR") };
    let points = amounts.iter().map(|(label, values)| Point {
        label: (*label).to_owned(),
        values: values.iter().map(value).collect(),
        link: None,
    });
    let points = points.collect();
    Chart { kind, points, ..Chart::bars("Sales <by> day", "Two weeks & \"more\"", &["now", "before"]) }
}

#[test]
fn a_chart_names_and_escapes_what_it_shows() {
    let svg = chart(ChartKind::Bars, &[("<1>", &[5, 3])]).svg().0;
    assert!(svg.contains("<title>Sales &lt;by&gt; day</title><desc>Two weeks &amp; &quot;more&quot;</desc>"), "{svg}");
    assert!(svg.contains("<title>&lt;1&gt;, now: 5 EUR</title>"), "{svg}");
    assert!(!svg.contains("style="), "the policy of the pages forbids styles in attributes");
}

#[test]
fn bars_stand_on_zero_and_fit_into_the_chart() {
    let svg = chart(ChartKind::Bars, &[("a", &[0, -50]), ("b", &[100, 20])]).svg().0;
    let broad = svg.split_once("<svg class=\"chart narrow\"").unwrap().0;
    assert_eq!(broad.matches("class=\"series-0\"").count(), 2);
    assert_eq!(broad.matches("class=\"series-1\"").count(), 2);
    let scale = Scale::of([-50, 0, 100].map(Decimal::from).into_iter());
    assert!(scale.y(100.0) >= TOP && scale.y(-50.0) <= HEIGHT - BOTTOM + 0.01);
    assert!(scale.y(0.0) > scale.y(100.0) && scale.y(0.0) < scale.y(-50.0));
}

#[test]
fn the_axis_ends_at_a_round_number() {
    for (highest, step, steps) in
        [(0, 1.0, 1), (3, 1.0, 3), (7, 2.0, 4), (100, 50.0, 2), (101, 50.0, 3), (9_999, 5_000.0, 2)]
    {
        let scale = Scale::of([Decimal::from(highest)].into_iter());
        assert_eq!((scale.step, scale.steps), (step, steps), "{highest}");
    }
    assert_eq!([0.0, 50.0, 1_500.0, 2_000_000.0, -2_500.0].map(short), ["0", "50", "1.5k", "2M", "-2.5k"]);
}

#[test]
fn many_points_share_few_labels_and_an_empty_chart_is_drawn_too() {
    let days: Vec<String> = (0..92).map(|day| format!("{day} May")).collect();
    let amounts: Vec<(&str, &[i64])> = days.iter().map(|day| (day.as_str(), &[1][..])).collect();
    let svg = chart(ChartKind::Lines, &amounts).svg().0;
    let (broad, narrow) = svg.split_once("<svg class=\"chart narrow\"").unwrap();
    for (svg, labels) in [(broad, 6..=12), (narrow, 3..=5)] {
        assert!(labels.contains(&svg.matches("class=\"label\"").count()), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 92);
    }
    let empty = chart(ChartKind::Lines, &[]);
    assert!(empty.is_empty() && empty.svg().0.ends_with("</svg>"));
    assert!(!empty.svg().0.contains("NaN"));
}
