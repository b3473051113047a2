//! Style, script and icon.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(in crate::web) struct Asset {
    name: &'static str,
    pub(in crate::web) kind: &'static str,
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

/// Prevents mixing cached versions.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in &ASSETS {
        hash.update(asset.content);
    }
    let bytes = hash.finalize();
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

pub(in crate::web) fn asset_link(name: &str) -> String {
    format!("/assets/{}-{name}", *VERSION)
}

pub(in crate::web) fn asset(name: &str) -> Option<&'static Asset> {
    let (_, name) = name.split_once('-')?;
    ASSETS.iter().find(|asset| asset.name == name)
}
