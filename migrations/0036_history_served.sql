-- Some sources serve nothing older than so many days and refuse every request for what is older. That is found out once; from then on nothing older is
-- wanted (start_from moves along, as under a retention of our own), or the watermark would wait for ever for what cannot be had.

alter table smartassist_sync.accounts
    add column served_from timestamptz,
    add column served_from_tried_at timestamptz;

comment on column smartassist_sync.accounts.served_from is
    'Instant from which on the API serves interactions, to a minute, as it was found when older windows were refused. NULL where none were. While start_from is configured earlier, one request a day asks for older ones.';
comment on column smartassist_sync.accounts.served_from_tried_at is
    'Instant, by the database''s clock, at which what is older than served_from was last asked for.';
