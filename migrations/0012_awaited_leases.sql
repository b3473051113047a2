-- A backfill of days holds the account's lease as long; the daemon that is to poll every minute must be able to say that it waits.

alter table smartassist_sync.leases add column awaited_at timestamptz;

comment on column smartassist_sync.leases.awaited_at is
    'Instant at which another worker last asked for the lease: the holder gives way when it can. NULL where nobody asked the present holder.';
