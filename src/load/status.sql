select account.name,
       account.account_id,
       account.start_from,
       account.watermark,
       extract(epoch from clock_timestamp() - account.watermark)::bigint as lag_seconds,
       (
           select count(*)
           from unnest(
               tstzmultirange(tstzrange(
                   account.start_from, greatest(account.start_from, upper(account.coverage))
               )) - account.coverage
           )
       ) as holes,
       (select count(*) from smartassist_sync.gaps as gap where gap.account_id = account.account_id) as gaps,
       (select count(*) from smartassist.sessions as session where session.account_id = account.account_id)
           as interactions,
       (
           select count(*)
           from smartassist_sync.rejected_records as rejected
           where rejected.account_id = account.account_id and rejected.resolved_at is null
       ) as rejected_waiting,
       lease.holder as lease_holder,
       run.kind as last_run_kind,
       run.status as last_run_status,
       run.started_at as last_run_started_at,
       run.error as last_run_error
from smartassist_sync.accounts as account
left join smartassist_sync.leases as lease
    on lease.account_id = account.account_id and lease.expires_at > clock_timestamp()
left join lateral (
    select kind, status, started_at, error
    from smartassist_sync.runs
    where runs.account_id = account.account_id
    order by started_at desc, id desc
    limit 1
) as run on true
order by account.name
