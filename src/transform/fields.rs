//! Every field of the API, once: column, kind, path and privacy class.

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgArgumentBuffer;

use super::coerce::FieldKind;
use super::privacy::Privacy;
use super::reader::Reader;
use super::table::{Field, Table, TableRow, fields, put, rust_type};

fields! {
    table Session in "sessions" from [""] {
        session_id: Text by hand Identity "sessionId" [Keep];
        conversation_id: Text by hand Identity "conversationId" [Keep];
        channel: Label = "channel" [Keep];
        direction: Label = "Direction" or "customerinfo.Direction" or "metaInfo.customerinfo.Direction" [Keep];
        is_voicemail: Flag = "isVoicemail" [Keep];
        session_started_at: Start by hand Instant "sessionStartTime" [Keep];
        session_ended_at: Instant = "sessionEndTime" [Keep];
        bot_id: Text = "botId" [Keep];
        user_id: Text = "userId" [CustomerId];
        channel_specific_user_id: Text = "channelSpecificUserId" [ChannelUser];
        org_id: Text = "orgId" [Keep];
        smart_status: Label = "smartStatus" [Keep];
        final_status: Label = "finalStatus" [Keep];
        reason: Label = "reason" [Reason];
        disconnecting_event: Label = "disconnectingEvent" [Keep];
        error_details: Text = "errorDetails" [FreeText];
        automation_bot_ids: Texts = "automationBotIDs" [Keep];
        dispositions: Labels = "dispositions" [Keep];
        disposition_remarks: Texts = "dispositionRemarks" [FreeText];
        skills: Json = "skills" [Keep];
        survey_type: Label = "surveyType" [Keep];
        csat_score: Integer = "csatScore" [Keep];
        nps_score: Integer = "npsScore" [Keep];
        like_dislike_score: Integer = "likeDislikeScore" [Keep];
        csat_feedback: Text = "csatFeedback" [FreeText];
        customer_phone: Text = "customerinfo.CustomerPhone" or "metaInfo.customerinfo.CustomerPhone" [CustomerPhone];
        center_phone: Text = "customerinfo.CenterPhone" or "metaInfo.customerinfo.CenterPhone" [CenterPhone];
        customer_first_name: Text
            = "customerinfo.CustomerFirstName" or "metaInfo.customerinfo.CustomerFirstName" [CustomerName];
        customer_last_name: Text
            = "customerinfo.CustomerLastName" or "metaInfo.customerinfo.CustomerLastName" [CustomerName];
        customer_email: Text = "customerinfo.CustomerEmail" or "metaInfo.customerinfo.CustomerEmail" [CustomerEmail];
        caller: Text = "metaInfo.caller" [CustomerPhone];
        callee: Text = "metaInfo.callee" [CustomerPhone];
        caller_host: Text = "metaInfo.callerHost" [Address];
        dialed_number: Text = "metaInfo.dialedNumber" [CustomerPhone];
        ip_address: Text = "metaInfo.ipAddress" [Address];
        host_domain: Text = "metaInfo.hostDomain" [Address];
        os: Label = "metaInfo.os" [Keep];
        last_intent_name: Label = "metaInfo.agentTransferConfig.lastIntentName" [Keep];
        last_intent_user_input: Text = "metaInfo.agentTransferConfig.lastIntentuserInput" [FreeText];
        campaign_id: Text = "campaigninfo.campaignId" [Keep];
        campaign_name: Label = "campaigninfo.campaignName" [Keep];
        campaign_instance_id: Text = "campaigninfo.campaignInstanceId" [Keep];
        campaign_dialing_list_id: Text = "campaigninfo.campaignDialingListId" [Keep];
        campaign_attempt: Integer = "campaigninfo.attempt" [Keep];
        campaign_contact_status: Label = "campaigninfo.contactStatus" [Keep];
        campaign_run_at: Instant = "campaigninfo.campaignRunDate" [Keep];
        campaign_contact_lists: Labels = "campaigninfo.contactListName" [Keep];
        meta_info: Json = "metaInfo" [Object];
        extra: Json;
        warnings: Warnings;
        is_shadow: bool;
        customer_hints: Integers;
    }
    no column {
        "skills.id": Text [Keep];
        "skills._id": Text [Keep];
        "skills.name": Text [Keep];
        "metaInfo.endUserNumber": Text [CustomerPhone];
        "metaInfo.phoneNumber": Text [CustomerPhone];
        "metaInfo.email": Text [CustomerEmail];
        "metaInfo.emailId": Text [CustomerEmail];
        "metaInfo.firstName": Text [CustomerName];
        "metaInfo.lastName": Text [CustomerName];
        "metaInfo.userId": Text [CustomerId];
        "metaInfo._id": Text [CustomerId];
        "metaInfo.identities.val": Text [CustomerId];
        "metaInfo.identities.type": Text [Keep];
        "metaInfo.profImage": Text [CustomerName];
        "metaInfo.jTitle": Text [CustomerName];
        "metaInfo.dept": Text [CustomerName];
        "metaInfo.countryCode": Text [Keep];
        "metaInfo.agentTransferConfig.skillsIds": Texts [Keep];
        "metaInfo.agentTransferConfig.overrideAgents": Flag [Keep];
        "metaInfo.agentTransferConfig.overrideValues": Texts [Keep];
        "metaInfo.agentTransferConfig.assistEvents.startEvent.isEnabled": Flag [Keep];
        "metaInfo.agentTransferConfig.automationBotId": Text [Keep];
        "metaInfo.agentTransferConfig.dialog_tone": Text [Keep];
        "metaInfo.agentTransferConfig.dialog_tone.tone_name": Text [Keep];
        "metaInfo.agentTransferConfig.dialog_tone.level": Number [Keep];
        "metaInfo.agentTransferConfig.dialog_tone.count": Integer [Keep];
        "metaInfo.agentTransferConfig.dialog_tone.totalLevel": Number [Keep];
        "metaInfo.agentTransferConfig.accountId": Text [Keep];
        "metaInfo.agentTransferConfig.noAgentsFlowId": Text [Keep];
        "metaInfo.agentTransferConfig.sendTranscriptLink": Flag [Keep];
        "metaInfo.customData.isAgentAssistOnly": Flag [Keep];
        "metaInfo.customData.agentId": Text [AgentId];
        "metaInfo.customData.experience": Text [Keep];
        "metaInfo.transcribeConfig.transcribe": Flag [Keep];
        "metaInfo.workinghours.workdays": Texts [Keep];
        "metaInfo.workinghours.workstart": Text [Keep];
        "metaInfo.workinghours.workend": Text [Keep];
        "metaInfo.profColour": Text [Keep];
        "metaInfo.activationStatus": Text [Keep];
        "metaInfo.orgId": Text [Keep];
        "metaInfo.accountId": Text [Keep];
        "metaInfo.campaignName": Text [Keep];
        "metaInfo.Initiation": Text [Keep];
        "metaInfo.attempt": Integer [Keep];
        "metaInfo.category": Text [Keep];
    }

    table Destination in "destinations" from ["destinations"] {
        destination_index: i32;
        destination_type: Label = "destinationType" [Keep];
        queue_id: Id = "queueId" [Keep];
        queue_name: Label = "queueName" [Keep];
        callback_opted: Flag = "CallbackOpted" [Keep];
        callback_opted_at: Instant = "CallbackOptedTime" [Keep];
        callback_accepted_at: Instant = "userCallbackAcceptTime" [Keep];
        entered_at: Instant = "EnterTime" [Keep];
        extra: Json;
    }

    table AgentSegment in "agent_segments"
    from ["destinations.respondingAgent", "destinations.nonRespondingAgents", "destinations"] {
        destination_index: i32;
        segment_index: i32;
        response: Response;
        agent_id: Id = "agentId" [AgentId];
        agent_name: Text = "name" [AgentName];
        agent_email: Text = "email" [AgentEmail];
        status: Label = "status" [Keep];
        assigned_at: Instant = "assignedAt" [Keep];
        accepted_at: Instant = "acceptedTime" [Keep];
        first_responded_at: Instant = "firstResponseTime" [Keep];
        first_response_seconds: Integer by hand Duration "firstResponseDuration" [Keep];
        interaction_ended_at: Instant = "interactionEndTime" [Keep];
        interaction_seconds: Integer by hand Duration "interactionDuration" [Keep];
        hold_seconds: Integer by hand Duration "holdDuration" [Keep];
        after_call_work_seconds: Integer by hand Duration "afterCallWorkDuration" [Keep];
        after_call_work_ended_at: Instant = "afterCallWorkEndTime" [Keep];
        non_response_event: Label = "nonResponseEvent" [Keep];
        agent_notes: Texts = "agentNotes" [FreeText];
        snooze_info: JsonInUtc = "snoozeinfo" [AgentName];
        agent_chose_translate: Flag = "agentChoseTranslate" [Keep];
        extra: Json;
    }
    no column {
        "destinationType": Label [Keep];
    }

    table Consultation in "consultations" from [
        "destinations.respondingAgent.ConsultingAgents",
        "destinations.nonRespondingAgents.ConsultingAgents",
        "destinations.ConsultingAgents"
    ] {
        destination_index: i32;
        segment_index: i32;
        consultation_index: i32;
        consultant_name: Text = "name" [AgentName];
        consultant_agent_id: Id = "agentId" [AgentId];
        consultant_email: Text = "email" [AgentEmail];
        is_merged: Flag = "isMerged" [Keep];
        assigned_at: Instant = "assignedAt" [Keep];
        accepted_at: Instant = "acceptedTime" [Keep];
        ended_at: Instant = "consultingEndTime" [Keep];
        extra: Json;
    }

    table JoinedUser in "joined_users" from [
        "destinations.respondingAgent.JoinedUsers",
        "destinations.nonRespondingAgents.JoinedUsers",
        "destinations.JoinedUsers"
    ] or "name" {
        destination_index: i32;
        segment_index: i32;
        user_index: i32;
        agent_id: Id = "agentId" [AgentId];
        name: Text = "name" [AgentName];
        email: Text = "email" [AgentEmail];
        joined_at: Instant = "joinedAt" [Keep];
        left_at: Instant = "end" [Keep];
        extra: Json;
    }

    table Tag in "tags" from ["sessionleveltags", "userleveltags"] {
        tag_scope: TagScope;
        tag_index: i32;
        name: Label = "name" [Keep];
        value: Text = "value" [TagValue];
        extra: Json;
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Response {
    #[default]
    Responding,
    NonResponding,
    /// The destination itself.
    Direct,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum TagScope {
    User,
    #[default]
    Session,
}
