#!/bin/sh
# Run once by the image of PostgreSQL, as the superuser `postgres`, when it has created the cluster: the owner of the
# shop's database, who is no superuser, and the role as which people read (docs/operating.md, Access to the database).
set -eu

psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<SQL
create role cartwright login password '$(cat /run/passwords/cartwright)';
create role reader connection limit 20;
alter role reader set search_path = live, fact;
alter role reader set idle_in_transaction_session_timeout = '5min';
grant reader, pg_signal_backend to cartwright;
create database cartwright owner cartwright;
SQL
