-- What operators see of tasks, verifications and applied files.
alter table scheduler_task add column last_report text;
comment on column scheduler_task.last_report is 'what the last successful run did, in words; null if it has none';

-- Verifications of read tables that an admin started.
create table projection_verification (
    name text primary key,
    position bigint not null,
    target bigint not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    rows bigint,
    different bigint,
    error text
);
comment on column projection_verification.position is 'events that are folded; while it runs, the progress';
comment on column projection_verification.target is 'events to be folded';
comment on column projection_verification.finished_at is 'null while it runs; also null if its node died';
comment on column projection_verification.different is 'rows that differ from the log';

-- Unfinished files first, then the last changed.
create index applied_file_by_change on applied_file ((applied_rows < total_rows) desc, changed_at desc);

-- The accounts of the staff, in the order of their numbers.
create index account_of_staff on account (account_id) where role <> 'customer';
