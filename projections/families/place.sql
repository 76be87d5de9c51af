-- The family of a product; nulls if it is in none.
select
    member.family_id as "family_id?",
    family.name as "name?",
    member.options as "options?: _"
from products as product
left join family_members as member using (product_id)
left join families as family using (family_id)
where product.product_id = $1
