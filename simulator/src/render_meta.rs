//! The `metaInfo` of a record: what the channel, the campaign and the bot left there.

use crate::{
    interaction::{Channel, Conversation, Interaction, MetaInfo},
    json::Object,
    render::{View, attempt, list_or_blank, text_or_blank},
    shapes,
};

/// Writes the fields of `metaInfo`, apart from `customerinfo`.
pub(crate) fn meta_info(o: &mut Object<'_>, it: &Interaction, conversation: &Conversation, view: &View) {
    let (meta, spelling) = (&conversation.meta, it.spelling);
    match it.channel {
        Channel::Voice => {
            o.text("caller", &view.phone(spelling, &meta.caller));
            o.text("callee", &meta.callee);
            text_or_blank(o, spelling, "callerHost", &meta.address);
            o.text("dialedNumber", &meta.callee);
        }
        Channel::WebMobile | Channel::SystemMail | Channel::AgentAssist => {
            text_or_blank(o, spelling, "phoneNumber", meta.caller.trim_start_matches('+'));
            text_or_blank(o, spelling, "ipAddress", &meta.address);
            o.text("hostDomain", "https://assist.example.com");
            o.text("os", "Windows");
        }
    }
    o.text("userId", &it.user_id);
    text_or_blank(o, spelling, "category", &meta.category);
    if let Some(campaign) = &conversation.campaign {
        o.text("campaignName", &campaign.name);
        o.text("Initiation", "Agent");
        o.text("endUserNumber", &meta.callee);
        o.text("countryCode", "+1");
        attempt(o, campaign.attempt);
    }
    if view.vendor_shapes {
        shapes::custom_data(o, it, conversation);
    }
    transfer_config(o, it, conversation, view);
    if meta.profile {
        agent_profile(o, it);
    }
}

fn transfer_config(o: &mut Object<'_>, it: &Interaction, conversation: &Conversation, view: &View) {
    let meta: &MetaInfo = &conversation.meta;
    o.object("agentTransferConfig", |t| {
        let skills: Vec<&str> = conversation.skills.iter().map(|skill| &*skill.id).collect();
        list_or_blank(t, it.spelling, "skillsIds", &skills);
        t.boolean("overrideAgents", false);
        t.array("overrideValues", |_| {});
        t.object("assistEvents", |events| {
            events.object("startEvent", |e| e.boolean("isEnabled", false));
        });
        if let Some(bot) = it.automation_bot_ids.first() {
            t.text("automationBotId", bot);
        }
        t.text("lastIntentName", &meta.last_intent);
        text_or_blank(t, it.spelling, "lastIntentuserInput", &meta.last_input);
        t.array("dialog_tone", |tones| {
            if view.vendor_shapes {
                shapes::dialog_tone(tones, it);
            }
        });
        if it.spelling.pick("transfer-extras", 3) == 1 {
            t.text("noAgentsFlowId", "flow-no-agents");
            t.boolean("sendTranscriptLink", true);
        }
    });
}

fn agent_profile(o: &mut Object<'_>, it: &Interaction) {
    o.object("workinghours", |w| {
        w.text("workdays", "mon,tue,wed,thu,fri");
        w.text("workstart", "8:00 AM");
        w.text("workend", "5:00 PM");
    });
    o.text("profImage", "no-avatar");
    o.text("profColour", "#ff4500");
    o.text("jTitle", "");
    o.text("dept", "");
    o.text("activationStatus", "active");
    o.text("orgId", &it.org_id);
    o.text("_id", &it.user_id);
    o.array("identities", |array| {
        array.object(|i| {
            i.text("val", &it.channel_specific_user_id);
            i.text("type", "mapped");
        });
    });
    o.object("transcribeConfig", |t| t.boolean("transcribe", true));
}
