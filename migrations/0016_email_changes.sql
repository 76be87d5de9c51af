-- Requested changes of an account's e-mail address, and from which network a mail was requested.
alter table mailed_link add column account_id bigint references account on delete cascade;
alter table mailed_link add column session_id uuid;
alter table mailed_link add column network text;
comment on column mailed_link.account_id is 'the account whose e-mail address is to change; null for other purposes';
comment on column mailed_link.session_id is 'the session that requested the change, which stays when the others end';
comment on column mailed_link.network is 'the client address of the request, shortened to its network; null in older rows';
create index mailed_link_account on mailed_link (account_id) where account_id is not null;
alter table mailed_link drop constraint mailed_link_purpose_check;
alter table mailed_link add constraint mailed_link_purpose_check
    check (purpose in ('register', 'reset', 'change_email', 'email_notice'));
