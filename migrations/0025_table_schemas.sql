-- Read tables stand in a schema of their build, with a view of each in `live`.
alter table projection add column schema text;
comment on column projection.schema is 'where the tables stand; null: in `live` itself, as earlier versions built them';

-- Views of others that a change of the shop's tables or views has removed.
create table set_aside_view (
    schema_name text not null,
    view_name text not null,
    statements text[] not null,
    reason text not null,
    set_aside_at timestamptz not null default clock_timestamp(),
    primary key (schema_name, view_name)
);
comment on column set_aside_view.statements is 'make the view again, with its indexes, owner, grants and comments';
comment on column set_aside_view.reason is 'why the view does not fit the new tables';
