use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

use super::{decoded, plain};

const MAILTO: &str = "mailto:";

/// Folding is stable after two rounds.
const FOLDINGS: usize = 4;

/// Normalized.
pub fn emails(text: &str) -> BTreeSet<String> {
    if !may_hold_address(text) {
        return BTreeSet::new();
    }
    scan(&address_part(&decoded(text)))
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

/// Parameters of a `mailto:` may name other people.
fn address_part(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_start();
    let rest = match trimmed.get(..MAILTO.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(MAILTO) => &trimmed[MAILTO.len()..],
        _ => return text.into(),
    };
    match rest.split_once('?') {
        Some((address, _)) if address.contains('@') => address.into(),
        Some((_, parameters)) => parameters.replace(['=', '&'], " ").into(),
        None => rest.into(),
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
    let end = without_comment(before);
    if let [inner @ .., '"'] = end {
        let is_opening = |at: &usize| inner[*at] == '"' && !is_escaped(inner, *at);
        let opening = (0..inner.len()).rev().find(is_opening);
        return opening.map_or_else(String::new, |opening| unescaped(&inner[opening + 1..]));
    }
    let length = end.iter().rev().take_while(|c| is_local(**c)).count();
    let local: String = end[end.len() - length..].iter().collect();
    local.trim_start_matches(is_wrapping).to_owned()
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || ".!#$%&'*+/=?^_`{}~-".contains(c) || is_foreign(c)
}

fn is_wrapping(c: char) -> bool {
    "'`*{}^!#$/?=&~%.".contains(c)
}

fn without_comment(before: &[char]) -> &[char] {
    if before.last() != Some(&')') {
        return before;
    }
    let mut depth = 0_usize;
    for at in (0..before.len()).rev() {
        match before[at] {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &before[..at];
        }
    }
    before
}

fn is_escaped(text: &[char], at: usize) -> bool {
    text[..at].iter().rev().take_while(|c| **c == '\\').count() % 2 == 1
}

fn unescaped(text: &[char]) -> String {
    let mut plain = String::new();
    let mut chars = text.iter();
    while let Some(c) = chars.next() {
        plain.extend(if *c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

fn domain_after(chars: &[char], start: usize) -> usize {
    let rest = chars.get(start..).unwrap_or_default();
    if rest.first() == Some(&'[') {
        // Address literal (RFC 5321, 4.1.3).
        let is_literal = |c: &&char| c.is_ascii_alphanumeric() || ".:-".contains(**c);
        let literal = rest.iter().skip(1).take_while(is_literal).count();
        let is_closed = rest.get(literal + 1) == Some(&']');
        return if is_closed { start + literal + 2 } else { start };
    }
    start + rest.iter().take_while(|c| is_domain(**c)).count()
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || ".-_".contains(c) || is_foreign(c)
}

fn is_foreign(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
}

fn address(local: &str, domain: &[char]) -> Option<String> {
    let local = quoted_if_odd(&folded(local.trim()));
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

fn quoted_if_odd(local: &str) -> String {
    if local.chars().all(is_local) && !local.starts_with(is_wrapping) {
        return local.to_owned();
    }
    let escaped = local
        .chars()
        .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]));
    format!("\"{}\"", escaped.collect::<String>())
}

fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut text = text.to_owned();
    for _ in 0..FOLDINGS {
        let folded: String = text.nfkc().flat_map(fold).nfkc().collect();
        if folded == text {
            break;
        }
        text = folded;
    }
    text
}

/// `ß` equals `SS`, but dotless `ı` is not `i`.
fn fold(c: char) -> impl Iterator<Item = char> {
    let upper: Vec<char> = if c == 'ı' {
        vec![c]
    } else {
        c.to_uppercase().collect()
    };
    upper.into_iter().flat_map(char::to_lowercase)
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
            "mailto:?to=zelda.erasable@example.com",
            "\"zelda.erasable\"@example.com",
            "zelda.erasable(home)@example.com",
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
        assert_eq!(all("STRASSE@x.de"), all("straße@x.de"));
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
        ] {
            assert!(all(text).is_empty(), "{text}: {:?}", all(text));
        }
        assert_eq!(all("o'brien@x.de"), ["o'brien@x.de"]);
        assert_eq!(all("\"a b\\\"c\"@x.de"), ["\"a b\\\"c\"@x.de"]);
    }
}
