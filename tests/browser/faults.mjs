// The dashboard while processes and engines of a cluster are killed: what it says, and that it recovers by itself.
//
// Run by the system test `cluster_losses`, which does what this page asks for: a line `do: WHAT` on standard output, and
// `done` on standard input once it is done. A person never reloads anything here.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { BASE, accessible, fits, launch, open, shot } from "./page.mjs";
import { addressOf, live, rest, signIn } from "./steps.mjs";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has something done to the cluster. */
async function have(what) {
  console.log(`do: ${what}`);
  const { value } = await answers.next();
  assert.equal(value, "done", what);
}

const { items: vaults } = await rest("GET", "/v1/vaults?name=Operations");
const body = { vaultId: vaults[0].id, asset: "eip155:31337/slip44:60", amount: "1000000000000000", destination: await addressOf("Payouts") };

/** A transfer that somebody else asks for; no view is read for it. */
const transfer = (key) => rest("POST", "/v1/transfers", body, { "idempotency-key": key });

const kind = (view, name) => view.page.locator(`.live[data-kind=${name}]`).waitFor();
const row = (view, made) => view.page.locator(`tr:has(a[href="/transfers/${made.id}"])`);

async function projectors(view) {
  const before = await transfer("page-before");
  await row(view, before).waitFor();
  await have("kill projectors");
  const unseen = await transfer("page-unfolded");
  await kind(view, "behind");
  await view.page.getByText(/^Catching up, .* behind$/).waitFor();
  await row(view, before).waitFor();
  await accessible(view, "behind");
  await shot(view, "fault-projectors");
  await have("start projectors");
  await live(view);
  await row(view, unseen).waitFor();
}

async function cassandra(view) {
  await have("kill cassandra");
  await transfer("page-without-views");
  // Nothing new can be read: what is open says how old it is, what is opened says why it is empty.
  await kind(view, "behind");
  await view.page.getByRole("link", { name: "Vaults", exact: true }).click();
  await view.page.getByText("does not answer").first().waitFor();
  await accessible(view, "views away");
  await fits(view, "views away");
  await shot(view, "fault-cassandra");
  await have("start cassandra");
  await live(view);
  await view.page.getByRole("link", { name: "Operations" }).first().waitFor();
}

async function doors(view) {
  await have("kill doors");
  await kind(view, "joining");
  await view.page.getByText(/^Reconnecting, /).waitFor();
  await view.page.getByRole("link", { name: "Operations" }).first().waitFor();
  await shot(view, "fault-doors");
  if (process.env.VAULTSTREAM_SOAK) {
    await kind(view, "offline");
    await view.page.getByText("What you see is the last known state").waitFor();
    await shot(view, "fault-doors-long");
  }
  await have("open doors");
  await live(view);
}

const browser = await launch();
const view = await open(browser, "light");
try {
  await signIn(view);
  await view.page.goto(`${BASE}/transfers`);
  await live(view);
  const document = await view.documents();
  for (const step of [projectors, cassandra, doors]) {
    await step(view);
    console.log(`ok: ${step.name}`);
  }
  assert.equal(await view.documents(), document, "it came back by itself, it was not loaded again");
  // What cannot be reached is told by the browser's own console, too.
  view.forgive(/ERR_CONNECTION|WebSocket|503|504|ERR_EMPTY_RESPONSE/);
  view.calm();
} catch (error) {
  await shot(view, "failed-fault").catch(() => {});
  throw error;
} finally {
  await browser.close();
}
process.exit(0);
