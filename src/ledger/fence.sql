-- $1 to $3: account, holder and token of a lease. A row while it holds, which nobody can take over until the transaction ends: taking it
-- changes the token, which is part of a key. Renewing it does not, so a heartbeat is not locked out by what is written under the lease. The
-- token alone would not do: a failover that loses an acquisition gives its number out again.
select account_id, token
from smartassist_sync.leases
where account_id = $1 and holder = $2 and token = $3 and expires_at > clock_timestamp()
for key share
