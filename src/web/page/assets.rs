//! Style, script and icon.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// Name, content type and content.
const ASSETS: [(&str, &str, &str); 3] = [
    ("page.css", "text/css; charset=utf-8", include_str!("page.css")),
    (
        "page.js",
        "text/javascript; charset=utf-8",
        include_str!("page.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

/// Prevents mixing cached versions.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let contents: String = ASSETS.iter().map(|(_, _, content)| *content).collect();
    let hash = Sha256::digest(contents);
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

pub(in crate::web) fn asset_link(name: &str) -> String {
    format!("/assets/{}-{name}", *VERSION)
}

/// Content type and content.
pub(in crate::web) fn asset(link: &str) -> Option<(&'static str, &'static str)> {
    let (_, name) = link.split_once('-')?;
    let asset = ASSETS.iter().find(|(known, ..)| *known == name)?;
    Some((asset.1, asset.2))
}
