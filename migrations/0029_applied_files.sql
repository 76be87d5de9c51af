-- Files that are applied slice by slice, such as a deployed dump or an imported list of products.
create table applied_file (
    kind text not null,
    digest bytea not null,
    name text not null,
    total_rows bigint not null,
    applied_rows bigint not null,
    counts jsonb not null,
    refused jsonb not null,
    backup text,
    began_at timestamptz not null,
    changed_at timestamptz not null,
    primary key (kind, digest)
);
comment on column applied_file.kind is 'the command that applies it: deploy or import';
comment on column applied_file.digest is 'SHA-256 of the file, and of the options that change what it does';
comment on column applied_file.applied_rows is 'rows whose slices are stored; fewer than total_rows until the file is finished';
comment on column applied_file.counts is 'created, changed and unchanged things of each section';
comment on column applied_file.refused is 'rows that were left out, with their reasons';
comment on column applied_file.backup is 'the dump that was written before the first slice';
