-- Staff find the orders of a guest by the e-mail address.
create index order_contact_email on order_contact (lower(email), order_id);
