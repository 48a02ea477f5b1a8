//! The requests of a pattern: what its file, its list and its sitemap name, in each variant.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use crate::config::warm::Pattern;
use crate::explain::question::Question;
use crate::state::State;
use crate::warm::sitemap;
use crate::warm::urls::{MOST, urls, whole};
use crate::warm::visit::fetch;

/// The largest sitemap that the protocol allows, in bytes.
const LARGEST: usize = 50 * 1024 * 1024;

/// One URL in one variant.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    url: Arc<str>,
    fields: Arc<[String]>,
}

impl Visit {
    pub(super) fn question(&self) -> Question {
        let (url, method) = (self.url.to_string(), "GET".to_owned());
        Question { url, method, fields: self.fields.to_vec() }
    }
}

/// Every request of `pattern`, each once.
///
/// # Errors
///
/// Fails with a sentence for people when its list or sitemap cannot be read, or there are too many.
pub(super) async fn visits(state: &Arc<State>, pattern: &Pattern) -> Result<Vec<Visit>, String> {
    let base = pattern.base.as_deref();
    let mut all = Vec::new();
    for text in &pattern.urls {
        all.extend(urls(text, base)?);
    }
    if let Some(file) = &pattern.list {
        all.extend(listed(file, base).await?);
    }
    if let Some(address) = &pattern.sitemap {
        all.extend(mapped(state, &whole(address, base)?).await?);
    }
    let variants: Vec<Arc<[String]>> = pattern.fields().into_iter().map(Arc::from).collect();
    if all.len().saturating_mul(variants.len()) > MOST {
        return Err(format!("{} URLs in {} variants are too many", all.len(), variants.len()));
    }
    let mut seen = HashSet::new();
    all.retain(|url| seen.insert(url.clone()));
    let visits = all.into_iter().map(Arc::<str>::from).flat_map(|url| {
        let visit = move |fields: &Arc<[String]>| Visit {
            url: Arc::clone(&url),
            fields: Arc::clone(fields),
        };
        variants.iter().map(visit)
    });
    Ok(visits.collect())
}

async fn listed(file: &Path, base: Option<&str>) -> Result<Vec<String>, String> {
    let text = tokio::fs::read_to_string(file).await;
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut all = Vec::new();
    for line in lines {
        // What stands for too much in all its lines has to end before the memory does.
        if all.len() > MOST {
            return Err(format!("{} names more than {MOST} URLs", file.display()));
        }
        all.extend(urls(line, base)?);
    }
    Ok(all)
}

async fn mapped(state: &Arc<State>, address: &str) -> Result<Vec<String>, String> {
    let first = sitemap(state, address).await?;
    if !first.is_index {
        return Ok(first.addresses);
    }
    let mut pages = Vec::new();
    for address in first.addresses {
        let part = sitemap(state, &address).await?;
        // An index of indexes is not allowed.
        if part.is_index || pages.len().saturating_add(part.addresses.len()) > MOST {
            return Err(format!("{address} is an index in an index, or one too many"));
        }
        pages.extend(part.addresses);
    }
    Ok(pages)
}

async fn sitemap(state: &Arc<State>, address: &str) -> Result<sitemap::Sitemap, String> {
    let bytes = fetch(state, address, LARGEST).await?;
    let read = sitemap::read(&String::from_utf8_lossy(&bytes));
    read.map_err(|why| format!("{address}: {why}"))
}
