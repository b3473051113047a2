-- PostgreSQL lets a row be locked for its key while other columns of it are written. With the token part of a key, whoever takes the lease waits for those who prove it, and whoever
-- renews it does not: a heartbeat that waits its turn among transactions that follow each other closely can come too late.
alter table smartassist_sync.leases add constraint leases_account_id_token_key unique (account_id, token);

comment on constraint leases_account_id_token_key on smartassist_sync.leases is
    'Not for looking anything up: it makes the token part of a key, so that a lease is not taken over while something is written under it.';
