-- Lets an image refer to a file, instead of the file that it referred to before.
-- Refuses a file that is not stored, or that is being deleted; it never waits for a deletion.
create function write_refer_picture(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    perform
    from media_file as file
    where file.name = change ->> 'name' and file.stored
    for key share skip locked;
    if not found then
        raise exception 'the file of a picture is not stored'
            using errcode = 'unique_violation', constraint = 'media_file_stored';
    end if;
    insert into media_reference (image_id, name)
    values ((change ->> 'image_id')::bigint, change ->> 'name')
    on conflict (image_id) do update set name = excluded.name;
end
$$;
