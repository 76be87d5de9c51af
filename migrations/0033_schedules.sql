-- Tasks that run at set times.
alter table scheduler_task add column schedule text;
comment on column scheduler_task.schedule is 'cron expression and time zone; null: the task runs at an interval';
