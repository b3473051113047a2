-- "Which refreshes of the last day have failed?" (at every look at the page and every scrape; hardly any among all that ever ran)
create index runs_by_account_failed_refresh on smartassist_sync.runs (account_id, started_at desc)
where kind = 'refresh' and status = 'failed';

comment on index smartassist_sync.runs_by_account_failed_refresh is
    'Serves: the tiers of refreshing that fail.';
