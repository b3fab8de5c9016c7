//! The parts of the dashboard build that need no compiler: names, placeholders, stamp, budget.

use super::*;
use std::io::Read;
use tempfile::TempDir;

const PAGE: &str = "<link href=\"%CSS%\"><script src=\"%THEME%\"></script>\
    <link rel=preload href=\"%WASM%\"><script type=module src=\"%JS%\"></script><!-- %BUILD% -->";

fn shell_and_glue(page: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("temp dir");
    let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("writes");
    put("index.html", page);
    put("tokens.css", ":root { --ink: #111 }");
    put("style.css", "body { width: 100% }");
    put("theme.js", "document.documentElement.dataset.theme = 'dark';");
    put(
        "app.js",
        "async function __wbg_init(options) {}\nexport default __wbg_init;",
    );
    dir
}

fn asset(web: &Path, start: &str, end: &str) -> PathBuf {
    let found = files_below(web).expect("files");
    let name = |file: &PathBuf| {
        file.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut hits = found
        .into_iter()
        .filter(|file| name(file).starts_with(start) && name(file).ends_with(end));
    hits.next().expect("the asset is there")
}

#[test]
fn assemble_should_name_files_by_content() {
    let parts = shell_and_glue(PAGE);
    let out = tempfile::tempdir().expect("temp dir");
    assemble(parts.path(), &DASHBOARD, (parts.path(), b"\0asm"), out.path()).expect("assembles");
    let page = fs::read_to_string(out.path().join("index.html")).expect("index");
    let wasm = format!("app-{}.wasm", digest(b"\0asm"));
    assert!(page.contains(&format!("href=\"/{wasm}\"")), "{page}");
    assert!(!page.contains('%'), "{page}");
    let script = fs::read_to_string(asset(out.path(), "app-", ".js")).expect("script");
    assert!(
        script.contains(&format!("new URL('{wasm}', import.meta.url)")),
        "{script}"
    );
    let css = fs::read_to_string(asset(out.path(), "style-", ".css")).expect("style");
    assert!(css.starts_with(":root"), "tokens come first: {css}");
}

#[test]
fn proof_page_should_name_its_own_files_and_the_largest_module_should_count() {
    let parts = shell_and_glue(PAGE);
    let put = |name: &str, text: &str| fs::write(parts.path().join(name), text).expect("writes");
    fs::create_dir(parts.path().join("proof")).expect("makes");
    put(
        "proof/page.html",
        "<link href=\"%CSS%\"><script src=\"%THEME%\"></script><script src=\"%SCRIPT%\"></script>",
    );
    put(
        "proof/page.js",
        "import \"./%GLUE%\"; new URL(\"%WASM%\", import.meta.url);",
    );
    put("proof.js", "export default 1;");
    let out = tempfile::tempdir().expect("temp dir");
    assemble(parts.path(), &DASHBOARD, (parts.path(), b"\0asm"), out.path()).expect("assembles");
    assemble_proof_page(parts.path(), parts.path(), b"\0asm and more", out.path()).expect("assembles");
    let page = fs::read_to_string(out.path().join("proof.html")).expect("a page");
    assert!(page.contains("src=\"/proof-") && !page.contains('%'), "{page}");
    compress(out.path()).expect("compresses");
    let files = sizes(out.path()).expect("sizes");
    let modules = files.iter().filter(|file| file.name.ends_with(".wasm"));
    let largest = modules.map(|file| file.brotli).max().expect("two modules");
    assert_eq!(Built { files, fresh: true }.wasm_brotli_bytes(), largest);
}

#[test]
fn new_module_should_change_script_and_build() {
    let parts = shell_and_glue(PAGE);
    let page = |module: &[u8]| {
        let out = tempfile::tempdir().expect("temp dir");
        assemble(parts.path(), &DASHBOARD, (parts.path(), module), out.path()).expect("assembles");
        fs::read_to_string(out.path().join("index.html")).expect("index")
    };
    assert_eq!(page(b"one"), page(b"one"));
    assert_ne!(page(b"one"), page(b"two"));
}

#[test]
fn placeholders_should_be_complete_and_known() {
    let values = [("%JS%", "/a.js"), ("%BUILD%", "b")];
    assert_eq!(fill("<%JS%>", &values).expect("build is optional"), "</a.js>");
    assert!(
        fill("nothing", &values).is_err(),
        "a page without its script is broken"
    );
    let error = fill("%JS% %ICON%", &values).expect_err("unknown");
    assert!(error.to_string().contains("%ICON%"), "{error}");
    assert!(fill("%JS% width: 100%; height: 50%", &values).is_ok());
}

#[test]
fn glue_without_start_function_should_be_refused() {
    let parts = shell_and_glue(PAGE);
    fs::write(parts.path().join("app.js"), "export default 1;").expect("writes");
    let out = tempfile::tempdir().expect("temp dir");
    assert!(assemble(parts.path(), &DASHBOARD, (parts.path(), b"\0asm"), out.path()).is_err());
}

#[test]
fn script_of_a_dependency_should_be_refused() {
    let parts = shell_and_glue(PAGE);
    fs::create_dir(parts.path().join("snippets")).expect("makes");
    let out = tempfile::tempdir().expect("temp dir");
    let error = assemble(parts.path(), &DASHBOARD, (parts.path(), b"\0asm"), out.path())
        .expect_err("must be looked at");
    assert!(error.to_string().contains("JavaScript"), "{error}");
}

#[test]
fn compressed_files_should_unpack_to_the_same() {
    let dir = tempfile::tempdir().expect("temp dir");
    let text = "the same words again and again ".repeat(50);
    fs::write(dir.path().join("a.wasm"), &text).expect("writes");
    compress(dir.path()).expect("compresses");
    let packed = fs::read(dir.path().join("a.wasm.br")).expect("packed");
    let mut back = String::new();
    brotli::Decompressor::new(packed.as_slice(), 4096)
        .read_to_string(&mut back)
        .expect("unpacks");
    assert_eq!(back, text);
    let built = Built {
        files: sizes(dir.path()).expect("sizes"),
        fresh: true,
    };
    assert_eq!(built.wasm_brotli_bytes(), packed.len() as u64);
}

#[test]
fn budget_should_refuse_one_byte_more() {
    let built = |brotli| Built {
        files: vec![Size {
            name: "app.wasm".to_owned(),
            raw: 1,
            brotli,
        }],
        fresh: true,
    };
    assert!(built(WASM_BROTLI_BYTES_MAX).within_budget().is_ok());
    assert!(built(WASM_BROTLI_BYTES_MAX + 1).within_budget().is_err());
    assert!(
        built(0).within_budget().is_err(),
        "no module at all is no success"
    );
}

#[test]
fn stamp_should_follow_inputs_and_optimiser() {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = root.path().join("dashboard-web/src");
    fs::create_dir_all(&dir).expect("makes");
    fs::create_dir_all(root.path().join("unrelated")).expect("makes");
    fs::write(dir.join("main.rs"), "one").expect("writes");
    let first = stamp(root.path(), true).expect("stamps");
    assert_ne!(
        first,
        stamp(root.path(), false).expect("stamps"),
        "an optimiser that appears must be used"
    );
    fs::write(root.path().join("unrelated/file"), "x").expect("writes");
    assert_eq!(first, stamp(root.path(), true).expect("stamps"));
    fs::write(dir.join("main.rs"), "two").expect("writes");
    assert_ne!(first, stamp(root.path(), true).expect("stamps"));
}
