-- Raises the numbers that an earlier generation may have given, by kind; returns whether any rose.
-- Then the epoch of the head rises too, so that every writer reads them before its next append.
create function journal_reserve_numbers(reserved jsonb)
returns boolean language plpgsql set search_path from current as $$
begin
    -- The head first, like an append.
    perform from journal_head for update;
    insert into reserved_number as known (kind, highest)
    select key, value::bigint from jsonb_each_text(reserved)
    on conflict (kind) do update set highest = excluded.highest where known.highest < excluded.highest;
    if not found then
        return false;
    end if;
    update journal_head set epoch = epoch + 1;
    return true;
end
$$;
