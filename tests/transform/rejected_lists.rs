//! What is no record, but holds some: the privacy rules reach all of it.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::{Class, Policy, PrivacyKey, Rule};
use smartassist_etl::transform::transform;

use super::{origin, raw};

const PHONE: &str = "+15550100000";

fn policy(class: Class, rule: Rule) -> Policy {
    let mut policy = Policy {
        key: Some(PrivacyKey::new("0123456789abcdef0123456789abcdef")),
        ..Policy::default()
    };
    *policy.rule_mut(class) = rule;
    policy
}

fn ruled(value: &Value, policy: &Policy) -> String {
    let once = transform(&raw(value.to_string()), origin(0), policy)
        .unwrap_err()
        .payload;
    let again = transform(&raw(once.clone()), origin(0), policy)
        .unwrap_err()
        .payload;
    assert_eq!(once, again);
    once
}

#[test]
fn rules_reach_each_record_of_a_rejected_list() {
    let hers = json!({
        "sessionId": "s-1", "customerinfo": {"CustomerPhone": PHONE, "CustomerFirstName": "Zelda"},
        "destinations": [{"respondingAgent": {"name": "Cleo Agent"}}], "channel": "voice",
    });
    for list in [json!([hers]), json!([[hers], null, 7]), json!([[[hers, hers]]])] {
        for rule in [Rule::Hash, Rule::Drop] {
            let customer = ruled(&list, &policy(Class::Customer, rule));
            assert!(
                !customer.contains(PHONE) && !customer.contains("Zelda"),
                "{customer}"
            );
            assert!(
                customer.contains("Cleo Agent") && customer.contains("voice"),
                "{customer}"
            );
            let agent = ruled(&list, &policy(Class::Agent, rule));
            assert!(
                agent.contains("Zelda") && !agent.contains("Cleo Agent"),
                "{agent}"
            );
        }
    }
}

#[test]
fn the_strictest_rule_holds_for_what_is_no_record() {
    for value in [
        json!("Zelda 15550100000"),
        json!(15_550_100_000_u64),
        json!(["Zelda", 15_550_100_000_u64]),
    ] {
        for class in Class::ALL {
            for rule in [Rule::Hash, Rule::Drop] {
                let ruled = ruled(&value, &policy(class, rule));
                assert!(
                    !ruled.contains("Zelda") && !ruled.contains("15550100000"),
                    "{ruled}"
                );
            }
        }
    }
}
