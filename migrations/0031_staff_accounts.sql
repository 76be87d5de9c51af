-- Mails to staff find their recipients without reading the accounts of all customers.
create index account_staff on account (account_id) where role in ('editor', 'admin');
