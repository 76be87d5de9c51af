-- The last position that may be archived: the read tables and every reactor have passed it. `follower` names the slowest.
create function archivable_position(out last_position bigint, out follower text)
language sql stable set search_path from current as $$
    select followed.position, followed.follower
    from (
        select lease.position, 'the read tables' as follower from projector_lease as lease
        union all
        select reactor.position, 'reactor ' || reactor.name from reactor
    ) as followed
    order by followed.position, followed.follower
    limit 1
$$;
