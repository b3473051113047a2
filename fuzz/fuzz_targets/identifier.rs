//! Whatever text comes as an id, a number or an address: its normal forms are final, and are found again in the text that
//! they came from.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::{Corpus, fuzz_target};
use smartassist_etl::transform::normal_form::{
    emails, folded, id, mentions_email, mentions_id, mentions_phone, phone_of_id, phones, user_id,
};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    for phone in phones(text) {
        assert_eq!(phones(&phone), BTreeSet::from([phone.clone()]), "{text:?}");
        assert!(mentions_phone(text, &phone), "{phone} in {text:?}");
        assert!(phone.bytes().all(|byte| byte.is_ascii_digit()), "{phone:?}");
    }
    if let Some(phone) = phone_of_id(text) {
        assert!(phones(text).contains(&phone), "{text:?}");
    }
    for email in emails(text) {
        assert_eq!(emails(&email), BTreeSet::from([email.clone()]), "{text:?}");
        assert!(mentions_email(text, &email), "{email} in {text:?}");
    }
    if let Some(known) = id(text) {
        assert_eq!(id(known), Some(known), "{text:?}");
        assert!(text.contains(known), "{text:?}");
    }
    if let Some(user) = user_id(text) {
        assert_eq!(user_id(&user).as_ref(), Some(&user), "{text:?}");
        let wanted = folded(&user);
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // A text that begins or ends with a sign is no word by itself, and a short one says nothing.
        if wanted.len() >= 4 && is_word(wanted.chars().next()) && is_word(wanted.chars().next_back()) {
            assert!(mentions_id(text, &wanted), "{wanted:?} in {text:?}");
        }
    }
    Corpus::Keep
});
