-- Numbers of devices: beside the log, where they can be deleted.
create table product_imei (
    product_id bigint primary key,
    imei text not null constraint product_imei_unique unique,
    stored_at timestamptz not null
);
comment on table product_imei is 'the IMEI of a product that is one device; staff with the role editor read it';
