//! The operators' work on the catalogue: dump, check and deploy of its products, and files that are applied in slices.
//!
//! Everything here changes the shop through the use cases of `shop`, with the rules of a client's command. Each command is
//! a function that returns a report, so that the command line, the scheduler and pages can share it.

mod import;
mod progress;
mod slices;

pub use import::{
    ColumnError, ColumnOptions, ImportError, ImportOptions, ImportReport, ProductColumns, RefusedLine, import_products,
};
pub use progress::{AppliedFile, Counts, FileKind, RefusedRow, SectionCounts, unfinished_files};
pub use slices::{Application, ApplyError, FileRow, MAX_SLICE_ROWS, OnRefusal, SlicedFile};
