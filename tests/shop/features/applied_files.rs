//! Files that are applied in slices: all or nothing, resumed where they stopped, and never twice at once.

use cartwright::applied_files::{AppliedFile, Counts, FileKind, latest_files};
use cartwright::catalogue::{Application, ApplyError, FileRow, OnRefusal, SlicedFile};
use cartwright::domain::text::Name;
use cartwright::journal::{CommandError, Interrupt, UnitOfWork, UseCase};
use cartwright::shop::CreateCategory;

use crate::support::TestShop;
use crate::support::fresh_database;

struct CategoryRow(String);

impl FileRow for CategoryRow {
    fn carry_out(&self, work: &mut UnitOfWork<'_>, counts: &mut Counts) -> Result<(), Interrupt> {
        CreateCategory { name: Name::stored(self.0.as_str()), parent_id: None }.decide(work)?;
        counts.section("categories").created += 1;
        Ok(())
    }
}

fn file(digest: &str, total_rows: u64) -> SlicedFile {
    SlicedFile::new(FileKind::Import, digest.repeat(64), "names.csv".to_owned(), total_rows)
}

fn rows(range: std::ops::Range<u32>) -> Vec<CategoryRow> {
    range.map(|number| CategoryRow(format!("Category {number}"))).collect()
}

#[tokio::test]
async fn a_file_is_applied_in_whole_slices_and_continued_where_it_stopped() {
    let connect = fresh_database().await;
    let shop = TestShop::on(connect.clone()).await;
    let begin = async |file| Application::begin(&shop.engine.journal, &connect, &shop.pool, file).await;

    let mut first = begin(file("a", 1_100)).await.unwrap();
    assert!(matches!(begin(file("b", 1)).await, Err(ApplyError::Running)), "one file at a time");
    let slice = first.next_slice_rows();
    assert!((1..=1_000).contains(&slice));
    first.apply(rows(0..30), OnRefusal::Stop).await.unwrap();
    let position = shop.log_position().await;
    let refused = first.apply([rows(30..40), rows(5..6)].concat_rows(), OnRefusal::Stop).await.unwrap_err();
    assert!(refused.to_string().starts_with("row 41: the name already belongs to category"), "{refused}");
    assert_eq!(shop.log_position().await, position, "the slice changes nothing");
    drop(first);
    let unfinished = latest_files(&shop.pool, 10).await.unwrap();
    assert_eq!((unfinished.len(), unfinished[0].applied_rows, unfinished[0].total_rows), (1, 30, 1_100));

    let mut second = retry(async || begin(file("a", 1_100)).await.ok()).await;
    assert_eq!(second.applied_rows(), 30);
    let left_out = second.apply([rows(30..40), rows(5..6)].concat_rows(), OnRefusal::LeaveOut).await.unwrap();
    assert_eq!(left_out.iter().map(|refused| refused.row).collect::<Vec<_>>(), [41]);
    for from in (41..1_100).step_by(1_000) {
        second.apply(rows(from..1_100.min(from + 1_000)), OnRefusal::Stop).await.unwrap();
    }
    assert_eq!((second.next_slice_rows(), second.counts().0["categories"].created), (0, 1_099));
    assert!(latest_files(&shop.pool, 10).await.unwrap().iter().all(AppliedFile::is_finished));
    drop(second);

    let mut again = retry(async || begin(file("c", 5)).await.ok()).await;
    let all = again.apply(rows(2_000..2_005), OnRefusal::Stop).await;
    assert!(all.unwrap().is_empty() && again.next_slice_rows() == 0);
    drop(again);
    let mut other = retry(async || begin(file("d", 2)).await.ok()).await;
    other.apply(rows(3_000..3_001), OnRefusal::Stop).await.unwrap();
    // The stored progress refuses a process that has lost its lock.
    sqlx::query("update applied_file set applied_rows = 0 where digest = decode($1, 'hex')")
        .bind("d".repeat(64))
        .execute(&shop.pool)
        .await
        .unwrap();
    let elsewhere = other.apply(rows(3_001..3_002), OnRefusal::Stop).await.unwrap_err();
    assert!(matches!(elsewhere, ApplyError::Command(CommandError::Refused(_))), "{elsewhere}");
    assert!(elsewhere.to_string().contains("another process applies this file"));
    shop.check_log().await;
}

/// Repeats until the lock of a dropped connection is free.
async fn retry<T>(attempt: impl AsyncFn() -> Option<T>) -> T {
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        tokio::task::yield_now().await;
    }
}

trait ConcatRows {
    fn concat_rows(self) -> Vec<CategoryRow>;
}

impl<const COUNT: usize> ConcatRows for [Vec<CategoryRow>; COUNT] {
    fn concat_rows(self) -> Vec<CategoryRow> {
        self.into_iter().flatten().collect()
    }
}
