-- Replaces the metadata of a cart, a customer or an order; empty metadata leaves no row.
create function write_put_metadata(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    given record;
begin
    select * into given from jsonb_to_record(change) as given (kind text, id text, customer_id bigint, pairs jsonb);
    if given.pairs = '{}' then
        delete from entity_metadata as kept where kept.kind = given.kind and kept.id = given.id;
        return;
    end if;
    insert into entity_metadata as kept (kind, id, customer_id, pairs, changed_at)
    values (given.kind, given.id, given.customer_id, given.pairs, changed)
    on conflict (kind, id) do update
    set customer_id = excluded.customer_id, pairs = excluded.pairs, changed_at = excluded.changed_at;
end
$$;
