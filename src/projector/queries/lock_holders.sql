select distinct
    held.pid as "pid!",
    held.virtualtransaction as "transaction!",
    coalesce(session.application_name, '') as "program!"
from pg_locks as held
join pg_stat_activity as session on session.pid = held.pid
where held.locktype = 'relation'
    and held.database = (select oid from pg_database where datname = current_database())
    and held.relation in (select to_regclass(name)::oid from unnest($1::text[]) as given (name))
    and held.granted
    and held.pid <> pg_backend_pid()
order by 1, 2
limit 100
