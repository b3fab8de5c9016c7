//! Queries that mean harm.

use super::*;

fn hostile() -> Vec<(&'static str, String, &'static str)> {
    let deep = format!("{}{}", "{ vaults(first: 1) { nodes ".repeat(8), "}}".repeat(8));
    let nested = format!("{{ a(x: {}{}) }}", "[".repeat(20_000), "]".repeat(20_000));
    let wide = format!("{{ {} }}", "chains { id } ".repeat(2_500));
    let leaves = format!("{{ chains {{ {} }} }}", "id ".repeat(2_500));
    let aliases: String = (0..31).map(|i| format!("a{i}: viewer {{ actor }} ")).collect();
    let mut bomb = String::from("{ ...f0 }");
    for i in 0..60 {
        bomb.push_str(&format!(" fragment f{i} on Query {{ ...f{0} ...f{0} }}", i + 1));
    }
    bomb.push_str(" fragment f60 on Query { viewer { actor } }");
    let pages = "{ vaults(first: 200) { nodes { transfers(first: 200) { nodes { id timeline(last: 200) { nodes { id } } } } } } }";
    let complex = "query-too-complex";
    vec![
        ("deep", deep, complex),
        ("brackets", nested, complex),
        ("unclosed", "{".repeat(60_000), complex),
        ("wide", wide, complex),
        ("leaves", leaves, complex),
        ("aliases", format!("{{ {aliases} }}"), complex),
        ("fragment bomb", bomb, complex),
        ("pages of pages", pages.to_owned(), complex),
        (
            "root fields",
            format!("{{ {} }}", "viewer { actor } ".repeat(16)),
            complex,
        ),
        (
            "directives",
            format!("{{ viewer {{ actor {} }} }}", "@skip(if: false) ".repeat(400)),
            complex,
        ),
        (
            "cycle",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".into(),
            "query-invalid",
        ),
        (
            "self",
            "{ ...a } fragment a on Query { ...a }".into(),
            "query-invalid",
        ),
        (
            "huge integer",
            "{ vaults(first: 99999999999999999999999999999999) { nodes { id } } }".into(),
            "query-invalid",
        ),
        (
            "big integer",
            "{ vaults(first: 4294967297) { nodes { id } } }".into(),
            "query-invalid",
        ),
        (
            "unknown field",
            "{ vaults(first: 1) { secrets } }".into(),
            "query-invalid",
        ),
        (
            "unknown argument",
            "{ vaults(first: 1, last: 2) { nodes { id } } }".into(),
            "query-invalid",
        ),
        ("no first", "{ vaults { nodes { id } } }".into(), "query-invalid"),
        ("mutation", "mutation { a }".into(), "query-invalid"),
        (
            "subscription",
            "subscription { freshness { lagMs } }".into(),
            "query-invalid",
        ),
        ("empty", String::new(), "query-invalid"),
        ("garbage", "\u{0}\u{1}💥".into(), "query-invalid"),
    ]
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS"));
    line.and_then(|l| l.split_whitespace().nth(1))
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_queries_should_be_refused_quickly_and_leave_nothing_behind() {
    let world = World::start().await;
    let me = world.reader().await;
    world.ask(&me, "{ viewer { actor } }", json!({})).await;
    // the parser alone may take most of this in an unoptimised build; what matters is that nothing explodes
    let patience = Duration::from_millis(400);
    let mut resident = Vec::new();
    for _ in 0..6 {
        for (name, query, expected) in hostile() {
            let started = Instant::now();
            let answer = world.ask(&me, &query, json!({})).await;
            let took = started.elapsed();
            assert_eq!(
                code(&answer),
                expected,
                "{name}: {}",
                &answer.to_string()[..answer.to_string().len().min(400)]
            );
            assert!(answer["errors"][0]["extensions"]["remedy"].is_string(), "{name}");
            assert!(took < patience, "{name} took {took:?}");
        }
        resident.push(resident_kb());
    }
    let told = world.heard.times(Fact::Refused(ErrorCode::QueryTooComplex));
    let complex = hostile()
        .iter()
        .filter(|(_, _, code)| *code == "query-too-complex")
        .count();
    assert_eq!(told, 6 * complex, "each is told of");
    let (warm, last) = (resident[1], resident[5]);
    assert!(last < warm + 20_000, "resident memory grew: {resident:?} KiB");
}
