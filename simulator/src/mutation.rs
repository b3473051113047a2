//! Changes of records after the fact: late ends, dispositions and surveys, sessions that vanish or gain a conversation.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    destination::{AgentSegment, Destination},
    dice::{Dice, hash, mix},
    generate,
    interaction::{Channel, Conversation, Interaction, Survey, Tag, Text},
    world::World,
};

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// The end of the session was set or moved.
    End,
    /// A disposition was set.
    Disposition,
    /// A survey was answered.
    Survey,
    /// A session tag was added.
    Tag,
    /// A bot-only session was handed over.
    Promote,
    /// The record is gone.
    Vanish,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The session.
    pub session_id: String,
    /// What happened to it.
    pub mutation: Mutation,
}

/// Every method returns whether there was such a session to change.
impl World {
    /// Changes a session in any way that keeps its id.
    pub fn update(&mut self, session_id: &str, change: impl FnOnce(&mut Interaction)) -> bool {
        self.store.update(session_id, change)
    }

    /// Ends a session, and the work of its agents that has no end yet. An end in the future comes by itself.
    pub fn end_session(&mut self, session_id: &str, at: DateTime<Utc>) -> bool {
        self.update(session_id, |it| {
            it.end = Some(at);
            let destinations = it
                .conversation
                .iter_mut()
                .flat_map(|conversation| &mut conversation.destinations);
            for agent in destinations.filter_map(working_agent) {
                agent.ended = agent.ended.or(Some(at));
            }
        })
    }

    /// Takes the end of a session back.
    pub fn reopen(&mut self, session_id: &str) -> bool {
        self.update(session_id, |it| it.end = None)
    }

    /// Sets the only disposition and its remark. False for a bot-only session too.
    pub fn set_disposition(&mut self, session_id: &str, disposition: &str, remark: &str) -> bool {
        let (disposition, remark) = (disposition.to_owned(), remark.to_owned());
        self.change_conversation(session_id, |conversation| {
            conversation.dispositions = vec![Text::Owned(disposition)];
            conversation.disposition_remarks = vec![Text::Owned(remark)];
        })
    }

    /// Answers the survey. False for a bot-only session too.
    pub fn set_survey(&mut self, session_id: &str, survey: Survey) -> bool {
        self.change_conversation(session_id, |conversation| conversation.survey = Some(survey))
    }

    /// Adds a session tag.
    pub fn add_tag(&mut self, session_id: &str, name: &str, value: Value) -> bool {
        let name = Text::Owned(name.to_owned());
        self.update(session_id, |it| it.session_level_tags.push(Tag { name, value }))
    }

    /// Removes a session and gives it back; [`World::insert`] lets it reappear.
    pub fn vanish(&mut self, session_id: &str) -> Option<Interaction> {
        self.store.remove(session_id)
    }

    /// Hands a bot-only session over: it gains a conversation id, destinations and all that belongs to them. False for
    /// a session that has them.
    pub fn promote(&mut self, session_id: &str) -> bool {
        if self.get(session_id).is_none_or(|it| it.conversation.is_some()) {
            return false;
        }
        let mut dice = Dice::new(hash(session_id), 1);
        self.update(session_id, |it| {
            let conversation = generate::conversation(it, &mut dice);
            generate::give_conversation(it, conversation, &mut dice);
        })
    }

    /// Changes about this fraction (0.0 to 1.0) of the sessions that have started, each in one way; the same seed on
    /// the same world makes the same changes.
    pub fn mutate_some(&mut self, seed: u64, fraction: f64) -> Vec<Change> {
        let now = self.now();
        let mut chosen = Vec::new();
        for it in self.interactions().take_while(|it| it.start <= now) {
            let mut dice = Dice::new(seed, hash(&it.session_id));
            if it.channel != Channel::AgentAssist && dice.unit() < fraction {
                chosen.push((it.session_id.clone(), it.conversation.is_none(), dice));
            }
        }
        let change = |(session_id, bot_only, mut dice): (String, bool, Dice)| {
            let mutation = choose(bot_only, &mut dice);
            self.apply(&session_id, mutation, &mut dice);
            Change { session_id, mutation }
        };
        chosen.into_iter().map(change).collect()
    }

    fn apply(&mut self, session_id: &str, mutation: Mutation, dice: &mut Dice) {
        let number = mix(dice.next()) % 100_000;
        match mutation {
            Mutation::End => {
                let known = self.get(session_id).map(|it| it.end.unwrap_or(it.start));
                let at = known.map(|at| at + TimeDelta::seconds(dice.between(1, 120)));
                at.map(|at| self.end_session(session_id, at));
            }
            Mutation::Disposition => {
                self.set_disposition(
                    session_id,
                    "Reviewed",
                    &format!("Looked at again, case {number}."),
                );
            }
            Mutation::Survey => {
                let survey = Survey {
                    feedback: Text::Owned(format!("Late answer {number}")),
                    ..generate::survey(dice)
                };
                self.set_survey(session_id, survey);
            }
            Mutation::Tag => {
                self.add_tag(session_id, "afterthought", json!(number));
            }
            Mutation::Promote => {
                self.promote(session_id);
            }
            Mutation::Vanish => {
                self.vanish(session_id);
            }
        }
    }

    fn change_conversation(&mut self, session_id: &str, change: impl FnOnce(&mut Conversation)) -> bool {
        let is_conversation = self.get(session_id).is_some_and(|it| it.conversation.is_some());
        is_conversation
            && self.update(session_id, |it| {
                if let Some(conversation) = &mut it.conversation {
                    change(conversation);
                }
            })
    }
}

fn choose(bot_only: bool, dice: &mut Dice) -> Mutation {
    match (bot_only, dice.below(100)) {
        (true, 0..40) => Mutation::Promote,
        (true, 40..80) => Mutation::Tag,
        (false, 0..40) => Mutation::Disposition,
        (false, 40..70) => Mutation::Survey,
        (false, 70..85) => Mutation::Tag,
        (_, 0..95) => Mutation::End,
        _ => Mutation::Vanish,
    }
}

fn working_agent(destination: &mut Destination) -> Option<&mut AgentSegment> {
    let agent = match destination {
        Destination::Queue(queue) => queue.responding.as_deref_mut()?,
        Destination::Agent(agent) => agent,
    };
    agent.accepted.is_some().then_some(agent)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::TimeZone;

    use super::*;
    use crate::{options::Options, seed::Seed};

    fn world() -> World {
        let from = Utc.with_ymd_and_hms(2025, 9, 1, 0, 0, 0).unwrap();
        let mut world = World::new(Options::default());
        world.seed(&Seed::new(3, from, from + TimeDelta::days(1), 1000));
        world
    }

    #[test]
    fn the_same_seed_makes_the_same_changes_of_every_kind() {
        let (mut one, mut two) = (world(), world());
        let changes = one.mutate_some(8, 0.5);
        assert_eq!(changes, two.mutate_some(8, 0.5));
        assert!(one.interactions().eq(two.interactions()));
        assert!((400..600).contains(&changes.len()), "{}", changes.len());
        let kinds: HashSet<_> = changes.iter().map(|change| change.mutation).collect();
        assert_eq!(kinds.len(), 6);
        let gone = changes
            .iter()
            .filter(|change| change.mutation == Mutation::Vanish)
            .count();
        assert_eq!(one.len(), 1000 - gone);
    }

    #[test]
    fn every_reported_change_changes_its_record() {
        let (before, mut after) = (world(), world());
        for change in after.mutate_some(8, 0.5) {
            assert_ne!(
                before.get(&change.session_id),
                after.get(&change.session_id),
                "{change:?}"
            );
        }
    }

    #[test]
    fn only_a_bot_only_session_is_promoted() {
        let mut world = world();
        let id = |world: &World, bot_only: bool| {
            world
                .interactions()
                .find(|it| it.conversation.is_none() == bot_only)
                .unwrap()
                .session_id
                .clone()
        };
        let (bot_only, handed_over) = (id(&world, true), id(&world, false));
        assert!(!world.set_survey(&bot_only, generate::survey(&mut Dice::new(1, 1))));
        assert!(world.promote(&bot_only));
        assert!(
            !world
                .get(&bot_only)
                .unwrap()
                .conversation
                .as_ref()
                .unwrap()
                .destinations
                .is_empty()
        );
        assert!(!world.promote(&bot_only));
        assert!(!world.promote(&handed_over));
        assert!(!world.promote("no such session"));
    }
}
