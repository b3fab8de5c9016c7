// The dashboard as it is used: in a real Chromium against the real product, by mouse, by keyboard, on a phone.
//
// Run by the system test `browser`; prints node's own report with its counts.

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { BASE, accessible, fits, given, launch, open, shot } from "./page.mjs";
import { addressOf, fillTransfer, focused, live, reaches, rest, signIn, stranger, tabTo } from "./steps.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** A test in a look, which ends with a silent console. */
function journey(name, look, run) {
  test(`${name} (${look})`, async () => {
    const view = await open(browser, look);
    try {
      await run(view);
      view.calm();
    } catch (error) {
      await shot(view, `failed-${name.replaceAll(/[^a-z]+/gi, "-")}`).catch(() => {});
      throw error;
    } finally {
      await view.close();
    }
  });
}

journey("one-time link to finality", "light", async (view) => {
  const { page } = view;
  await page.goto(given("LINK"));
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  assert.ok(!page.url().includes("code="), "the code does not stay in the address bar");
  await live(view);
  await page.getByText("SANDBOX", { exact: true }).waitFor();
  await fillTransfer(view, { from: "Operations", to: stranger(), amount: "0.25" });
  const send = page.getByRole("button", { name: /^Send 0\.25 ETH to 0x/ });
  assert.equal(await send.getAttribute("aria-disabled"), "true", "a new recipient is compared first");
  await page.getByText("You have not sent to this address before").waitFor();
  await accessible(view, "review");
  await shot(view, "review");
  await page.getByLabel("I compared every character").check();
  await send.click();
  await page.waitForURL(/\/transfers\/trf_/);
  await shot(view, "moving");
  await reaches(view, "completed");
  await page.getByText("Completed", { exact: true }).first().waitFor();
  await accessible(view, "completed transfer");
  await shot(view, "completed");
});

journey("one-time link works once", "light", async (view) => {
  await view.page.goto(given("LINK")).catch(() => {});
  await view.page.goto(BASE);
  await view.page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
  view.forgive(/40[0-9]/);
});

for (const look of ["dark", "phone"]) {
  journey("sign-in to finality", look, async (view) => {
    const { page } = view;
    await signIn(view);
    await fillTransfer(view, { from: "Operations", to: await addressOf("Payouts"), amount: "0.5" });
    await page.getByText("This is your own vault Payouts").waitFor();
    await accessible(view, "review");
    await fits(view, "review");
    await shot(view, "review");
    await page.getByRole("button", { name: /^Send 0\.5 ETH/ }).click();
    await page.waitForURL(/\/transfers\/trf_/);
    await reaches(view, "completed");
    await fits(view, "transfer");
    await accessible(view, "completed transfer");
    await shot(view, "completed");
  });
}

journey("keyboard alone", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.keyboard.press("g");
  await page.keyboard.press("v");
  await page.waitForURL(/\/vaults$/);
  assert.match(await focused(view), /^h1#heading Vaults/, "a new page takes the keyboard to its heading");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard help" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.keyboard.press("/");
  assert.match(await focused(view), /^input#search/);
  await page.keyboard.type("Oper");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/search\?q=Oper/);
  await page.getByRole("link", { name: /Operations/ }).waitFor();
  await tabTo(view, /Operations/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/vaults\/vlt_/);
  await tabTo(view, /^a# Send/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/transfers\/new/);
  await page.locator("#asset option", { hasText: "held" }).first().waitFor({ state: "attached" });
  await tabTo(view, /^input#to/);
  await page.keyboard.type(await addressOf("Payouts"));
  await tabTo(view, /^input#amount/);
  await page.keyboard.type("0.01");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Review before money moves" }).waitFor();
  await tabTo(view, /^button# Send 0\.01 ETH/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/transfers\/trf_/);
  await reaches(view, "completed");
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
});

journey("skip link comes first", "light", async (view) => {
  await signIn(view);
  await view.page.reload();
  await live(view);
  await view.page.keyboard.press("Tab");
  assert.match(await focused(view), /Skip to content/);
  await view.page.keyboard.press("Enter");
  assert.match(await focused(view), /^main#content/);
});

journey("bad input is refused at its field", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.goto(`${BASE}/transfers/new`);
  await page.getByLabel("From vault").selectOption({ label: "Operations" });
  await page.locator("#asset option", { hasText: "held" }).first().waitFor({ state: "attached" });
  const attempt = async (to, amount) => {
    await page.getByLabel("To address").fill(to);
    await page.getByRole("textbox", { name: "Amount" }).fill(amount);
    await page.getByRole("button", { name: "Review" }).click();
  };
  const own = await addressOf("Payouts");
  await attempt("", "1");
  await page.locator("#to-wrong", { hasText: "Fill this in" }).waitFor();
  for (const [amount, words] of [["1,5", "Use digits"], ["0", "above zero"], ["0.0000000000000000001", "18 decimal"], ["99999999", "holds"]]) {
    await attempt(own, amount);
    await page.locator("#amount-wrong", { hasText: words }).waitFor();
  }
  const at = [...own].findIndex((c, i) => i > 1 && /[a-f]/i.test(c));
  const flipped = own[at] === own[at].toLowerCase() ? own[at].toUpperCase() : own[at].toLowerCase();
  await attempt(own.slice(0, at) + flipped + own.slice(at + 1), "0.1");
  await page.locator("#to-wrong:not(:empty)").waitFor();
  await accessible(view, "form with errors");
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "New transfer", "nothing went on");
  view.forgive(/422/);
});

journey("approval is asked for, given and seen", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  const session = await page.evaluate(async () => {
    const answer = await fetch("/v1/sessions/current", { headers: { "x-vaultstream-request": "1" } });
    return answer.json();
  });
  const organization = `/v1/organizations/${session.organizationId}`;
  await rest("PATCH", organization, { approval: "one" });
  try {
    await fillTransfer(view, { from: "Operations", to: await addressOf("Payouts"), amount: "0.02" });
    await page.getByRole("button", { name: /^Send 0\.02 ETH/ }).click();
    await page.waitForURL(/\/transfers\/trf_/);
    await reaches(view, "awaiting_approval");
    await page.getByText("1 waiting").waitFor({ state: "attached" });
    await accessible(view, "waiting transfer");
    await shot(view, "awaiting");
    await page.getByRole("button", { name: /^Approve 0\.02 ETH/ }).click();
    const dialog = page.getByRole("dialog", { name: "Approve this transfer" });
    await accessible(view, "approve dialog");
    await dialog.getByRole("button", { name: /^Approve 0\.02 ETH/ }).click();
    await reaches(view, "completed");
    await page.getByText("Approved by you").waitFor();
  } finally {
    await rest("PATCH", organization, { approval: "none" });
  }
});

journey("a transfer made elsewhere appears by itself", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.goto(`${BASE}/transfers`);
  await live(view);
  const before = await view.documents();
  const { items } = await rest("GET", "/v1/vaults?name=Operations");
  const made = await rest(
    "POST",
    "/v1/transfers",
    { vaultId: items[0].id, asset: "eip155:31337/slip44:60", amount: "30000000000000000", destination: await addressOf("Payouts") },
    { "idempotency-key": `browser-${Date.now()}` },
  );
  const row = page.locator(`tr:has(a[href="/transfers/${made.id}"])`);
  await row.getByText("Completed").waitFor();
  assert.equal(await view.documents(), before);
});

journey("a page is turned to the past and back", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  const { items } = await rest("GET", "/v1/transfers?status=completed&limit=1");
  const story = await rest("GET", `/v1/events?stream=${items[0].id}&type=transfer.requested`);
  const then = new Date(Math.ceil(story.items[0].hlc / 1000) + 1).toISOString();
  await page.goto(`${BASE}/transfers/${items[0].id}?asOf=${then}`);
  await page.getByText("You see this as it was on").waitFor();
  const status = page.locator(".sentence");
  await status.waitFor();
  assert.notEqual(await status.getAttribute("data-status"), "completed");
  await accessible(view, "the past of a transfer");
  await fits(view, "the past of a transfer");
  await shot(view, "past");
  await page.getByRole("button", { name: "Return to now" }).click();
  await reaches(view, "completed");
  assert.equal(await page.getByText("You see this as it was on").count(), 0);
  await page.goto(`${BASE}/vaults/${items[0].vaultId}`);
  await page.getByRole("link", { name: "Send", exact: true }).waitFor();
  await page.getByLabel("As it was on").fill("2020-03-05T12:00:00");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.getByText("5 Mar").waitFor();
  assert.equal(await page.getByRole("link", { name: "Send", exact: true }).count(), 0, "nothing can be sent there");
});

journey("lost connection is told and comes back", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.context().setOffline(true);
  await page.locator(".live[data-kind=offline]").waitFor();
  await page.getByText("What you see is the last known state").waitFor();
  await page.context().setOffline(false);
  await live(view);
  view.forgive(/ERR_INTERNET_DISCONNECTED|WebSocket/);
});

journey("theme is kept and does not flash", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.getByRole("button", { name: "Theme: as the system" }).click();
  await page.getByRole("button", { name: "Theme: light" }).click();
  await page.getByRole("button", { name: "Theme: dark" }).waitFor();
  await page.reload({ waitUntil: "commit" });
  await page.waitForFunction(() => document.documentElement?.dataset.theme === "dark" && document.body !== null);
  await live(view);
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "dark");
});

const ROUTES = async () => {
  const vaults = await rest("GET", "/v1/vaults");
  const transfers = await rest("GET", "/v1/transfers");
  return {
    home: "/",
    vaults: "/vaults",
    "vaults-none": "/vaults?name=nothing-is-called-so",
    "vault-new": "/vaults/new",
    vault: `/vaults/${vaults.items[0].id}`,
    transfers: "/transfers",
    "transfer-new": "/transfers/new",
    transfer: `/transfers/${transfers.items[0].id}`,
    "transfer-events": `/transfers/${transfers.items[0].id}?tab=events`,
    "transfer-raw": `/transfers/${transfers.items[0].id}?tab=raw`,
    search: "/search?q=Operations",
    unknown: "/nowhere",
  };
};

for (const look of ["light", "dark", "phone"]) {
  journey("every route is accessible and fits", look, async (view) => {
    await view.page.goto(`${BASE}/sign-in`);
    await view.page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    await accessible(view, "sign-in");
    await shot(view, "sign-in");
    await signIn(view);
    for (const [name, path] of Object.entries(await ROUTES())) {
      await view.page.goto(`${BASE}${path}`);
      await live(view);
      await view.page.locator(".skeleton").first().waitFor({ state: "detached" });
      await accessible(view, name);
      await fits(view, name);
      await shot(view, name);
    }
    view.forgive(/404/);
  });
}

journey("a proof is checked in the browser alone", "light", async (view) => {
  const { page } = view;
  const sample = (name) => new URL(`../../dashboard-web/proof/${name}`, import.meta.url).pathname;
  await signIn(view);
  await page.getByRole("link", { name: "Check a proof" }).click();
  await page.getByRole("heading", { level: 1, name: "Check a proof" }).waitFor();
  await accessible(view, "proof");
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.getByLabel(/^Proof, as/).setInputFiles(sample("sample.json"));
  await page.getByLabel(/^Public keys/).setInputFiles(sample("sample.keys"));
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByRole("heading", { name: "The proof holds" }).waitFor();
  await shot(view, "proof");
  const proof = JSON.parse(readFileSync(sample("sample.json"), "utf8"));
  proof.path[0] = proof.path[0].replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  const forged = JSON.stringify(proof);
  await page.getByLabel(/^Proof, as/).setInputFiles({ name: "forged.json", mimeType: "application/json", buffer: Buffer.from(forged) });
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByRole("heading", { name: "The proof does NOT hold" }).waitFor();
  assert.deepEqual(asked, [], "nothing is sent");
});

journey("menu sheet opens and closes", "phone", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.getByRole("button", { name: "Open the menu" }).click();
  await accessible(view, "menu");
  await page.getByRole("link", { name: "Vaults", exact: true }).click();
  await page.waitForURL(/\/vaults$/);
  await page.getByRole("button", { name: "Open the menu" }).waitFor();
});

journey("signing out ends the session", "light", async (view) => {
  const { page } = view;
  await signIn(view);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
  await page.goto(`${BASE}/vaults`);
  await page.waitForURL(/\/sign-in\?next=%2Fvaults/);
  view.forgive(/401/);
});
