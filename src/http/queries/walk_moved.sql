-- Whether the order of a list may have changed since a position: by an event of the types $2, by a rebuild of the tables
-- $3 after the time $4, or because the tables went back.
select (select position from projector_lease) < $1
    or exists (
        select from unnest($2::text[]) as moving (event_type)
        where exists (
            select from event_log as event
            where event.event_type = moving.event_type and event.position > $1
        )
    )
    or exists (
        select from projection
        where projection.tables && $3::text[] and projection.built_at > $4
    ) as "moved!"
