select name, schedule, due_at, coalesce(holder is not null and held_until > clock_timestamp(), false) as "running!", last_run_at,
    last_handled, last_report, last_error, failures
from scheduler_task
order by name
