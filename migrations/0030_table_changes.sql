-- Where each projection last changed, so that a node knows whether an answer that it has kept is still current.
alter table projector_lease
    add column changes jsonb not null default '{}',
    add column changes_upto bigint not null default 0,
    add column swaps bigint not null default 0;
comment on column projector_lease.changes is 'position of the last step that changed each projection, by its name';
comment on column projector_lease.changes_upto is 'position that `changes` accounts for; another than `position` after steps of an older program';
comment on column projector_lease.swaps is 'how often tables were replaced, or changed without a note in `changes`: answers of before are void';
