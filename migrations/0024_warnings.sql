-- Rebuilds that failed, until one succeeds.
create table projection_failure (
    name text primary key,
    fingerprint text not null,
    error text not null,
    attempts integer not null,
    failed_at timestamptz not null,
    retry_at timestamptz not null
);
comment on column projection_failure.fingerprint is 'SHA-256 of the SQL that was to build the tables';
comment on column projection_failure.attempts is 'failed rebuilds since the last successful one';
comment on column projection_failure.retry_at is 'when a node that runs this SQL tries again';

-- What the last verification found, until one finds nothing.
create table finding (
    source text primary key,
    count bigint not null,
    found_at timestamptz not null
);
comment on column finding.source is 'the name of a projection, or `log`';
comment on column finding.count is 'rows of a projection that differ from the log, or violations of the rules of the log';
