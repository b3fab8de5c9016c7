// What a person does, named once and used by every journey.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { BASE, PATIENCE, given } from "./page.mjs";

const key = () => readFileSync(given("KEY_FILE"), "utf8").trim();

/** Asks the REST API as a client with the key. */
export async function rest(method, path, body, headers = {}) {
  const response = await fetch(`${BASE}${path}`, {
    method,
    headers: { authorization: `Bearer ${key()}`, "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** The page is there and says that it is live. */
export async function live(view) {
  await view.page.locator(".live[data-kind=live]").waitFor({ timeout: PATIENCE });
}

/** Signs in with the key, by the form. */
export async function signIn(view) {
  await view.page.goto(`${BASE}/sign-in`);
  await view.page.getByLabel("API key").fill(key());
  await view.page.getByRole("button", { name: "Sign in" }).click();
  await view.page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  // Asking who asks without a session is answered with 401, which a browser always logs.
  view.forgive(/401/);
  await live(view);
}

/** The address of an account of a vault, by the vault's name. */
export async function addressOf(name) {
  const { items } = await rest("GET", `/v1/vaults?name=${encodeURIComponent(name)}`);
  const account = items[0]?.accounts.find((a) => a.address);
  assert.ok(account, `${name} has an open account`);
  return account.address;
}

/** A valid address that nobody has seen: the checksum is left to the server, which takes lower case. */
export function stranger() {
  const hex = () => Math.floor(Math.random() * 16).toString(16);
  return `0x${Array.from({ length: 40 }, hex).join("")}`;
}

/** Fills the form and goes on to the review. */
export async function fillTransfer(view, { from, to, amount }) {
  const { page } = view;
  await page.goto(`${BASE}/transfers/new`);
  await page.getByLabel("From vault").selectOption({ label: from });
  await page.getByLabel("To address").fill(to);
  await page.locator("#asset option", { hasText: "held" }).first().waitFor({ state: "attached" });
  await page.getByRole("textbox", { name: "Amount" }).fill(amount);
  await page.getByRole("button", { name: "Review" }).click();
  await page.getByRole("heading", { level: 1, name: "Review before money moves" }).waitFor();
}

/** The transfer on screen reaches a state, without the page being loaded again. */
export async function reaches(view, status) {
  const before = await view.documents();
  await view.page.locator(`.sentence[data-status=${status}]`).waitFor({ timeout: PATIENCE });
  assert.equal(await view.documents(), before, "the page changed by itself, it was not loaded again");
}

/** Where the keyboard is. */
export const focused = (view) =>
  view.page.evaluate(() => {
    const at = document.activeElement;
    return `${at?.tagName.toLowerCase()}#${at?.id ?? ""} ${at?.getAttribute("aria-label") ?? at?.textContent?.trim() ?? ""}`;
  });

/** Presses Tab until the wanted thing has the keyboard. */
export async function tabTo(view, wanted) {
  for (let i = 0; i < 60; i += 1) {
    if (wanted.test(await focused(view))) return;
    await view.page.keyboard.press("Tab");
  }
  assert.fail(`the keyboard never reached ${wanted}; it is at ${await focused(view)}`);
}
