-- Records the rows of a file that a commit applies. Refuses the commit if the file is not where the command left it,
-- because another process applies it too. The first slice of a file begins it, and forgets the unfinished ones of its kind
-- and all but the newest hundred.
create function write_record_applied_rows(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    file_kind text := change ->> 'kind';
    file_digest bytea := decode(change ->> 'digest', 'hex');
    first_row bigint := change ->> 'first_row';
begin
    if first_row = 0 then
        delete from applied_file as other
        where other.kind = file_kind
            and other.digest <> file_digest
            and (
                other.applied_rows < other.total_rows
                or other.began_at < (
                    select newest.began_at
                    from applied_file as newest
                    where newest.kind = file_kind
                    order by newest.began_at desc
                    offset 98
                    limit 1
                )
            );
        insert into applied_file as stored (
            kind, digest, name, total_rows, applied_rows, counts, refused, backup, began_at, changed_at
        )
        values (
            file_kind, file_digest, change ->> 'name', (change ->> 'total_rows')::bigint,
            (change ->> 'applied_rows')::bigint, change -> 'counts', change -> 'refused', change ->> 'backup',
            changed, changed
        )
        on conflict (kind, digest) do update
        set name = excluded.name,
            total_rows = excluded.total_rows,
            applied_rows = excluded.applied_rows,
            counts = excluded.counts,
            refused = excluded.refused,
            backup = excluded.backup,
            began_at = excluded.began_at,
            changed_at = excluded.changed_at
        where stored.applied_rows = stored.total_rows;
    else
        update applied_file as stored
        set applied_rows = (change ->> 'applied_rows')::bigint,
            counts = change -> 'counts',
            refused = change -> 'refused',
            changed_at = changed
        where stored.kind = file_kind
            and stored.digest = file_digest
            and stored.applied_rows = first_row;
    end if;
    if not found then
        raise exception 'another process applies the file'
            using errcode = 'unique_violation', constraint = 'applied_file_as_left';
    end if;
end
$$;
