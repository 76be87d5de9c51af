-- Ends the reference of an image to its file. The file is deleted later, unless other images refer to it.
create function write_release_picture(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    delete from media_reference as reference
    where reference.image_id = (change ->> 'image_id')::bigint;
end
$$;
