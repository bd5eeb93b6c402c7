import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

import { ask, beginSession, BOOKING_ANSWER, BOOKING_SENTENCE, PHONE, say, test, URL_OF_SERVER } from "./journey";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const EVERY_PAGE_MS = 180_000;
/** The rules whose answer depends on the theme. */
const COLOURS = ["color-contrast", "link-in-text-block"];

interface Axe {
  run: (on: Document, options: object) => Promise<AxeResults>;
}

/** Axe's complaints about what is shown now, in the light theme and in the dark one. */
async function complaints(page: Page, where: string): Promise<string[]> {
  await settled(page);
  // Given to the page by the debugger, so that the page's own policy stays as it is.
  await page.evaluate(axe);
  const check = (options: object) =>
    page.evaluate<AxeResults["violations"], object>(
      async (how) => (await (window as unknown as { axe: Axe }).axe.run(document, { ...how, resultTypes: ["violations"] })).violations,
      options,
    );
  const light = await check({ runOnly: { type: "tag", values: RULES } });
  await wear(page, "dark");
  const dark = await check({ runOnly: { type: "rule", values: COLOURS } });
  await wear(page, "light");
  return [...light.map(inWords(`${where}, light`)), ...dark.map(inWords(`${where}, dark`))].flat();
}

const inWords = (where: string) => (found: AxeResults["violations"][number]) => found.nodes.map((node) => `${where}: ${found.id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`);

/** What the switch in the header does, also while a dialog is open before it. */
async function wear(page: Page, theme: "light" | "dark"): Promise<void> {
  await page.evaluate(async (value) => {
    document.documentElement.setAttribute("data-mantine-color-scheme", value);
    await new Promise(requestAnimationFrame);
    // Colours on their way from one theme to the other are nobody's to read.
    for (const animation of document.getAnimations()) if (animation instanceof CSSTransition) animation.finish();
  }, theme);
}

/** Until nothing is loading; pages that ask again and again are never idle on the network. */
async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("main") !== null && document.querySelector(".mantine-Skeleton-root, main .mantine-Loader-root") === null);
}

test("the sign-in pages have no violation of WCAG 2.1 AA", async ({ open }) => {
  const found: string[] = [];
  for (const path of ["/chat/", "/admin/"]) {
    const page = await open(path, { storageState: { cookies: [], origins: [] } });
    await page.getByRole("button", { name: "Continue on this computer" }).waitFor();
    found.push(...(await complaints(page, path)));
  }
  expect(found).toEqual([]);
});

test("the pages of the chat have no violation of WCAG 2.1 AA", async ({ open }) => {
  const page = await open("/chat/");
  await page.getByRole("group", { name: "Suggestions" }).getByRole("button").first().waitFor();
  const found = await complaints(page, "welcome");
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).waitFor();
  found.push(...(await complaints(page, "account")));
  await page.keyboard.press("Escape");
  await say(page, BOOKING_SENTENCE.replace("10 AM", "9 AM"));
  await page.getByRole("button", { name: "Answer again" }).waitFor();
  found.push(...(await complaints(page, "conversation")));
  await say(page, BOOKING_ANSWER);
  await page.getByRole("button", { name: "Exact request" }).click();
  found.push(...(await complaints(page, "confirmation")));
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  found.push(...(await complaints(page, "confirmation, edited")));
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("button", { name: "Check status" }).waitFor();
  await page.getByRole("log").getByRole("button", { name: /booking/i }).last().click();
  found.push(...(await complaints(page, "booking")));
  await page.setViewportSize(PHONE);
  await page.getByRole("button", { name: "Conversations" }).click();
  found.push(...(await complaints(page, "drawer")));
  const slow = await beginSession(page, { model: "vllm:e2e" });
  await page.goto(`${URL_OF_SERVER}/chat/c/${slow}`);
  await say(page, "Tell me something");
  await page.getByRole("button", { name: "Answer again" }).waitFor();
  found.push(...(await complaints(page, "Markdown")));
  expect(found).toEqual([]);
});

test("every page of the administration has no violation of WCAG 2.1 AA", async ({ open }) => {
  const page = await open("/admin/", { colorScheme: "light" });
  await prepare(page);
  const paths = await pathsOf(page);
  expect(paths.length).toBeGreaterThan(12);
  const found: string[] = [];
  for (const path of paths) {
    await page.getByRole("navigation").locator(`a[href="${path}"]`).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    found.push(...(await complaints(page, path)));
    found.push(...(await complaintsOfPanel(page, path)));
  }
  expect(found).toEqual([]);
}, EVERY_PAGE_MS);

/** Something in every list. */
async function prepare(page: Page): Promise<void> {
  await ask(page, "POST", "/api/keys", { name: `reader ${crypto.randomUUID().slice(0, 8)}`, roles: ["user"] });
  await ask(page, "POST", "/api/webhooks", { url: "https://hooks.example.com/msil", event_types: ["tool.called"], description: "Workshop" });
  await ask(page, "POST", "/api/tools/create_service_booking/call", {
    arguments: { customer_mobile: "9876543210", vehicle_registration: "MH12AB1234", dealer_code: "MSIL-PUNE-001", appointment_date: "2026-12-01", appointment_time: "10:00", service_type: "regular" },
  }).catch(() => undefined);
}

/** Where the navigation leads. */
async function pathsOf(page: Page): Promise<string[]> {
  const links = page.getByRole("navigation").getByRole("link");
  await links.first().waitFor();
  const found = await links.evaluateAll((anchors) => anchors.map((anchor) => new URL((anchor as HTMLAnchorElement).href).pathname));
  return [...new Set(found)];
}

/** The panel a list opens, where its rows open one; its tabs too. */
async function complaintsOfPanel(page: Page, path: string): Promise<string[]> {
  const row = page.locator("main table tbody tr[class*=selectable]").first();
  if ((await row.count()) === 0) return [];
  await row.locator("td").first().click();
  const panel = page.getByRole("dialog");
  // A row may lead to a page instead.
  if (!(await panel.waitFor({ timeout: 4_000 }).then(() => true, () => false))) return complaints(page, `${path}, row`);
  const found = await complaints(page, `${path}, panel`);
  for (const tab of (await panel.getByRole("tab").all()).slice(1)) {
    await tab.click();
    found.push(...(await complaints(page, `${path}, ${await tab.innerText()}`)));
  }
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  return found;
}
