//! The page in a real browser: light and dark, on a desk and on a phone, with and without scripts.

use serde_json::Value;

use super::Daemon;
use crate::support::browser::Browser;
use crate::support::{TestDatabase, wait};

/// Tab, as WebDriver names it.
const TAB: char = '\u{E004}';

/// Texts whose colour and ground differ by less than 4.5 to 1 (WCAG 2.2, 1.4.3). A colour is painted to be
/// read, whatever way it is written; the ground is that of the nearest ancestor that has one.
const FAINT: &str = r"
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const paint = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
        const [r, g, b] = colour.map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = paint(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        const style = getComputedStyle(element);
        const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        const colour = paint(style.color);
        if (!says || style.visibility === 'hidden' || colour[3] === 0 || element.closest('.hidden')) continue;
        const [one, other] = [light(colour), light(ground(element))].sort((a, b) => b - a);
        const contrast = (one + 0.05) / (other + 0.05);
        if (contrast < 4.5) faint.push(element.className + ': ' + element.textContent.trim().slice(0, 40) + ' ' + contrast);
    }
    return faint;";

/// What every page owes to whoever cannot see it.
const UNNAMED: &str = r"
    const wrong = [];
    if (document.documentElement.lang !== 'en') wrong.push('no language');
    if (!document.title) wrong.push('no title');
    if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
    if (document.querySelectorAll('main').length !== 1) wrong.push('not one main');
    const levels = [...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]));
    levels.forEach((level, place) => { if (place && level > levels[place - 1] + 1) wrong.push('a heading skips a level'); });
    for (const link of document.querySelectorAll('a, button'))
        if (!(link.textContent.trim() || link.title || link.ariaLabel)) wrong.push('a link without a name: ' + link.outerHTML);
    for (const field of document.querySelectorAll('input, meter, progress'))
        if (!(field.labels?.length || field.ariaLabel)) wrong.push('a field without a label: ' + field.outerHTML);
    for (const picture of document.querySelectorAll('svg'))
        if (!(picture.ariaLabel || picture.ariaHidden)) wrong.push('a picture without a name');
    for (const table of document.querySelectorAll('table'))
        for (const head of table.querySelectorAll('th')) if (!head.scope) wrong.push('a head without a scope');
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    if (new Set(ids).size !== ids.length) wrong.push('an id twice');
    return wrong;";

const WIDER_THAN_THE_WINDOW: &str =
    "return document.documentElement.scrollWidth > document.documentElement.clientWidth";

/// Words of the facts and of the calendar that are on two lines.
const BROKEN_WORDS: &str = r"
    const broken = [];
    for (const element of document.querySelectorAll('dt, dd, table th')) {
        const nodes = [...element.childNodes].filter((node) => node.nodeType === 3);
        for (const node of nodes) for (const word of node.textContent.matchAll(/\S+/g)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
            if (word[0].length < 28 && lines.size > 1) broken.push(word[0]);
        }
    }
    return broken;";

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

#[tokio::test]
async fn the_page_is_readable_light_and_dark_on_desktop_and_phone() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let browser = Browser::start().await;
    let pages = [
        ("overview", "/"),
        ("account", "/accounts/burst"),
        ("nowhere", "/nowhere"),
    ];
    for (name, path) in pages {
        for (width, is_dark) in [(1280, false), (1280, true), (375, false), (375, true)] {
            let scheme = if is_dark { "dark" } else { "light" };
            let what = format!("{name}-{width}-{scheme}");
            browser.look(width, is_dark).await;
            browser.goto(&daemon.url(path)).await;
            assert_eq!(texts(&browser.script(FAINT).await), [""; 0], "{what}");
            assert_eq!(texts(&browser.script(UNNAMED).await), [""; 0], "{what}");
            assert_eq!(browser.script(WIDER_THAN_THE_WINDOW).await, false, "{what}");
            assert_eq!(texts(&browser.script(BROKEN_WORDS).await), [""; 0], "{what}");
            browser.picture(&what).await;
        }
    }
    let host = daemon.url("/");
    let requests = browser.requests().await;
    assert!(requests.len() > 12, "{requests:?}");
    // Chromium shows pages of its own first.
    for request in requests.iter().filter(|request| request.starts_with("http")) {
        assert!(request.starts_with(&host), "a request to another host: {request}");
    }
    let console = browser.console().await;
    // The page that is not there says so with its status, which Chromium reports.
    let said: Vec<_> = console.iter().filter(|line| !line.contains("/nowhere")).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test]
async fn each_account_and_a_gap_can_be_found_by_keyboard_and_by_name() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let browser = Browser::start().await;
    browser.look(1280, false).await;
    browser.goto(&daemon.url("/")).await;
    let standings = browser
        .script("return [...document.querySelectorAll('.title')].map((title) => title.innerText.replace(/\\s+/g, ' '))")
        .await;
    for (place, said) in ["burst ✕ in trouble", "refused ✕ in trouble", "main ✓ complete"]
        .iter()
        .enumerate()
    {
        assert!(texts(&standings)[place].starts_with(said), "{standings}");
    }
    // The gap's cell has a name, a sign and a colour of its own.
    let gap = browser
        .script(
            "const gap = document.querySelector('.calendar .gap'), drained = document.querySelector('.calendar .drained'); \
             const ground = (cell) => getComputedStyle(cell).backgroundColor; \
             return [gap.title, getComputedStyle(gap, '::before').content, ground(gap) !== ground(drained)]",
        )
        .await;
    assert!(
        gap[0].as_str().unwrap().contains(": gap, 1,100 interactions"),
        "{gap}"
    );
    assert!(gap[1].as_str().unwrap().starts_with("\"!\""), "{gap}");
    assert_eq!(gap[2], true);
    let listed = browser
        .script("return document.querySelector('.gap-line').textContent")
        .await;
    assert!(
        listed.as_str().unwrap().starts_with("Gap of 1 s from "),
        "{listed}"
    );

    let active = "return document.activeElement.textContent.trim()";
    let mut reached = Vec::new();
    for _ in 0..10 {
        browser.press(TAB).await;
        let name = browser.script(active).await;
        reached.push(name.as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(reached[0], "Skip to the state");
    for account in ["burst", "refused", "main"] {
        assert!(reached.contains(&account.to_owned()), "{reached:?}");
    }
}

#[tokio::test]
async fn the_page_renews_itself_and_works_without_scripts() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let browser = Browser::start().await;
    browser.goto(&daemon.url("/accounts/main")).await;
    let as_of = "return document.querySelector('.as-of time').textContent";
    let before = browser.script(as_of).await;
    browser.script("window.wasHere = true").await;
    wait::until("the page to renew itself", async || {
        let shown = browser.script(as_of).await;
        if shown == before { Err(shown) } else { Ok(()) }
    })
    .await;
    assert_eq!(
        browser.script("return window.wasHere").await,
        true,
        "the page itself was not loaded again"
    );

    browser.scripts(false).await;
    browser.goto(&daemon.url("/accounts/main")).await;
    browser.scripts(true).await;
    let shown = "return [document.querySelector('.standing').textContent.trim(), \
                 document.querySelectorAll('.calendar .cell').length, document.querySelector('noscript').textContent]";
    let shown = browser.script(shown).await;
    assert_eq!(shown[0], "✓ complete");
    assert!(shown[1].as_i64() > Some(1), "{shown}");
    let (_, page) = crate::support::daemon::get(daemon.port, "/").await;
    assert!(
        page.contains(r#"<noscript><meta http-equiv="refresh" content="30">"#),
        "{page}"
    );
}
