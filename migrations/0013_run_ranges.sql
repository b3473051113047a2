-- Runs over a given stretch: a backfill that reads everything again can go on where an earlier one was stopped, if the books say what it was about.

alter table smartassist_sync.runs
    add column range tstzrange,
    add column read_since timestamptz,
    add column tried_all boolean not null default false,
    add constraint runs_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and isfinite(lower(range)) and isfinite(upper(range)) and lower(range) < upper(range)
    );

-- "Was this stretch begun before, and not finished?" (few runs have a stretch)
create index runs_by_account_range on smartassist_sync.runs (account_id, started_at desc) where range is not null;

comment on index smartassist_sync.runs_by_account_range is
    'Serves: the runs over a given stretch of time.';
comment on column smartassist_sync.runs.range is
    'The stretch of time that the run was asked for, half-open. NULL for a run up to now (poll, sync).';
comment on column smartassist_sync.runs.read_since is
    'Windows drained since this instant need not be read again by the run. NULL where it only reads what is not covered.';
comment on column smartassist_sync.runs.tried_all is
    'Whether everything that was wanted was read or tried: what is left then failed, or is a gap, and a further run begins anew instead of going on.';
