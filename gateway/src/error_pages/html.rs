//! As much Markdown as the error pages use, as HTML: headings, paragraphs, tables, fenced code, bold, code, links.
//!
//! Everything that is not markup is escaped. The page has no script and no style of its own, so it needs nothing from
//! the content security policy.

use std::fmt::Write as _;

/// A whole HTML document.
pub(super) fn document(markdown: &str) -> String {
    let title = markdown.lines().next().unwrap_or("").trim_start_matches("# ");
    let mut body = String::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<_> = lines.by_ref().take_while(|l| !l.starts_with("```")).collect();
            put(
                &mut body,
                format_args!("<pre><code>{}</code></pre>\n", escape(&code.join("\n"))),
            );
        } else if line.starts_with('|') {
            body.push_str("<table>\n");
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|l| l.starts_with('|')) {
                rows.push(row);
            }
            rows.iter()
                .filter(|r| !r.contains("---") && r.contains(|c: char| c.is_alphanumeric()))
                .for_each(|r| {
                    put(&mut body, format_args!("<tr>{}</tr>\n", cells(r)));
                });
            body.push_str("</table>\n");
        } else if let Some(heading) = line.strip_prefix("## ") {
            put(&mut body, format_args!("<h2>{}</h2>\n", inline(heading)));
        } else if let Some(heading) = line.strip_prefix("# ") {
            put(&mut body, format_args!("<h1>{}</h1>\n", inline(heading)));
        } else if !line.is_empty() {
            put(&mut body, format_args!("<p>{}</p>\n", inline(line)));
        }
    }
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} · Vaultstream</title></head>\n<body>\n<main>\n{body}</main>\n\
         <p><a href=\"/docs/errors\">All error codes</a></p>\n</body>\n</html>\n"
    )
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

fn cells(row: &str) -> String {
    let cells = row.trim_matches('|').split('|');
    cells
        .map(|cell| format!("<td>{}</td>", inline(cell.trim())))
        .collect()
}

fn inline(text: &str) -> String {
    let bold = alternate(&escape(text), "**", "strong");
    link(&alternate(&bold, "`", "code"))
}

/// Wraps every second part between marks in a tag.
fn alternate(text: &str, mark: &str, tag: &str) -> String {
    let wrap = |(i, part): (usize, &str)| match i % 2 {
        0 => part.to_owned(),
        _ => format!("<{tag}>{part}</{tag}>"),
    };
    text.split(mark).enumerate().map(wrap).collect()
}

/// `[text](target.md)` as a link within the pages.
fn link(text: &str) -> String {
    let Some((before, rest)) = text.split_once('[') else {
        return text.to_owned();
    };
    match rest
        .split_once("](")
        .and_then(|(name, rest)| Some((name, rest.split_once(')')?)))
    {
        Some((name, (target, after))) => {
            let target = target.trim_end_matches(".md");
            format!(
                "{before}<a href=\"/docs/errors/{target}\">{name}</a>{}",
                link(after)
            )
        }
        None => text.to_owned(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_should_become_html_and_text_should_stay_text() {
        let page = document(
            "# a <b>\n\nuse `x & y` **now**, see [c](c.md)\n\n| | |\n| --- | --- |\n| k | v |\n\n```\n<i>\n```\n",
        );
        assert!(page.contains("<h1>a &lt;b&gt;</h1>"));
        assert!(page.contains(
            "use <code>x &amp; y</code> <strong>now</strong>, see <a href=\"/docs/errors/c\">c</a>"
        ));
        assert!(page.contains("<table>\n<tr><td>k</td><td>v</td></tr>\n</table>"));
        assert!(page.contains("<pre><code>&lt;i&gt;</code></pre>"));
    }
}
