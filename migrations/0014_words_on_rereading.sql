-- Words that were true while every window was read once. Now they are read again for a while, on refresh tiers, and what they no longer return is
-- marked.

comment on schema smartassist is
    'SmartAssist interactions, each in the latest version that the loader saw; windows are read again for some time, since interactions change after their end. Sessions, and below them destinations, agent segments, consultations and tags. Every instant is a timestamptz, every duration is in whole seconds. Text is as sent, except that an empty text is NULL. Contains personal data.';
comment on schema smartassist_bi is
    'Views for BI tools. They leave out interactions that the API no longer returns, and the customer''s names, numbers and addresses. Beside them a view on how interactions change with age.';
comment on table smartassist.sessions is
    'One row per interaction, in the latest version that the loader saw: what changed after the last refresh of its window is not in it yet. A bot-only session and a conversation with agents are both interactions. Rows whose missing_since is not NULL are no longer returned by the API; queries on this table decide for themselves whether they count (the views leave them out). Contains personal data.';
comment on column smartassist.sessions.content_hash is
    'SHA-256 of the rows that the record gives, in all tables, and of the version of the rules that make them. An interaction whose hash is unchanged is not written again, unless it was missing. Not an API field.';
comment on column smartassist.sessions.last_changed_at is
    'Instant at which the loader last stored a changed version of the interaction, or found that it went missing or came back. Use it to read what changed since a given instant. Not an API field.';
comment on column smartassist.sessions.missing_since is
    'Instant from which the API no longer returned the interaction, set once two drained windows in which it lies wholly have missed it; or at which a bot-only session was found to live on under a conversationId. NULL for interactions that the API still returns; it becomes NULL again if the API sends the interaction again. Not an API field.';
comment on column smartassist_bi.interactions.last_changed_at is
    'Instant at which the loader last stored a changed version of the interaction, or found that it came back after it was missing; for incremental extracts. Interactions that went missing leave the view. Not an API field.';
comment on table smartassist.raw_interactions is
    'The record of each interaction as it was received, after the privacy rules, in the latest version that the loader saw. Written together with the rows: an interaction that was stored while keeping it was switched off has none until it changes. Rows can be rebuilt from it without asking the API again. Contains personal data.';
comment on table smartassist_sync.windows is
    'The ledger of fetched windows; a stretch of time has one entry for every time it was fetched. Entries are written in the same transaction as the rows that came, that of a drained window also with the coverage.';
comment on column smartassist_sync.windows.error is
    'Why the window failed, was let go, was split or is a gap, without personal data. NULL where nothing went wrong.';
comment on column smartassist_sync.windows.updated is
    'Interactions that were stored in a changed version, or came back after they were missing.';
comment on column smartassist_sync.runs.updated is
    'Interactions that were stored in a changed version, or came back after they were missing.';
comment on column smartassist_sync.accounts.coverage is
    'Every instant whose window was drained at least once, as half-open ranges. What is left to fetch is what is wanted less this; what is read again stays covered.';
