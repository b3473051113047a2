//! The session itself: status, customer, survey, campaign, and what has no column.

use serde_json::{Value, json};
use smartassist_etl::transform::Session;

use super::{rows_of, texts};
use crate::support::instant;

fn session(fields: Value) -> Session {
    let session = rows_of(fields).session;
    assert!(session.warnings.is_empty(), "{:?}", session.warnings);
    session
}

#[test]
fn absent_fields_are_null_and_lists_empty() {
    let expected = Session {
        session_id: Some("s-1".to_owned()),
        session_started_at: instant("2026-03-10T12:00:00Z"),
        ..Session::default()
    };
    assert_eq!(session(json!({})), expected);
}

#[test]
fn an_open_session_has_no_end() {
    for nothing in [json!(null), json!("")] {
        assert_eq!(session(json!({"sessionEndTime": nothing})).session_ended_at, None);
    }
}

#[test]
fn status_values_are_kept_as_sent_for_the_lists_are_open() {
    let row = session(json!({
        "smartStatus": "ABANDONED WITH AGENT", "finalStatus": "USER ABANDONED", "disconnectingEvent": "Lost Signal",
    }));
    assert_eq!(row.smart_status.as_deref(), Some("ABANDONED WITH AGENT"));
    assert_eq!(row.final_status.as_deref(), Some("USER ABANDONED"));
    assert_eq!(row.disconnecting_event.as_deref(), Some("Lost Signal"));
}

#[test]
fn the_direction_is_the_records_or_else_its_customers() {
    assert_eq!(
        session(json!({"Direction": "Inbound"})).direction.as_deref(),
        Some("Inbound")
    );
    let hidden = session(json!({"Direction": "", "customerinfo": {"Direction": "Outbound"}}));
    assert_eq!(hidden.direction.as_deref(), Some("Outbound"));
    assert_eq!(hidden.extra, None);
    let deeper = session(json!({"metaInfo": {"customerinfo": {"Direction": "Outbound"}}}));
    assert_eq!(deeper.direction.as_deref(), Some("Outbound"));
}

#[test]
fn a_customer_direction_that_differs_is_kept_in_extra() {
    let same = session(json!({"Direction": "Inbound", "customerinfo": {"Direction": "Inbound"}}));
    assert_eq!(same.extra, None);
    let other = session(json!({"Direction": "Inbound", "customerinfo": {"Direction": "Outbound"}}));
    assert_eq!(other.direction.as_deref(), Some("Inbound"));
    assert_eq!(
        other.extra,
        Some(json!({"customerinfo": {"Direction": "Outbound"}}).into())
    );
}

#[test]
fn the_customer_may_stand_at_the_top_or_in_meta_info() {
    let customer = json!({
        "CustomerPhone": "15550164", "CenterPhone": "15550100", "CustomerFirstName": "Cleo",
        "CustomerLastName": "Example", "CustomerEmail": "cleo@example.com",
    });
    for fields in [
        json!({"customerinfo": customer}),
        json!({"metaInfo": {"customerinfo": customer}}),
    ] {
        let row = session(fields);
        assert_eq!(row.customer_phone.as_deref(), Some("15550164"));
        assert_eq!(row.center_phone.as_deref(), Some("15550100"));
        assert_eq!(row.customer_first_name.as_deref(), Some("Cleo"));
        assert_eq!(row.customer_last_name.as_deref(), Some("Example"));
        assert_eq!(row.customer_email.as_deref(), Some("cleo@example.com"));
        assert_eq!(row.extra, None);
    }
}

#[test]
fn of_two_customers_the_outer_wins_field_by_field() {
    let row = session(json!({
        "customerinfo": {"CustomerPhone": "15550164", "CustomerEmail": "", "loyalty": "gold"},
        "metaInfo": {"customerinfo": {"CustomerPhone": "15550165", "CustomerEmail": "cleo@example.com"}},
    }));
    assert_eq!(row.customer_phone.as_deref(), Some("15550164"));
    assert_eq!(row.customer_email.as_deref(), Some("cleo@example.com"));
    assert_eq!(
        row.extra,
        Some(json!({"customerinfo": {"loyalty": "gold"}}).into())
    );
}

#[test]
fn meta_info_is_kept_whole_beside_the_columns_taken_from_it() {
    let meta = json!({
        "caller": "+15550142", "callee": "+15550100", "callerHost": "192.0.2.14", "dialedNumber": "+15550101",
        "ipAddress": "198.51.100.23:52144", "hostDomain": "https://assist.example.com", "os": "Linux",
        "campaignName": "Spring", "Initiation": "Agent", "endUserNumber": "+15550142", "countryCode": "+1",
        "attempt": "", "category": "billing", "phoneNumber": "15550142",
        "agentTransferConfig": {
            "lastIntentName": "Change Booking", "lastIntentuserInput": "one day later", "noAgentsFlowId": "flow-1",
            "sendTranscriptLink": true,
        },
    });
    let row = session(json!({"metaInfo": meta}));
    assert_eq!(row.caller.as_deref(), Some("+15550142"));
    assert_eq!(row.callee.as_deref(), Some("+15550100"));
    assert_eq!(row.caller_host.as_deref(), Some("192.0.2.14"));
    assert_eq!(row.dialed_number.as_deref(), Some("+15550101"));
    assert_eq!(row.ip_address.as_deref(), Some("198.51.100.23:52144"));
    assert_eq!(row.host_domain.as_deref(), Some("https://assist.example.com"));
    assert_eq!(row.os.as_deref(), Some("Linux"));
    assert_eq!(row.last_intent_name.as_deref(), Some("Change Booking"));
    assert_eq!(row.last_intent_user_input.as_deref(), Some("one day later"));
    assert_eq!(row.campaign_name, None);
    assert_eq!(row.meta_info, Some(meta.into()));
}

#[test]
fn each_survey_has_its_own_score() {
    let csat = session(json!({"surveyType": "csat", "csatScore": 4, "csatFeedback": "quick"}));
    assert_eq!(csat.survey_type.as_deref(), Some("csat"));
    assert_eq!(csat.csat_score, Some(4));
    assert_eq!(csat.csat_feedback.as_deref(), Some("quick"));
    assert_eq!((csat.nps_score, csat.like_dislike_score), (None, None));
    let nps = session(json!({"surveyType": "nps", "npsScore": 0, "csatFeedback": ""}));
    assert_eq!(
        (nps.csat_score, nps.nps_score, nps.csat_feedback),
        (None, Some(0), None)
    );
    let like = session(json!({"surveyType": "likeDislike", "likeDislikeScore": 0}));
    assert_eq!((like.nps_score, like.like_dislike_score), (None, Some(0)));
}

#[test]
fn a_campaign_has_its_columns() {
    let row = session(json!({"campaigninfo": {
        "campaignName": "Spring", "campaignId": "cm-1", "campaignInstanceId": "ci-1", "campaignDialingListId": "dl-1",
        "attempt": 2, "contactStatus": "Reached", "campaignRunDate": "2026-03-10T06:34:48.810Z",
        "contactListName": ["North", "South"], "dialer": "preview",
    }}));
    assert_eq!(row.campaign_name.as_deref(), Some("Spring"));
    assert_eq!(row.campaign_id.as_deref(), Some("cm-1"));
    assert_eq!(row.campaign_instance_id.as_deref(), Some("ci-1"));
    assert_eq!(row.campaign_dialing_list_id.as_deref(), Some("dl-1"));
    assert_eq!(row.campaign_attempt, Some(2));
    assert_eq!(row.campaign_contact_status.as_deref(), Some("Reached"));
    assert_eq!(row.campaign_run_at, Some(instant("2026-03-10T06:34:48.810Z")));
    assert_eq!(row.campaign_contact_lists, texts(&["North", "South"]));
    assert_eq!(
        row.extra,
        Some(json!({"campaigninfo": {"dialer": "preview"}}).into())
    );
}

#[test]
fn an_empty_attempt_of_a_campaign_is_null() {
    assert_eq!(
        session(json!({"campaigninfo": {"attempt": ""}})).campaign_attempt,
        None
    );
    assert_eq!(
        session(json!({"campaigninfo": {"attempt": "2"}})).campaign_attempt,
        Some(2)
    );
}

#[test]
fn skills_are_kept_as_sent_and_null_where_there_are_none() {
    let skills = json!([{"id": "skill-1", "name": "Rooms"}]);
    assert_eq!(session(json!({"skills": skills})).skills, Some(skills.into()));
    for none in [json!([]), json!(null), json!("")] {
        assert_eq!(session(json!({"skills": none})).skills, None);
    }
}

#[test]
fn unknown_top_level_fields_are_extra_unless_they_say_nothing() {
    let row = session(json!({
        "sentiment": {"score": 0.25, "words": ["late", null]}, "sandbox": false, "isAutomation": "", "bridge": null,
    }));
    assert_eq!(
        row.extra,
        Some(json!({"sentiment": {"score": 0.25, "words": ["late", null]}, "sandbox": false}).into())
    );
}
