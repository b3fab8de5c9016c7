//! Builds the dashboard into files that can be served as they are: content-hashed names, brotli beside each.
//!
//! ```text
//! <target>/dashboard/index.html       from dashboard-web/index.html, placeholders filled
//! <target>/dashboard/app-<h>.js       wasm-bindgen's glue, which starts the module itself
//! <target>/dashboard/app-<h>.wasm
//! <target>/dashboard/style-<h>.css    tokens.css, then style.css
//! <target>/dashboard/theme-<h>.js     chooses the theme before the first paint
//! <target>/dashboard/proof.html       the page that checks a proof, with its script, glue and module: proof-…
//! <target>/dashboard/operations.html  the operators' page, with its glue and module: operations-…
//! <target>/dashboard/*.br
//! <target>/dashboard.stamp            digest of all inputs
//! ```
//! Nothing is inline, so the page's policy needs no exception. Placeholders of the template: `%JS%`, `%WASM%`,
//! `%CSS%`, `%THEME%` (absolute paths) and `%BUILD%` (a digest of all of them); one that is unknown or absent
//! fails the build. A build whose inputs have not changed is skipped; a failed build leaves the last good one.

use crate::lint::limits::WASM_BROTLI_BYTES_MAX;
use crate::paths::Paths;
use crate::{engines, process};
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

/// Everything the result depends on; the edge table keeps the dashboard from naming other rooms.
const INPUTS: [&str; 9] = [
    "dashboard-web",
    "client",
    "event-schemas",
    "query-api/schema.graphql",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "xtask/src/web.rs",
    "xtask/npm/build/package-lock.json",
];
const CRATE: &str = "vaultstream-dashboard-web";
const PROOF_PAGE: &str = "vaultstream-proof-page";
const OPERATIONS_PAGE: &str = "vaultstream-operations-page";
const SHELL: &str = "dashboard-web";

/// What was built, for people and for the budget.
pub struct Built {
    files: Vec<Size>,
    fresh: bool,
}

struct Size {
    name: String,
    raw: u64,
    brotli: u64,
}

impl Built {
    /// The largest module of a page as browsers fetch it: each page has one, and fetches no other.
    pub fn wasm_brotli_bytes(&self) -> u64 {
        let modules = self.files.iter().filter(|file| file.name.ends_with(".wasm"));
        modules.map(|file| file.brotli).max().unwrap_or_default()
    }

    /// Refuses a page with a module over the budget.
    pub fn within_budget(&self) -> Result<()> {
        let bytes = self.wasm_brotli_bytes();
        ensure!(bytes > 0, "the dashboard has no wasm");
        ensure!(
            bytes <= WASM_BROTLI_BYTES_MAX,
            "the wasm of a page is {bytes} bytes in brotli, the budget is {WASM_BROTLI_BYTES_MAX}"
        );
        Ok(())
    }
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "dashboard ({})",
            if self.fresh { "built" } else { "unchanged" }
        )?;
        for file in &self.files {
            writeln!(
                f,
                "  {:<32} {:>9} bytes {:>9} brotli",
                file.name, file.raw, file.brotli
            )?;
        }
        Ok(())
    }
}

/// The first 16 hexadecimal digits of SHA-256.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Builds what has changed; the files are in [`Paths::web`] afterwards.
pub fn build(paths: &Paths) -> Result<Built> {
    let optimiser = engines::wasm_opt(paths);
    if let Err(error) = &optimiser {
        println!("note: the dashboard is built without wasm-opt and will be larger: {error:#}");
    }
    let stamp = stamp(&paths.root, optimiser.is_ok())?;
    let place = paths.web();
    let stamp_file = paths.target.join("dashboard.stamp");
    if place.is_dir() && fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
        return Ok(Built {
            files: sizes(&place)?,
            fresh: false,
        });
    }
    let optimiser = optimiser.ok();
    let (glue, module) = compile(paths, CRATE, "app", optimiser.as_deref())?;
    let (proof_glue, proof_module) = compile(paths, PROOF_PAGE, "proof", optimiser.as_deref())?;
    let (ops_glue, ops_module) = compile(paths, OPERATIONS_PAGE, "operations", optimiser.as_deref())?;
    let staging = paths.target.join("dashboard.new");
    clear(&staging)?;
    let shell = paths.root.join(SHELL);
    assemble(&shell, &DASHBOARD, (&glue, &module), &staging)?;
    assemble(&shell, &OPERATIONS, (&ops_glue, &ops_module), &staging)?;
    assemble_proof_page(&shell, &proof_glue, &proof_module, &staging)?;
    compress(&staging)?;
    clear(&place)?;
    fs::rename(&staging, &place).context("cannot move the dashboard into place")?;
    fs::write(&stamp_file, stamp).context("cannot write the dashboard's stamp")?;
    Ok(Built {
        files: sizes(&place)?,
        fresh: true,
    })
}

/// Compiles, binds and optimises a program of the dashboard: the glue's directory (with `<name>.js`) and the module.
fn compile(paths: &Paths, program: &str, name: &str, optimiser: Option<&Path>) -> Result<(PathBuf, Vec<u8>)> {
    let words = format!("build -p {CRATE} --bin {program} --profile web --target wasm32-unknown-unknown");
    process::run(&mut process::cargo(paths, &words))?;
    let input = paths
        .target
        .join("wasm32-unknown-unknown/web")
        .join(format!("{program}.wasm"));
    let out = paths.target.join(format!("dashboard.glue.{name}"));
    clear(&out)?;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&input)
        .out_name(name)
        .typescript(false)
        .omit_default_module_path(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen
        .web(true)?
        .generate(&out)
        .context("wasm-bindgen cannot read the module")?;
    let bound = out.join(format!("{name}_bg.wasm"));
    let Some(wasm_opt) = optimiser else {
        return Ok((out, fs::read(bound)?));
    };
    let smaller = out.join(format!("{name}_small.wasm"));
    let mut optimise = process::command(paths, wasm_opt);
    // What rustc's target uses by default; wasm-opt must be told, because the section that says so is stripped.
    let features = [
        "bulk-memory",
        "mutable-globals",
        "nontrapping-float-to-int",
        "reference-types",
        "sign-ext",
        "multivalue",
    ];
    // Not the smallest file, but the smallest on its way: what `-Oz` folds together brotli folds better.
    optimise
        .args(["-O2", "--converge"])
        .args(features.map(|feature| format!("--enable-{feature}")));
    process::run(optimise.arg(&bound).arg("-o").arg(&smaller))?;
    Ok((out, fs::read(smaller)?))
}

/// A page that its module draws.
struct Page {
    /// What the module and its glue are called.
    name: &'static str,
    /// Its template in the dashboard's folder.
    template: &'static str,
    /// What it is served as.
    file: &'static str,
}

const DASHBOARD: Page = Page {
    name: "app",
    template: "index.html",
    file: "index.html",
};
const OPERATIONS: Page = Page {
    name: "operations",
    template: "operations/page.html",
    file: "operations.html",
};

/// Writes a page and its assets under their content's names.
fn assemble(shell: &Path, of: &Page, (glue, module): (&Path, &[u8]), out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    let put = |extension: &str, bytes: &[u8]| put(out, of.name, extension, bytes);
    let wasm = put("wasm", module)?;
    let script = glue.join(format!("{}.js", of.name));
    let mut script = fs::read_to_string(script).context("wasm-bindgen wrote no glue")?;
    script.push_str(&format!(
        "\n__wbg_init({{ module_or_path: new URL('{wasm}', import.meta.url) }});\n"
    ));
    ensure!(
        script.contains("function __wbg_init("),
        "wasm-bindgen's glue has no __wbg_init to call"
    );
    let js = put("js", script.as_bytes())?;
    // A crate that brings its own script would need a folder here, and a look at what it brings.
    ensure!(
        !glue.join("snippets").exists(),
        "a dependency of the dashboard brings JavaScript of its own"
    );
    let (css, theme) = look(shell, out)?;
    let build = digest(format!("{wasm} {js} {css} {theme}").as_bytes());
    let template = String::from_utf8(part(shell, of.template)?)
        .with_context(|| format!("{} is not UTF-8", of.template))?;
    let page = fill(
        &template,
        &[
            ("%JS%", &format!("/{js}")),
            ("%WASM%", &format!("/{wasm}")),
            ("%CSS%", &format!("/{css}")),
            ("%THEME%", &format!("/{theme}")),
            ("%BUILD%", &build),
        ],
    )?;
    fs::write(out.join(of.file), page).with_context(|| format!("cannot write {}", of.file))
}

/// Writes a file under its content's name.
fn put(out: &Path, stem: &str, extension: &str, bytes: &[u8]) -> Result<String> {
    let name = format!("{stem}-{}.{extension}", digest(bytes));
    fs::write(out.join(&name), bytes).with_context(|| format!("cannot write {name}"))?;
    Ok(name)
}

fn part(shell: &Path, name: &str) -> Result<Vec<u8>> {
    fs::read(shell.join(name)).with_context(|| format!("cannot read {SHELL}/{name}"))
}

/// The look of every page: its style and what chooses its theme.
fn look(shell: &Path, out: &Path) -> Result<(String, String)> {
    let style = [part(shell, "tokens.css")?, part(shell, "style.css")?].join(&b'\n');
    let css = put(out, "style", "css", &style)?;
    Ok((css, put(out, "theme", "js", &part(shell, "theme.js")?)?))
}

/// Writes the page that checks a proof, beside the dashboard and with nothing of it but the look.
fn assemble_proof_page(shell: &Path, glue: &Path, module: &[u8], out: &Path) -> Result<()> {
    ensure!(
        !glue.join("snippets").exists(),
        "a dependency of the proof page brings JavaScript of its own"
    );
    let wasm = put(out, "proof", "wasm", module)?;
    let glue = fs::read(glue.join("proof.js")).context("wasm-bindgen wrote no proof.js")?;
    let glue = put(out, "proof-glue", "js", &glue)?;
    let (css, theme) = look(shell, out)?;
    let text =
        |name: &str| String::from_utf8(part(shell, name)?).with_context(|| format!("{name} is not UTF-8"));
    let script = fill(&text("proof/page.js")?, &[("%GLUE%", &glue), ("%WASM%", &wasm)])?;
    let script = put(out, "proof", "js", script.as_bytes())?;
    let values = [
        ("%SCRIPT%", format!("/{script}")),
        ("%CSS%", format!("/{css}")),
        ("%THEME%", format!("/{theme}")),
    ];
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let page = fill(&text("proof/page.html")?, &values)?;
    fs::write(out.join("proof.html"), page).context("cannot write proof.html")
}

/// Replaces every placeholder. A page without script, module, style or theme would be broken, and so would one
/// that shows a placeholder's name.
fn fill(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut page = template.to_owned();
    for (placeholder, value) in values {
        let optional = *placeholder == "%BUILD%";
        ensure!(
            optional || page.contains(placeholder),
            "{SHELL}/index.html has no {placeholder}"
        );
        page = page.replace(placeholder, value);
    }
    let mut pieces = page.split('%').skip(1);
    let left = pieces.find(|piece| !piece.is_empty() && piece.bytes().all(|byte| byte.is_ascii_uppercase()));
    match left {
        Some(name) => bail!("{SHELL}/index.html has an unknown placeholder %{name}%"),
        None => Ok(page),
    }
}

/// Puts `<name>.br` beside each file.
fn compress(dir: &Path) -> Result<()> {
    for file in files_below(dir)? {
        let bytes = fs::read(&file)?;
        let mut packed = Vec::new();
        let params = brotli::enc::BrotliEncoderParams {
            quality: 11,
            lgwin: 22,
            ..Default::default()
        };
        brotli::BrotliCompress(&mut bytes.as_slice(), &mut packed, &params)
            .with_context(|| format!("cannot compress {}", file.display()))?;
        fs::write(with_br(&file), packed)?;
    }
    Ok(())
}

fn with_br(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".br");
    name.into()
}

fn sizes(web: &Path) -> Result<Vec<Size>> {
    let mut sizes = Vec::new();
    for file in files_below(web)? {
        let packed = with_br(&file);
        if packed.is_file() {
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let (raw, brotli) = (fs::metadata(&file)?.len(), fs::metadata(&packed)?.len());
            sizes.push(Size { name, raw, brotli });
        }
    }
    Ok(sizes)
}

/// One digest over names and contents of all inputs.
fn stamp(root: &Path, optimised: bool) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update([u8::from(optimised)]);
    for input in INPUTS {
        let path = root.join(input);
        let files = if path.is_dir() {
            files_below(&path)?
        } else {
            vec![path]
        };
        for file in files.iter().filter(|file| file.is_file()) {
            let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy();
            let bytes = fs::read(file).with_context(|| format!("cannot read {name}"))?;
            hash.update(name.len().to_le_bytes());
            hash.update(name.as_bytes());
            hash.update(bytes.len().to_le_bytes());
            hash.update(&bytes);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All files below a directory, in a stable order.
fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
