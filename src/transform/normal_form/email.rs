use std::collections::BTreeSet;

use super::{decoded, folded, plain};

/// Normalized.
pub fn emails(text: &str) -> BTreeSet<String> {
    if !may_hold_address(text) {
        return BTreeSet::new();
    }
    scan(address_part(&decoded(text)))
}

pub fn mentions_email(text: &str, wanted: &str) -> bool {
    if !may_hold_address(text) {
        return false;
    }
    folded(&decoded(text)).contains(wanted) || emails(text).iter().any(|found| base(found) == base(wanted))
}

fn may_hold_address(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'@' || !byte.is_ascii()) || text.contains("%40")
}

fn base(address: &str) -> Option<(&str, &str)> {
    let (local, domain) = address.rsplit_once('@')?;
    let name = local.split('+').next().filter(|name| !name.is_empty());
    Some((name.unwrap_or(local), domain))
}

const MAILTO: &str = "mailto:";

/// Parameters of a `mailto:` may name other people.
fn address_part(text: &str) -> &str {
    let scheme = text.trim_start().get(..MAILTO.len());
    let is_link = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(MAILTO));
    match text.split_once('?') {
        Some((address, _)) if is_link && address.contains('@') => address,
        _ => text,
    }
}

fn scan(text: &str) -> BTreeSet<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = BTreeSet::new();
    let mut from = 0;
    for at in (0..chars.len()).filter(|at| chars[*at] == '@') {
        let domain = domain_after(&chars, at + 1);
        if let Some(address) = address(&local_before(&chars[from.min(at)..at]), &chars[at + 1..domain]) {
            found.insert(address);
        }
        from = domain;
    }
    found
}

fn local_before(before: &[char]) -> String {
    let quoted = before.strip_suffix(&['"']);
    let name = quoted.unwrap_or(before);
    let length = name.iter().rev().take_while(|c| is_local(**c)).count();
    let (before, local) = name.split_at(name.len() - length);
    // Of a quoted name with a blank, the last word may be somebody else.
    if quoted.is_some() && (!before.ends_with(&['"']) || before.ends_with(&['\\', '"'])) {
        return String::new();
    }
    let local: String = local.iter().collect();
    local.trim_start_matches(is_wrapping).to_owned()
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || ".!#$%&'*+/=?^_`{}~-".contains(c) || is_foreign(c)
}

fn is_wrapping(c: char) -> bool {
    "'`*{}^!#$/?=&~%.".contains(c)
}

fn domain_after(chars: &[char], start: usize) -> usize {
    start + chars[start..].iter().take_while(|c| is_domain(**c)).count()
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || ".-_".contains(c) || is_foreign(c)
}

fn is_foreign(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
}

fn address(local: &str, domain: &[char]) -> Option<String> {
    let local = folded(local);
    let domain = domain_form(&domain.iter().collect::<String>());
    let is_host = domain.chars().any(char::is_alphanumeric);
    (is_host && !local.is_empty()).then(|| format!("{local}@{domain}"))
}

fn domain_form(domain: &str) -> String {
    let trimmed = |domain: &str| folded(domain).trim_matches(['.', '-', '_']).to_owned();
    let domain = trimmed(domain);
    if !domain.contains("xn--") {
        return domain;
    }
    let (unicode, decoded) = idna::domain_to_unicode(&domain);
    let unicode = plain(&unicode);
    if decoded.is_ok() && unicode.chars().all(is_domain) {
        trimmed(&unicode)
    } else {
        domain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        emails(text).into_iter().collect()
    }

    #[test]
    fn every_spelling_of_an_address_is_one() {
        for text in [
            "zelda.erasable@example.com",
            " Zelda.Erasable@Example.COM ",
            "Zelda <zelda.erasable@example.com>",
            "\"Erasable, Zelda\" <zelda.erasable@example.com>",
            "<zelda.erasable@example.com>",
            "MAILTO:zelda.erasable@example.com",
            "mailto:zelda.erasable@example.com?subject=x&cc=bob@example.com",
            "mailto:zelda.erasable%40example.com",
            "\"zelda.erasable\"@example.com",
            "zelda.erasable@example.com (Zelda)",
            "'zelda.erasable@example.com'",
            "“zelda.erasable@example.com”",
            "zelda.erasable@example.com.",
            "ｚelda.erasable＠example．com",
            "zelda\u{200b}.erasable@example.com",
            "\u{202a}zelda.erasable@example.com\u{202c}",
            "[zelda.erasable@example.com]",
            "zelda.erasable@example.com,",
            "{\"address\":\"zelda.erasable@example.com\"}",
        ] {
            assert_eq!(all(text), ["zelda.erasable@example.com"], "{text}");
            assert!(mentions_email(text, "zelda.erasable@example.com"), "{text}");
        }
    }

    #[test]
    fn composed_letters_and_their_parts_are_one() {
        let composed = all("jürgen@münchen.example");
        for same in [
            "ju\u{308}rgen@mu\u{308}nchen.example",
            "JÜRGEN@MÜNCHEN.example",
            "JU\u{308}RGEN@MU\u{308}NCHEN.EXAMPLE",
            "jürgen@xn--mnchen-3ya.example",
            "Jürgen <jürgen@XN--MNCHEN-3YA.example>",
        ] {
            assert_eq!(all(same), composed, "{same}");
        }
        assert_ne!(all("ılgaz@x.de"), all("ilgaz@x.de"));
    }

    #[test]
    fn a_list_holds_several() {
        for list in [
            "a@x.de; b@y.de",
            "a@x.de,b@y.de",
            "A <a@x.de>, B <b@y.de>",
            "a@x.de b@y.de",
            "a@x.de|b@y.de",
            "a@x.de/b@y.de",
            "a@x.de? or b@y.de",
        ] {
            assert_eq!(all(list), ["a@x.de", "b@y.de"], "{list}");
        }
    }

    #[test]
    fn another_address_is_another_one_and_may_be_a_mention() {
        let wanted = "zelda@example.com";
        for (other, is_mention) in [
            ("zelda+shop@example.com", true),
            ("xzelda@example.com", true),
            ("zelda@example.com.evil.example", true),
            ("sip:zelda@example.com:5060", true),
            ("zelda@example.org", false),
            ("bob@example.com", false),
            ("zelda at example.com", false),
        ] {
            assert_eq!(mentions_email(other, wanted), is_mention, "{other}");
        }
        assert!(!emails("zelda+shop@example.com").contains(wanted));
        assert!(!emails("xzelda@example.com").contains(wanted));
        assert!(!emails("zelda@example.com.evil.example").contains(wanted));
    }

    #[test]
    fn what_is_no_address_gives_none() {
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a@.",
            "zelda",
            "anonymous",
            "((((@",
            "\"@\"",
            "<@>",
            "\"a b\"@x.de",
            "\"a\\\"b\"@x.de",
        ] {
            assert!(all(text).is_empty(), "{text}: {:?}", all(text));
        }
        assert_eq!(all("o'brien@x.de"), ["o'brien@x.de"]);
    }
}
