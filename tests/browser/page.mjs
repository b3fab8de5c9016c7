// One browser page that is watched: console errors, page errors and policy violations fail the test that caused them.
//
// Inputs come from the environment: BASE_URL, CHROMIUM, MODULES (a directory whose node_modules holds playwright-core and
// axe-core), OUT_DIR (where screenshots go).

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";

/** A variable that must be set. */
export function given(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set; run these tests with cargo xtask test`);
  return value;
}

const modules = createRequire(join(given("MODULES"), "package.json"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

export const BASE = given("BASE_URL").replace(/\/$/, "");
const OUT = given("OUT_DIR");
mkdirSync(OUT, { recursive: true });

/** How long anything may take. */
export const PATIENCE = 45_000;

export const launch = () => chromium.launch({ executablePath: given("CHROMIUM"), args: ["--no-sandbox"] });

/** The ways a person may look at the product. */
export const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 860 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 860 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
};

/** Opens a watched page with a look. */
export async function open(browser, look) {
  const context = await browser.newContext({ ...LOOKS[look], reducedMotion: "reduce", timezoneId: "Europe/Madrid" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults = [];
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => faults.push(`page: ${error.message}`));
  let loads = 0;
  page.on("framenavigated", (frame) => {
    if (frame === page.mainFrame()) loads += 1;
  });
  return {
    page,
    look,
    /** How often a document was loaded. */
    documents: () => page.evaluate(() => performance.timeOrigin),
    loads: () => loads,
    /** Errors that a step provokes on purpose are taken out with a pattern. */
    forgive: (pattern) => {
      for (let i = faults.length - 1; i >= 0; i -= 1) if (pattern.test(faults[i])) faults.splice(i, 1);
    },
    calm: () => assert.deepEqual(faults, [], "the console must stay silent"),
    close: () => context.close(),
  };
}

/** Takes a screenshot for people to look at. */
export async function shot(view, name) {
  await view.page.screenshot({ path: join(OUT, `${name}-${view.look}.png`), fullPage: true });
}

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** No accessibility violation on the page as it is now. The checker is evaluated, not added as a script, so the page's
 * own policy stays in force. */
export async function accessible(view, where) {
  await view.page.evaluate(axe);
  const found = await view.page.evaluate(async (tags) => {
    const result = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } });
    return result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(" | ")}`);
  }, RULES);
  assert.deepEqual(found, [], `${where} (${view.look})`);
}

/** Nothing may stick out to the side. */
export async function fits(view, where) {
  const wide = await view.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${where} (${view.look}) is ${wide} pixels too wide`);
}
