-- Stored e-mail addresses with other letters than ASCII, after `$1`.
select email as "email!"
from (
    select email collate "C" as email from customer_profile where octet_length(email) <> char_length(email)
    union
    select email from account where octet_length(email) <> char_length(email)
    union
    select email from mailed_link where octet_length(email) <> char_length(email)
) as stored
where email > $1
order by email
limit 1000
