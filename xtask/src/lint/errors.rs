//! Every error code has its page, and every page its code.
//!
//! The codes are the rows `Variant, "code", 422, …` of the table in `event-schemas`; the table is read, not linked,
//! so that xtask stays quick to build. A page is named after its code and opens with it.

use super::Finding;
use super::tree::Tree;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::BTreeMap;

const TABLE: &str = "event-schemas/src/error_code.rs";
const PAGES: &str = "docs/errors/";
const INDEX: &str = "docs/errors/README.md";
const RULE: &str = "error-page";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.text(TABLE) else {
        return vec![Finding::new(
            TABLE,
            0,
            RULE,
            "the table of error codes is missing",
        )];
    };
    let file = match syn::parse_file(table) {
        Ok(file) => file,
        Err(error) => {
            return vec![Finding::new(
                TABLE,
                error.span().start().line,
                RULE,
                error.to_string(),
            )];
        }
    };
    let mut codes = BTreeMap::new();
    for item in file.items.iter().filter(|item| !super::shape::is_test_item(item)) {
        collect(item.to_token_stream(), &mut codes);
    }
    if codes.is_empty() {
        return vec![Finding::new(
            TABLE,
            0,
            RULE,
            "no row reads `Variant, \"code\", 422, …`",
        )];
    }
    let mut findings = Vec::new();
    for (code, line) in &codes {
        let page = format!("{PAGES}{code}.md");
        let opening = tree
            .text(&page)
            .map(|text| text.lines().next().unwrap_or_default());
        if opening.is_none() {
            findings.push(Finding::new(
                TABLE,
                *line,
                RULE,
                format!("`{code}` has no page {page}"),
            ));
        } else if opening != Some(format!("# {code}").as_str()) {
            findings.push(Finding::new(
                page,
                1,
                RULE,
                format!("the first line must be `# {code}`"),
            ));
        }
    }
    for (path, _) in tree
        .texts()
        .filter(|(path, _)| path.starts_with(PAGES) && *path != INDEX)
    {
        let code = path.trim_start_matches(PAGES).trim_end_matches(".md");
        if !codes.contains_key(code) {
            findings.push(Finding::new(
                path,
                0,
                RULE,
                format!("no error has the code `{code}`"),
            ));
        }
    }
    findings
}

/// The string of every `Ident , "string" , number` in a macro's arguments, with its line.
fn collect(tokens: TokenStream, found: &mut BTreeMap<String, usize>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for row in tokens.windows(5) {
        let [
            TokenTree::Ident(_),
            first,
            TokenTree::Literal(code),
            second,
            TokenTree::Literal(status),
        ] = row
        else {
            continue;
        };
        let commas = [first, second].iter().all(|token| token.to_string() == ",");
        let number = syn::parse_str::<syn::LitInt>(&status.to_string()).is_ok();
        if let (true, true, Ok(text)) = (commas, number, syn::parse_str::<syn::LitStr>(&code.to_string())) {
            found.entry(text.value()).or_insert(code.span().start().line);
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            collect(group.stream(), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &str = "//! Codes.\ncodes! {\n    Reused, \"key-reused\", 422, 9, \"Title\";\n    \
        Gone, \"gone\", 410, 5, \"Title\";\n}\n#[cfg(test)]\nmod tests { codes! { Only, \"only-here\", 1 } }\n";
    const GONE: (&str, &str) = ("docs/errors/gone.md", "# gone\n");

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn complete_pages_should_pass() {
        let reused = ("docs/errors/key-reused.md", "# key-reused\n\nWhat happened.\n");
        assert!(messages(&[(TABLE, CODES), reused, GONE, (INDEX, "all of them")]).is_empty());
    }

    #[test]
    fn missing_page_should_be_found_on_its_line() {
        let findings = check(&Tree::of(&[(TABLE, CODES), GONE]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].line, findings[0].path.as_str()), (3, TABLE));
    }

    #[test]
    fn page_with_another_title_should_be_found() {
        let page = ("docs/errors/key-reused.md", "# Key reused\n");
        assert_eq!(
            messages(&[(TABLE, CODES), page, GONE]),
            ["the first line must be `# key-reused`"]
        );
    }

    #[test]
    fn page_without_code_should_be_found() {
        let reused = ("docs/errors/key-reused.md", "# key-reused\n");
        let stale = ("docs/errors/key-lost.md", "# key-lost\n");
        assert_eq!(
            messages(&[(TABLE, CODES), reused, GONE, stale]),
            ["no error has the code `key-lost`"]
        );
    }

    #[test]
    fn missing_table_should_be_found() {
        assert_eq!(messages(&[]), ["the table of error codes is missing"]);
        assert_eq!(
            messages(&[(TABLE, "//! Moved away.\n")]).len(),
            1,
            "an unread table must not look complete"
        );
    }
}
