-- An idempotency key is carried out once in 24 hours: its events belong to one command and are consecutive.
with keyed as (
    select position, recorded_at, metadata ->> 'key_digest' as key_digest, metadata ->> 'causation_id' as command_id
    from event_log
    where metadata ? 'key_digest'
), step as (
    select keyed.*,
        lag(position) over so_far as previous_position,
        lag(recorded_at) over so_far as previous_recorded_at,
        lag(command_id) over so_far as previous_command_id
    from keyed
    window so_far as (partition by key_digest order by position)
)
select
    position,
    'key ' || key_digest as subject,
    case
        when command_id is not distinct from previous_command_id
            then 'the next event of its command at position ' || previous_position + 1
        else format('only the command %s, of position %s, for 24 hours', previous_command_id, previous_position)
    end as expected,
    format('the command %s, %s later', command_id, recorded_at - previous_recorded_at) as found
from step
where case
    when command_id is not distinct from previous_command_id then position <> previous_position + 1
    else recorded_at < previous_recorded_at + interval '24 hours'
end
