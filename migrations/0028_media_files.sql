-- Files of pictures in the media store, and the images that refer to them. A file without a reference is deleted.
create table media_file (
    name text primary key,
    incarnation uuid not null default gen_random_uuid(),
    stored boolean not null default false,
    touched_at timestamptz not null default clock_timestamp()
);
comment on table media_file is 'files that are stored, about to be stored, or about to be deleted';
comment on column media_file.name is 'SHA-256 of the content and the extension';
comment on column media_file.incarnation is 'another one each time that the file is stored after it was deleted';
comment on column media_file.stored is 'whether the whole file is in the media store';
comment on column media_file.touched_at is 'when an upload last wanted the file';

create table media_hold (
    hold_id uuid primary key,
    name text not null references media_file on delete cascade,
    held_until timestamptz not null
);
comment on table media_hold is 'files that are not deleted, because a command is about to refer to them';
create index media_hold_name on media_hold (name);

create table media_reference (
    image_id bigint primary key,
    name text not null references media_file
);
comment on table media_reference is 'the file of each image, written in the commit of its events';
create index media_reference_name on media_reference (name);
