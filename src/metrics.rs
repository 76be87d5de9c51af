//! Metrics for Prometheus: every name, its help line and its buckets, in one place.
//!
//! Names begin with `cartwright_`. The names of version 0.1 have no prefix; they are served beside the new ones until the
//! next release, with their labels and as they were: summaries instead of histograms.

use std::time::Duration;

use ::metrics::{Label, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// A number that only grows.
pub struct Counter(Metric);

/// A number that rises and falls.
pub struct Gauge(Metric);

/// How often a value was in each bucket.
pub struct Histogram(Metric, &'static [f64]);

struct Metric {
    name: &'static str,
    /// The name without the prefix, if version 0.1 had the metric.
    earlier: Option<&'static str>,
    help: &'static str,
}

/// Labels that the earlier names do not have.
const ADDED_LABELS: [&str; 2] = ["method", "route"];

const SECONDS: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const COUNTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];

/// Name and, for a metric of version 0.1, the earlier name.
macro_rules! metric {
    ($name:literal, $help:literal) => {
        Metric { name: concat!("cartwright_", $name), earlier: None, help: $help }
    };
    (earlier $name:literal, $help:literal) => {
        Metric { name: concat!("cartwright_", $name), earlier: Some($name), help: $help }
    };
}

pub const JOURNAL_APPEND_SECONDS: Histogram =
    Histogram(metric!(earlier "journal_append_seconds", "Time to store a batch of commands"), SECONDS);
pub const JOURNAL_BATCH_COMMANDS: Histogram =
    Histogram(metric!(earlier "journal_batch_commands", "Commands that are decided and stored together"), COUNTS);
pub const JOURNAL_EVENTS: Counter = Counter(metric!(earlier "journal_events_total", "Events appended by this node"));
pub const JOURNAL_LOST_RACES: Counter = Counter(
    metric!(earlier "journal_lost_races_total", "Batches decided again because another node had appended events"),
);
pub const JOURNAL_POSITION: Gauge =
    Gauge(metric!(earlier "journal_position", "Position of the last event that this node knows"));
pub const PROJECTOR_STEP_SECONDS: Histogram =
    Histogram(metric!(earlier "projector_step_seconds", "Time to apply a step of events to the read tables"), SECONDS);
pub const PROJECTOR_EVENTS: Counter =
    Counter(metric!(earlier "projector_events_total", "Events applied to the read tables by this node"));
pub const PROJECTOR_POSITION: Gauge =
    Gauge(metric!(earlier "projector_position", "Position that the read tables have reached"));
pub const HTTP_REQUESTS: Counter =
    Counter(metric!(earlier "http_requests_total", "Requests by method, route and status"));
pub const HTTP_REQUEST_SECONDS: Histogram =
    Histogram(metric!(earlier "http_request_seconds", "Time to answer a request, by method and route"), SECONDS);
pub const RESPONSE_CACHE_READS: Counter =
    Counter(metric!("response_cache_reads_total", "Reads that a kept answer could serve, by outcome"));
pub const RESPONSE_CACHE_ENTRIES: Gauge = Gauge(metric!("response_cache_entries", "Answers in the response cache"));
pub const RESPONSE_CACHE_BYTES: Gauge = Gauge(metric!("response_cache_bytes", "Size of the response cache"));
pub const HTTP_CONNECTIONS: Gauge = Gauge(metric!(earlier "http_connections", "Open connections"));
pub const HTTP_CONNECTIONS_REFUSED: Counter = Counter(
    metric!(earlier "http_connections_refused_total", "Connections refused because their address has too many"),
);
pub const SCHEDULER_RUNS: Counter =
    Counter(metric!(earlier "scheduler_runs_total", "Runs of scheduled tasks, by task and outcome"));
pub const SCHEDULER_HANDLED: Counter =
    Counter(metric!(earlier "scheduler_handled_total", "Items that scheduled tasks have handled, by task"));
pub const SCHEDULER_RUN_SECONDS: Histogram =
    Histogram(metric!(earlier "scheduler_run_seconds", "Time of a run of a scheduled task, by task"), SECONDS);
pub const CLOCK_OFFSET_SECONDS: Gauge = Gauge(
    metric!(earlier "clock_offset_seconds", "Seconds that the clock of this node is ahead of the database's clock"),
);
pub const CLOCK_PLAUSIBLE: Gauge =
    Gauge(metric!(earlier "clock_plausible", "1 if the database's clock is plausible, 0 if scheduled tasks wait"));
pub const WARNINGS: Gauge = Gauge(metric!("warnings", "Warnings of each kind"));
pub const REACTOR_LAG: Gauge = Gauge(metric!(earlier "reactor_lag", "Events that the reactor has not enqueued yet"));
pub const REACTOR_DUE: Gauge = Gauge(metric!(earlier "reactor_due", "Reactions that are due now"));
pub const REACTOR_PARKED: Gauge =
    Gauge(metric!(earlier "reactor_parked", "Reactions that wait for the decision of an operator"));
pub const REACTOR_ATTEMPTS: Counter = Counter(metric!(earlier "reactor_attempts_total", "Attempts of reactions"));
pub const REACTOR_FAILURES: Counter =
    Counter(metric!(earlier "reactor_failures_total", "Failed attempts of reactions"));
pub const REACTOR_PARKINGS: Counter = Counter(metric!(earlier "reactor_parked_total", "Reactions parked by this node"));

const COUNTERS: &[Counter] = &[
    JOURNAL_EVENTS,
    JOURNAL_LOST_RACES,
    PROJECTOR_EVENTS,
    HTTP_REQUESTS,
    RESPONSE_CACHE_READS,
    HTTP_CONNECTIONS_REFUSED,
    SCHEDULER_RUNS,
    SCHEDULER_HANDLED,
    REACTOR_ATTEMPTS,
    REACTOR_FAILURES,
    REACTOR_PARKINGS,
];
const GAUGES: &[Gauge] = &[
    JOURNAL_POSITION,
    PROJECTOR_POSITION,
    RESPONSE_CACHE_ENTRIES,
    RESPONSE_CACHE_BYTES,
    HTTP_CONNECTIONS,
    CLOCK_OFFSET_SECONDS,
    CLOCK_PLAUSIBLE,
    WARNINGS,
    REACTOR_LAG,
    REACTOR_DUE,
    REACTOR_PARKED,
];
const HISTOGRAMS: &[Histogram] = &[
    JOURNAL_APPEND_SECONDS,
    JOURNAL_BATCH_COMMANDS,
    PROJECTOR_STEP_SECONDS,
    HTTP_REQUEST_SECONDS,
    SCHEDULER_RUN_SECONDS,
];

/// Label names and values.
type Labels<'labels> = &'labels [(&'static str, &'labels str)];

/// How often recorded values are moved to their buckets; until then each takes memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

impl Counter {
    pub fn add(&self, count: u64, labels: Labels<'_>) {
        self.0.each(labels, |name, labels| ::metrics::counter!(name, labels).increment(count));
    }

    /// Sets a count that is kept elsewhere.
    pub fn set(&self, count: u64, labels: Labels<'_>) {
        self.0.each(labels, |name, labels| ::metrics::counter!(name, labels).absolute(count));
    }
}

impl Gauge {
    pub fn set(&self, value: f64, labels: Labels<'_>) {
        self.0.each(labels, |name, labels| ::metrics::gauge!(name, labels).set(value));
    }

    pub fn increment(&self) {
        self.0.each(&[], |name, labels| ::metrics::gauge!(name, labels).increment(1));
    }

    pub fn decrement(&self) {
        self.0.each(&[], |name, labels| ::metrics::gauge!(name, labels).decrement(1));
    }
}

impl Histogram {
    pub fn record(&self, value: f64, labels: Labels<'_>) {
        self.0.each(labels, |name, labels| ::metrics::histogram!(name, labels).record(value));
    }

    pub fn record_time(&self, time: Duration, labels: Labels<'_>) {
        self.record(time.as_secs_f64(), labels);
    }
}

impl Metric {
    /// Calls `record` with each name of the metric and its labels.
    fn each(&self, labels: Labels<'_>, record: impl Fn(&'static str, Vec<Label>)) {
        let labels_of = |keep: fn(&str) -> bool| {
            let kept = labels.iter().filter(move |(name, _)| keep(name));
            kept.map(|(name, value)| Label::new(*name, (*value).to_owned())).collect()
        };
        record(self.name, labels_of(|_| true));
        if let Some(earlier) = self.earlier {
            record(earlier, labels_of(|name| !ADDED_LABELS.contains(&name)));
        }
    }

    /// Calls `describe` with each name and its help line.
    fn describe(&self, describe: impl Fn(&'static str, String)) {
        describe(self.name, self.help.to_owned());
        if let Some(earlier) = self.earlier {
            describe(earlier, format!("Earlier name of {}, until the next release", self.name));
        }
    }
}

/// Starts collecting metrics. `None` if this process already collects them.
pub fn install() -> Option<PrometheusHandle> {
    let handle = builder().ok()?.install_recorder().ok()?;
    for Counter(metric) in COUNTERS {
        metric.describe(|name, help| describe_counter!(name, help));
    }
    for Gauge(metric) in GAUGES {
        metric.describe(|name, help| describe_gauge!(name, help));
    }
    for Histogram(metric, _) in HISTOGRAMS {
        metric.describe(|name, help| describe_histogram!(name, help));
    }
    let upkept = handle.clone();
    tokio::spawn(async move {
        let mut every = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            every.tick().await;
            upkept.run_upkeep();
        }
    });
    Some(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    HISTOGRAMS.iter().try_fold(PrometheusBuilder::new(), |builder, Histogram(metric, buckets)| {
        builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_recorded_by_both_names_and_has_help_and_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        ::metrics::with_local_recorder(&recorder, || {
            HTTP_REQUESTS.add(2, &[("method", "GET"), ("route", "/x"), ("status", "200")]);
            HTTP_REQUEST_SECONDS.record_time(Duration::from_millis(3), &[("method", "GET"), ("route", "/x")]);
            HTTP_REQUESTS.0.describe(|name, help| describe_counter!(name, help));
        });
        let rendered = handle.render();
        for line in [
            "# HELP cartwright_http_requests_total Requests by method, route and status",
            "# TYPE cartwright_http_requests_total counter",
            "cartwright_http_requests_total{method=\"GET\",route=\"/x\",status=\"200\"} 2",
            "http_requests_total{status=\"200\"} 2",
            "# TYPE cartwright_http_request_seconds histogram",
            "cartwright_http_request_seconds_bucket{method=\"GET\",route=\"/x\",le=\"0.0025\"} 0",
            "cartwright_http_request_seconds_bucket{method=\"GET\",route=\"/x\",le=\"0.005\"} 1",
            "# TYPE http_request_seconds summary",
        ] {
            assert!(rendered.lines().any(|shown| shown == line), "{line} is not in\n{rendered}");
        }
    }

    #[test]
    fn every_metric_is_documented() {
        let page = include_str!("../docs/operating.md");
        let names = COUNTERS.iter().map(|metric| &metric.0).chain(GAUGES.iter().map(|metric| &metric.0));
        for Metric { name, help, .. } in names.chain(HISTOGRAMS.iter().map(|metric| &metric.0)) {
            assert!(page.contains(&format!("| `{name}` |")), "docs/operating.md has no row for {name}: {help}");
        }
    }
}
