insert into smartassist.reporting (account_id) values ('acct');
update smartassist.sessions set missing_since = now() where session_id = 's-3';
insert into smartassist.queues values ('acct', 'q-1', 'q-1', 'Support', 'Support', now());
insert into smartassist.agents values ('acct', 'a-1', 'a-1', 'Kim', 'Kim', now());
insert into smartassist.fact_queue_visits (
    interaction_key, destination_index, account_id, entered_quarter_local, entered_on, entered_quarter, session_started_at, channel, direction,
    visit_number, queue_key, outcome, transferred_out, callback_opted, callback_connected
)
values (smartassist.interaction_key('acct', 'c-1', 's-1'), 0, 'acct', 'epoch', 'epoch', 'epoch', 'epoch', '-', '-', 1, '-', '-', 0, 0, 0);
insert into smartassist.fact_agent_offers (
    interaction_key, destination_index, segment_index, account_id, assigned_quarter_local, assigned_on, assigned_quarter, session_started_at, channel,
    direction, agent_key, outcome, transferred_out, consultations, consultations_merged
)
values (smartassist.interaction_key('acct', 'c-1', 's-1'), 0, 0, 'acct', 'epoch', 'epoch', 'epoch', 'epoch', '-', '-', '-', '-', 0, 0, 0);
insert into smartassist.fact_interactions (
    interaction_key, account_id, started_quarter_local, started_on, started_quarter, session_started_at, channel, direction, outcome, conversations,
    dispositions, tags, contact_key, destination_count, queue_visits, segment_count, answered_segment_count, transfers, consultations
)
values (
    smartassist.interaction_key('acct', 'c-1', 's-1'), 'acct', 'epoch', 'epoch', 'epoch', 'epoch', '-', '-', '-', 1, '{Billing}', '{"topic": "Billing"}',
    '00000000-0000-0000-0000-000000000000', 1, 0, 0, 0, 0, 0
);
