update smartassist.fact_interactions as interaction
set conversations = 0
where interaction.interaction_key = any($1)
    and exists (
        select
        from smartassist.fact_interactions as later
        where later.interaction_key = any($1)
            and later.conversation_id = interaction.conversation_id
            and (later.session_started_at, later.interaction_key) > (interaction.session_started_at, interaction.interaction_key)
    )
