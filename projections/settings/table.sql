create table settings (
    settings_id text primary key,
    search_language text not null,
    low_stock_threshold bigint not null,
    version bigint not null,
    media_base text
);
comment on table settings is 'the settings in force, in the one row of the shop; no row while no setting was changed';
comment on column settings.low_stock_threshold is 'of products without a threshold of their own';
comment on column settings.media_base is 'beginning of the addresses of images; null for the addresses of the shop itself';
comment on column settings.version is 'sequence of the last event';
