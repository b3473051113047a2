-- $1 to $3: account, holder and token. Returns a row while the lease holds, and locks out takeovers until the
-- transaction ends: a takeover changes the token, which is part of a key. A renewal does not, so it is not
-- blocked. The token alone is not enough: a failover that loses an acquisition issues its number again.
select account_id, token
from smartassist_sync.leases
where account_id = $1 and holder = $2 and token = $3 and expires_at > clock_timestamp()
for key share
