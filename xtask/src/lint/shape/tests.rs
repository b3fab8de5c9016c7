//! Samples on both sides of every limit.

use super::*;

fn rules(files: &[(&str, &str)]) -> Vec<&'static str> {
    check(&Tree::of(files))
        .into_iter()
        .map(|finding| finding.rule)
        .collect()
}

fn function(name: &str, lines: usize) -> String {
    format!("fn {name}() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
}

fn comment_lines(count: usize) -> String {
    "// a line\n".repeat(count)
}

#[test]
fn measure_should_leave_inline_tests_out() {
    let text = "//! Top.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\n";
    let shape = measure(text).expect("parses");
    assert_eq!((shape.lines, shape.inline_test_lines), (3, 5));
    assert_eq!(shape.functions.len(), 2, "test functions have a length too");
}

#[test]
fn measure_should_see_functions_in_traits_and_impls() {
    let text = "trait T {\n    fn a();\n    fn b() {\n    }\n}\nimpl S {\n    fn c(&self, x: u8) {\n        x;\n    }\n}\n";
    let shape = measure(text).expect("parses");
    let facts: Vec<_> = shape
        .functions
        .iter()
        .map(|f| (f.name.as_str(), f.line, f.lines, f.arguments))
        .collect();
    assert_eq!(facts, [("b", 3, 2, 0), ("c", 7, 3, 2)]);
}

#[test]
fn file_stop_should_count_code_and_not_tests() {
    let stop = comment_lines(max::FILE_LINES_MAX);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", comment_lines(100));
    // The workspace-wide limits need neighbours to stay quiet.
    let small = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|name| format!("{name}.rs"));
    let with = |text: &str| {
        let mut files: Vec<(&str, &str)> = small.iter().map(|name| (name.as_str(), "//! s\n")).collect();
        files.push(("big.rs", text));
        rules(&files)
    };
    assert!(with(&format!("{stop}{tests}")).is_empty());
    assert_eq!(with(&format!("{stop}// one more\n{tests}")), ["file-lines"]);
}

#[test]
fn long_inline_tests_should_be_found() {
    let tests = |lines| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", comment_lines(lines));
    assert!(rules(&[("a.rs", &tests(max::INLINE_TEST_LINES_MAX - 3))]).is_empty());
    assert_eq!(
        rules(&[("a.rs", &tests(max::INLINE_TEST_LINES_MAX))]),
        ["inline-tests"]
    );
    assert!(rules(&[("a.rs", "#[cfg(test)]\nmod tests;\n")]).is_empty());
}

#[test]
fn arguments_should_count_self() {
    let six = "impl S { fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }";
    assert!(rules(&[("a.rs", six)]).is_empty());
    assert_eq!(
        rules(&[("a.rs", &six.replace("e: u8", "e: u8, f: u8"))]),
        ["arguments"]
    );
}

#[test]
fn reasoned_expectation_should_excuse_arguments() {
    let seven = "fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}";
    let with = |attribute: &str| rules(&[("a.rs", &format!("{attribute} {seven}"))]);
    assert!(with("#[expect(clippy::too_many_arguments, reason = \"a published operation\")]").is_empty());
    assert_eq!(with("#[expect(clippy::too_many_arguments)]"), ["arguments"]);
    assert_eq!(
        with("#[allow(clippy::too_many_arguments, reason = \"quiet\")]"),
        ["arguments"]
    );
}

#[test]
fn type_parameters_should_not_count_lifetimes() {
    assert!(rules(&[("a.rs", "struct S<'a, A, B, C, D>(&'a A, B, C, D);")]).is_empty());
    assert_eq!(
        rules(&[("a.rs", "struct S<A, B, C, D, E>(A, B, C, D, E);")]),
        ["type-parameters"]
    );
    assert_eq!(
        rules(&[("a.rs", "impl<A, B, C, D, E> T<A, B, C, D, E> for () {}")]),
        ["type-parameters"]
    );
}

#[test]
fn median_and_p90_of_files_should_be_held() {
    let (short, long) = (comment_lines(100), comment_lines(max::FILE_LINES_MEDIAN + 1));
    assert!(
        rules(&[("a.rs", &short), ("b.rs", &long)]).is_empty(),
        "the lower of two is the median"
    );
    assert_eq!(
        rules(&[("a.rs", &short), ("b.rs", &long), ("c.rs", &long)]),
        ["file-median"]
    );
    let longer = comment_lines(max::FILE_LINES_P90 + 1);
    assert_eq!(rules(&[("a.rs", &short), ("b.rs", &longer)]), ["file-p90"]);
}

#[test]
fn one_long_function_in_a_hundred_should_be_allowed() {
    let short: String = (0..99).map(|n| format!("fn f{n}() {{}}\n")).collect();
    let long = function("long", max::FUNCTION_LINES_LONG + 1);
    assert!(
        rules(&[("a.rs", &format!("{short}{long}"))])
            .iter()
            .all(|rule| *rule == "file-median")
    );
    let two = function("longer", max::FUNCTION_LINES_LONG + 1);
    let found = rules(&[("a.rs", &short), ("b.rs", &long), ("c.rs", &two)]);
    assert_eq!(found, ["function-long", "function-long"]);
}

#[test]
fn p90_of_functions_should_be_held() {
    let (fits, over) = (
        function("a", max::FUNCTION_LINES_P90),
        function("b", max::FUNCTION_LINES_P90 + 1),
    );
    assert!(rules(&[("a.rs", &fits)]).is_empty());
    assert_eq!(rules(&[("a.rs", &over)]), ["function-p90"]);
}

#[test]
fn percentile_should_take_the_nearest_rank() {
    assert_eq!(percentile(&[], 90), 0);
    assert_eq!(percentile(&[7], 50), 7);
    assert_eq!(percentile(&[1, 2, 3, 4], 50), 2);
    assert_eq!(percentile(&(1..=10).collect::<Vec<_>>(), 90), 9);
}

#[test]
fn file_that_does_not_parse_should_be_found() {
    assert_eq!(rules(&[("a.rs", "fn {")]), ["parse"]);
}

#[test]
fn trait_should_answer_for_the_arguments_of_its_functions() {
    let many = "fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}";
    let found = |text: String| rules(&[("a.rs", text.as_str())]);
    assert!(found(format!("impl Foreign for Ours {{ {many} }}")).is_empty());
    assert_eq!(found(format!("impl Ours {{ {many} }}")), ["arguments"]);
    assert_eq!(found(format!("impl Foreign for Ours {{}} {many}")), ["arguments"]);
}
