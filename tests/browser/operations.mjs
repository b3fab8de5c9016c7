// The operators' page, in a real Chromium: what is parked, and another try at it.
//
// PHASE says whether what the projection depends on is still damaged or mended; STREAM is one of the COUNT streams that are
// parked.
// Run by the system test `quarantine`.

import test, { after, before } from "node:test";
import { BASE, accessible, fits, given, launch, open, shot } from "./page.mjs";
import { signIn } from "./steps.mjs";

const STREAM = given("STREAM");
const COUNT = given("COUNT");
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Signs in and comes to the page by the link that the dashboard has. */
async function come(view) {
  const { page } = view;
  await signIn(view);
  if (view.look === "phone") await page.getByRole("button", { name: "Open the menu" }).click();
  await page.getByRole("link", { name: "Projections" }).click();
  await page.getByRole("heading", { level: 1, name: "Projections" }).waitFor();
  await page.getByRole("cell", { name: "transfers", exact: true }).first().waitFor();
}

/** Asks for another try, with a reason. */
async function again(view, reason) {
  const { page } = view;
  await page.getByRole("button", { name: /^Show: transfers/ }).click();
  await page.getByText(STREAM).first().waitFor();
  await page.getByLabel("Reason, for the record").fill(reason);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Asked for.").waitFor();
}

const PHASES = {
  damaged: ["light", "phone"].map((look) => [
    look,
    async (view) => {
      const { page } = view;
      await come(view);
      await page.getByText("Parked", { exact: true }).waitFor();
      await accessible(view, "projections");
      await again(view, "to see what happens");
      await page.getByText(`0 folded again, ${COUNT} parked still`).waitFor();
      await page.getByText(/cannot be read/).first().waitFor();
      await accessible(view, "parked");
      await fits(view, "parked");
      await shot(view, "parked");
    },
  ]),
  mended: [
    [
      "dark",
      async (view) => {
        const { page } = view;
        await come(view);
        await again(view, "the row was put back");
        await page.getByText(`${COUNT} folded again, 0 parked still`).waitFor();
        await page.getByText("Nothing is parked here.").waitFor();
        await accessible(view, "healed");
        await shot(view, "healed");
        await page.getByRole("button", { name: "Close" }).click();
        await page.getByRole("heading", { level: 2 }).waitFor({ state: "detached" });
      },
    ],
  ],
};

for (const [look, run] of PHASES[given("PHASE")]) {
  test(`projections, ${given("PHASE")} (${look})`, async () => {
    const view = await open(browser, look);
    try {
      await run(view);
      view.calm();
    } catch (error) {
      await shot(view, "failed-projections").catch(() => {});
      throw error;
    } finally {
      await view.close();
    }
  });
}

if (given("PHASE") === "mended") {
  test("a tenant is told whose page this is (light)", async () => {
    const view = await open(browser, "light");
    try {
      await view.page.goto(`${BASE}/operations.html`);
      await view.page.getByText(/^Sign in with a key of the platform organization/).waitFor();
      await accessible(view, "signed out");
      view.forgive(/401/);
      view.calm();
    } finally {
      await view.close();
    }
  });
}
