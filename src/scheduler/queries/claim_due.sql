-- Claims the task that has been due for longest and that no living node holds, unless the clock is implausible.
update scheduler_task as task
set holder = $2,
    held_until = clock_timestamp() + $3,
    epoch = task.epoch + 1,
    backend_pid = pg_backend_pid(),
    backend_start = self.backend_start
from (select backend_start from pg_stat_activity where pid = pg_backend_pid()) as self
where task.name = (
    select due.name
    from scheduler_task as due
    where due.name = any($1)
        and due.due_at <= clock_timestamp()
        and exists (select from read_clock() where verdict = 'plausible')
        and (
            due.holder is null
            or due.held_until < clock_timestamp()
            or not exists (
                select from pg_stat_activity as session
                where session.pid = due.backend_pid and session.backend_start = due.backend_start
            )
        )
    order by due.due_at
    limit 1
    for update skip locked
)
returning task.name, task.epoch, task.failures
