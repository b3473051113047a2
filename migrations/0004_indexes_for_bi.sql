-- Indexes beyond the keys, each for a question that analysts ask of the tables or the views.
--
-- They are few, because every one of them slows the load, and they have a form that no text from the API can break: a B-tree entry holds
-- about 2,700 bytes, so one absurdly long text would make an insert fail. Ids that are indexed are therefore checked to be of 512 bytes at
-- most (the transform leaves a longer one in extra, with a warning), and tag values, which may be anything, have an index of another kind.

-- "What happened in this period?", "... to this account?"; also retention, and the comparison of a window with what is stored.
create index sessions_by_started_at on smartassist.sessions (session_started_at, account_id);

-- "What came into the queues in this period?" (also by queue name: the period narrows it)
create index destinations_by_entered_at on smartassist.destinations (entered_at);
-- "What came into this queue, ever or in this period?"
create index destinations_by_queue on smartassist.destinations (queue_id, entered_at);

-- "What was given to agents in this period?"
create index agent_segments_by_assigned_at on smartassist.agent_segments (assigned_at);
-- "What was given to this agent, ever or in this period?"
create index agent_segments_by_agent on smartassist.agent_segments (agent_id, assigned_at);

-- "Which interactions carry this tag?": where name = 'accountnum' and value = '1214132'.
-- A value may be of any length (10 MB is tested). A B-tree refuses it, one on left(value, n) is not used by that plain condition, a hash index
-- degrades with frequent values such as '1', SP-GiST takes gigabytes of memory for one long value. A BRIN index of Bloom filters stores a few
-- bits a value, whatever its length: 2,000,000 tags take 1.8 MB, a rare value is found in 1 ms instead of 130, and loading costs nothing
-- that could be measured. It only rules out ranges of pages, so a frequent value is better asked for together with a period of its session.
-- The filters are sized for 100 names and for 3 different values in 10 rows; more of them only make it less sharp.
create index tags_by_name_value on smartassist.tags using brin (
    name text_bloom_ops (n_distinct_per_range = 100),
    value text_bloom_ops (n_distinct_per_range = -0.3)
)
with (pages_per_range = 32, autosummarize = on);

comment on index smartassist.sessions_by_started_at is
    'Serves: sessions of a period, of one account or of all.';
comment on index smartassist.destinations_by_entered_at is
    'Serves: what came into the queues in a period.';
comment on index smartassist.destinations_by_queue is
    'Serves: what came into one queue, ever or in a period.';
comment on index smartassist.agent_segments_by_assigned_at is
    'Serves: what was given to the agents in a period.';
comment on index smartassist.agent_segments_by_agent is
    'Serves: what was given to one agent, ever or in a period.';
comment on index smartassist.tags_by_name_value is
    'Serves: interactions that carry a tag of this name and value. Bloom filters over ranges of pages, so that a value of any length can be stored.';
