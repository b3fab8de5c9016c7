//! Where one can be, and what the address bar says about it. Filters, sort and page live in the query, so that every
//! view has a link and Back works.

/// A page, with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// What needs attention, what moves, what there is.
    Home,
    /// The list of vaults.
    Vaults,
    /// The form for a vault.
    NewVault,
    /// A vault.
    Vault(String),
    /// The list of transfers.
    Transfers,
    /// The form for a transfer.
    NewTransfer,
    /// A transfer.
    Transfer(String),
    /// The transfer an execution belongs to.
    Execution(String),
    /// What a search found.
    Search,
    /// Exchange of a key for a session.
    SignIn,
    /// No such page.
    Unknown,
}

impl Route {
    /// Reads a path.
    pub fn parse(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => Self::Home,
            ["vaults"] => Self::Vaults,
            ["vaults", "new"] => Self::NewVault,
            ["vaults", id] if is_id(id) => Self::Vault((*id).to_owned()),
            ["transfers"] => Self::Transfers,
            ["transfers", "new"] => Self::NewTransfer,
            ["transfers", id] if is_id(id) => Self::Transfer((*id).to_owned()),
            ["executions", id] if is_id(id) => Self::Execution((*id).to_owned()),
            ["search"] => Self::Search,
            ["sign-in"] => Self::SignIn,
            _ => Self::Unknown,
        }
    }

    /// The section of the rail it belongs to, by its path.
    pub const fn section(&self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Vaults | Self::NewVault | Self::Vault(_) => "/vaults",
            Self::Transfers | Self::NewTransfer | Self::Transfer(_) | Self::Execution(_) => "/transfers",
            Self::Search | Self::SignIn | Self::Unknown => "",
        }
    }
}

/// Ids are words; anything else in a path is no page of ours, and never becomes part of a request.
fn is_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The part after `?`: names and values, in order, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `?a=b&c=d`; the first of a repeated name counts, broken escapes are dropped.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for pair in text
            .trim_start_matches('?')
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Some(name), Some(value)) = (decode(name), decode(value))
                && query.get(&name).is_none()
            {
                query.0.push((name, value));
            }
        }
        query
    }

    /// The value of a name; an empty value counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The query with a value set, or taken away when it is empty. The place in the list is given up: another filter
    /// is another list.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(n, _)| n != name && n != "after")
            .cloned()
            .collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value.to_owned()));
        }
        Self(pairs)
    }

    /// The address of a path with this query.
    pub fn on(&self, path: &str) -> String {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        if pairs.is_empty() {
            return path.to_owned();
        }
        format!("{path}?{}", pairs.join("&"))
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A path of our own to go to after signing in, or Home: never another site.
pub fn safe_next(next: Option<&str>) -> String {
    match next {
        Some(path) if path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') => {
            path.to_owned()
        }
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_should_name_pages() {
        assert_eq!(Route::parse("/"), Route::Home);
        assert_eq!(Route::parse("/vaults/"), Route::Vaults);
        assert_eq!(Route::parse("/vaults/new"), Route::NewVault);
        assert_eq!(Route::parse("/vaults/vlt_0a"), Route::Vault("vlt_0a".into()));
        assert_eq!(Route::parse("/transfers/trf_1"), Route::Transfer("trf_1".into()));
        for strange in [
            "/vaults/a b",
            "/vaults/%2e%2e",
            "/vaults/vlt_1/x",
            "/nope",
            "/transfers/é",
        ] {
            assert_eq!(Route::parse(strange), Route::Unknown, "{strange}");
        }
        assert_eq!(Route::parse("/transfers/new").section(), "/transfers");
    }

    #[test]
    fn query_should_round_trip_and_forget_the_page_when_filters_change() {
        let query = Query::parse("?name=a%20b%26c&status=active&after=xyz&status=archived&broken=%zz");
        assert_eq!(query.get("name"), Some("a b&c"));
        assert_eq!(query.get("status"), Some("active"), "the first counts");
        assert_eq!(query.get("broken"), None);
        let other = query.with("status", "archived");
        assert_eq!(other.get("after"), None);
        assert_eq!(Query::parse(&other.on("/vaults")["/vaults".len()..]), other);
        assert_eq!(query.with("name", "").with("status", "").on("/vaults"), "/vaults");
        assert_eq!(query.with("after", "q").get("after"), Some("q"));
        assert_eq!(Query::parse("q=%C3%A9+x").get("q"), Some("é x"));
    }

    #[test]
    fn sign_in_should_never_lead_to_another_site() {
        assert_eq!(safe_next(Some("/vaults?x=1")), "/vaults?x=1");
        for bad in [
            None,
            Some("//evil.example"),
            Some("https://evil.example"),
            Some("/\\evil"),
            Some(""),
        ] {
            assert_eq!(safe_next(bad), "/");
        }
    }
}
