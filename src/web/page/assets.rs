//! Style, script and icon: served by us, so that the page needs nobody else.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file that pages refer to.
#[derive(Debug)]
pub(in crate::web) struct Asset {
    name: &'static str,
    /// Its media type.
    pub(in crate::web) kind: &'static str,
    /// What is in it.
    pub(in crate::web) content: &'static str,
}

static ASSETS: [Asset; 3] = [
    Asset {
        name: "page.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("page.css"),
    },
    Asset {
        name: "page.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("page.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        content: include_str!("icon.svg"),
    },
];

/// A hash of them all: what is kept of an earlier version is never used with a later one.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in &ASSETS {
        hash.update(asset.content);
    }
    let bytes = hash.finalize();
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// Where an asset is.
pub(in crate::web) fn asset_link(name: &str) -> String {
    format!("/assets/{}-{name}", *VERSION)
}

/// The asset behind the last part of such a link, of whatever version.
pub(in crate::web) fn asset(name: &str) -> Option<&'static Asset> {
    let (_, name) = name.split_once('-')?;
    ASSETS.iter().find(|asset| asset.name == name)
}
