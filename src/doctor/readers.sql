-- Our reader roles if somebody else made them (ours have a comment), with their members.
select
    role.rolname::text,
    array(
        select member.rolname::text
        from pg_auth_members as membership
        join pg_roles as member on member.oid = membership.member
        where membership.roleid = role.oid
        order by member.rolname
    )
from pg_roles as role
where role.rolname in ('smartassist_reader', 'smartassist_bi_reader') and shobj_description(role.oid, 'pg_authid') is null
order by role.rolname
