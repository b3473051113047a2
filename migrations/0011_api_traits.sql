-- What the daemon finds out about an account's API (how it pages, what its totals mean, in which order records come) is found out once, not after
-- every start. A document, since what there is to know grows with the daemon, and nothing in SQL asks for its parts.

alter table smartassist_sync.accounts add column api_traits jsonb not null default '{}';

comment on column smartassist_sync.accounts.api_traits is
    'What was found out about how the API behaves for this account: its paging, its totals, its order. An empty object where nothing is known yet; emptying it has it found out again.';
