//! Dumps at set times, as tasks of the scheduler.

use std::time::Duration;

use super::dump::{DumpOptions, dump};
use crate::scheduler::tasks::TaskContext;
use crate::scheduler::{RunReport, Task};

/// Time limit of a run.
const TIME_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Dumps all products to a new file.
pub fn dump_products(name: &'static str, context: &TaskContext, options: DumpOptions) -> Task {
    Task::with(name, TIME_LIMIT, context, move |context| {
        let options = options.clone();
        async move {
            let TaskContext { journal, projector, pool } = &context;
            let report = dump(journal, projector, pool, &options, &|_| ()).await?;
            let elements = report.elements.iter().map(|(_, count)| count).sum();
            tracing::info!(path = %report.path.display(), elements, position = report.position, "dumped the products");
            Ok(RunReport { handled: elements, more: false })
        }
    })
}
