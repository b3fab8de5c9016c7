//! How long files and functions are, and how much a function takes: ratchets over the whole workspace.
//!
//! The stops hold for each file and each function; medians and percentiles hold for all together, because one
//! long file among short ones is a choice and a hundred of them is a habit. A file that does not parse is a
//! finding, not a gap.

use super::Finding;
use super::limits as max;
use super::tree::Tree;
use syn::spanned::Spanned;
use syn::visit::Visit;

/// What one source file measures.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    /// Without inline test modules.
    lines: usize,
    inline_test_lines: usize,
    functions: Vec<Function>,
    /// Inside `impl Trait for`: the trait says how many arguments its functions take.
    is_dictated: bool,
    /// Line and count of every type parameter list that is too long.
    wide_generics: Vec<(usize, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
    /// 0 where the function says with `#[expect(…, reason = …)]` why it takes many, as a published operation may.
    arguments: usize,
}

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut shapes = Vec::new();
    for (path, text) in tree.rust() {
        match measure(text) {
            Ok(shape) => {
                findings.extend(each(path, &shape));
                shapes.push((path, shape));
            }
            Err(error) => {
                findings.push(Finding::new(
                    path,
                    error.span().start().line,
                    "parse",
                    error.to_string(),
                ));
            }
        }
    }
    findings.extend(files_together(&shapes));
    findings.extend(functions_together(&shapes));
    findings
}

/// Whether the item is compiled for tests only.
pub fn is_test_item(item: &syn::Item) -> bool {
    matches!(item, syn::Item::Mod(module) if module.attrs.iter().any(is_cfg_test))
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    let words = list.tokens.to_string();
    list.path.is_ident("cfg")
        && (words == "test" || words.starts_with("all (test") || words.starts_with("all(test"))
}

/// The reason is written where the arguments are, and clippy complains once it is no longer needed.
fn excuses_arguments(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    let words = list.tokens.to_string();
    list.path.is_ident("expect") && words.contains("too_many_arguments") && words.contains("reason")
}

fn measure(text: &str) -> syn::Result<Shape> {
    let file = syn::parse_file(text)?;
    let inline_test_lines = file.items.iter().filter_map(inline_test_span).sum();
    let mut shape = Shape {
        inline_test_lines,
        ..Shape::default()
    };
    shape.lines = text.lines().count().saturating_sub(inline_test_lines);
    shape.visit_file(&file);
    Ok(shape)
}

/// The lines of a test module that has its body here.
fn inline_test_span(item: &syn::Item) -> Option<usize> {
    let syn::Item::Mod(module) = item else { return None };
    module
        .content
        .as_ref()
        .filter(|_| is_test_item(item))
        .map(|_| lines_of(module.span()))
}

/// The lines, from 1, of test modules that have their bodies in a file.
pub fn test_lines(text: &str) -> syn::Result<Vec<std::ops::RangeInclusive<usize>>> {
    let file = syn::parse_file(text)?;
    let modules = file.items.iter().filter(|item| inline_test_span(item).is_some());
    let lines = |item: &syn::Item| item.span().start().line..=item.span().end().line;
    Ok(modules.map(lines).collect())
}

fn lines_of(span: proc_macro2::Span) -> usize {
    span.end().line - span.start().line + 1
}

impl Shape {
    fn function(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature, block: &syn::Block) {
        let line = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line - line + 1;
        let excused = self.is_dictated || attributes.iter().any(excuses_arguments);
        let arguments = if excused { 0 } else { signature.inputs.len() };
        let name = signature.ident.to_string();
        self.functions.push(Function {
            name,
            line,
            lines,
            arguments,
        });
    }
}

impl<'ast> Visit<'ast> for Shape {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.is_dictated, item.trait_.is_some());
        syn::visit::visit_item_impl(self, item);
        self.is_dictated = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.attrs, &item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }

    fn visit_generics(&mut self, generics: &'ast syn::Generics) {
        let count = generics.type_params().count();
        if count > max::TYPE_PARAMETERS_MAX {
            self.wide_generics.push((generics.span().start().line, count));
        }
        syn::visit::visit_generics(self, generics);
    }
}

fn each(path: &str, shape: &Shape) -> Vec<Finding> {
    let mut findings = Vec::new();
    if shape.lines > max::FILE_LINES_MAX {
        let message = format!(
            "{} lines, the stop is {}: split it",
            shape.lines,
            max::FILE_LINES_MAX
        );
        findings.push(Finding::new(path, 0, "file-lines", message));
    }
    if shape.inline_test_lines > max::INLINE_TEST_LINES_MAX {
        let (lines, most) = (shape.inline_test_lines, max::INLINE_TEST_LINES_MAX);
        let message =
            format!("{lines} lines of inline tests, the most is {most}: move them to tests.rs beside");
        findings.push(Finding::new(path, 0, "inline-tests", message));
    }
    for function in shape
        .functions
        .iter()
        .filter(|function| function.arguments > max::ARGUMENTS_MAX)
    {
        let message = format!("`{}` takes {} arguments", function.name, function.arguments);
        findings.push(Finding::new(path, function.line, "arguments", message));
    }
    for (line, count) in &shape.wide_generics {
        findings.push(Finding::new(
            path,
            *line,
            "type-parameters",
            format!("{count} type parameters"),
        ));
    }
    findings
}

fn files_together(shapes: &[(&str, Shape)]) -> Vec<Finding> {
    let mut by_lines: Vec<(usize, &str)> = shapes.iter().map(|(path, shape)| (shape.lines, *path)).collect();
    by_lines.sort_unstable();
    let lines: Vec<usize> = by_lines.iter().map(|(lines, _)| *lines).collect();
    let longest: Vec<String> = by_lines
        .iter()
        .rev()
        .take(5)
        .map(|(lines, path)| format!("{path} {lines}"))
        .collect();
    let check = |percent, most: usize, rule| {
        let found = percentile(&lines, percent);
        let message = format!(
            "files: {found} lines, wanted {most}; longest: {}",
            longest.join(", ")
        );
        (found > most).then(|| Finding::new("workspace", 0, rule, message))
    };
    let median = check(50, max::FILE_LINES_MEDIAN, "file-median");
    median
        .into_iter()
        .chain(check(90, max::FILE_LINES_P90, "file-p90"))
        .collect()
}

fn functions_together(shapes: &[(&str, Shape)]) -> Vec<Finding> {
    let all = || {
        shapes
            .iter()
            .flat_map(|(path, shape)| shape.functions.iter().map(move |function| (*path, function)))
    };
    let mut lines: Vec<usize> = all().map(|(_, function)| function.lines).collect();
    lines.sort_unstable();
    let mut findings = Vec::new();
    let found = percentile(&lines, 90);
    if found > max::FUNCTION_LINES_P90 {
        let message = format!("functions: {found} lines, wanted {}", max::FUNCTION_LINES_P90);
        findings.push(Finding::new("workspace", 0, "function-p90", message));
    }
    let long: Vec<_> = all()
        .filter(|(_, function)| function.lines > max::FUNCTION_LINES_LONG)
        .collect();
    if long.len() * max::FUNCTIONS_PER_LONG_ONE > lines.len() {
        let share = format!(
            "{} of {} functions are long, at most 1 % may be",
            long.len(),
            lines.len()
        );
        findings.extend(long.iter().map(|(path, function)| {
            let message = format!("`{}` has {} lines; {share}", function.name, function.lines);
            Finding::new(*path, function.line, "function-long", message)
        }));
    }
    findings
}

/// The nearest rank; 0 where there is nothing.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
