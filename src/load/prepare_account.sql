-- Coverage means "read with these filters": with others it begins anew.
with before as (
    select filters from smartassist_sync.accounts where account_id = $1
)
insert into smartassist_sync.accounts as account (account_id, name, filters, start_from, watermark)
values ($1, $2, $3::jsonb, coalesce($4::timestamptz, $5), coalesce($4::timestamptz, $5))
on conflict (account_id) do update set
    name = excluded.name,
    filters = excluded.filters,
    start_from = coalesce($4, account.start_from),
    coverage = case when account.filters = excluded.filters then account.coverage else '{}' end,
    watermark = smartassist_sync.watermark_of(
        case when account.filters = excluded.filters then account.coverage else '{}' end,
        coalesce($4, account.start_from)
    ),
    updated_at = clock_timestamp()
returning watermark,
          coalesce((select before.filters <> $3::jsonb from before), false) as began_anew
