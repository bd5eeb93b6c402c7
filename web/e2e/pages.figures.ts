import type { Page } from "playwright-core";

import { ask, beginSession, composer, publish, test, URL_OF_SERVER } from "./journey";

const TOOLS = 5_000;
const MESSAGES = 2_000;
const ROUNDS = 5;
const KEYS = "What is the status of my booking, please?";

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function say(what: string, milliseconds: number, allowed: number): void {
  const verdict = milliseconds < allowed ? "holds" : "DOES NOT HOLD";
  console.log(`${what}: ${milliseconds.toFixed(1)} ms, allowed ${allowed} ms: ${verdict}`);
}

/** As many reading operations as asked for, each with two parameters. */
function documentOf(count: number): object {
  const paths = Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `/things/${n}/{id}`,
      {
        get: {
          operationId: `read_thing_${n}`,
          summary: `Read thing ${n}`,
          parameters: [
            { name: "id", in: "path", required: true, schema: { type: "string" } },
            { name: "expand", in: "query", schema: { type: "boolean" } },
          ],
          responses: { 200: { description: "The thing", content: { "application/json": { schema: { type: "object" } } } } },
        },
      },
    ]),
  );
  return { openapi: "3.1.0", info: { title: "Things", version: "1" }, servers: [{ url: "https://things.example.com" }], paths };
}

/** From asking for the page to rows in sight that a search answers. */
async function interactiveAfter(page: Page): Promise<number> {
  const began = performance.now();
  await page.goto(`${URL_OF_SERVER}/admin/tools?q=read_thing_4999`);
  await page.getByRole("button", { name: "read_thing_4999" }).waitFor();
  await page.getByLabel("Search tools").focus();
  return performance.now() - began;
}

test("the list of 5,000 tools", async ({ open }) => {
  const page = await open("/admin/");
  await publish(page, documentOf(TOOLS), "things");
  const all: number[] = [];
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await page.goto(`${URL_OF_SERVER}/admin/tools`);
    await page.getByText(/ of \d{4}$/).waitFor();
    await page.getByRole("button", { name: "read_thing_0", exact: true }).waitFor();
    all.push(performance.now() - began);
    found.push(await interactiveAfter(page));
  }
  say(`${TOOLS} tools: the list, from its address to rows that can be opened`, median(all), 1_000);
  say(`${TOOLS} tools: the last of them, searched for by the address`, median(found), 1_000);
});

/** Every message of a long conversation in one page of the API, so that all of them are in the page. */
function longHistory(sessionId: string): object {
  const at = "2026-11-22T10:00:00Z";
  const items = Array.from({ length: MESSAGES }, (_, n) => ({
    id: n.toString(16).padStart(30, "0"),
    sequence: n + 1,
    parent_id: n === 0 ? null : (n - 1).toString(16).padStart(30, "0"),
    role: n % 2 === 0 ? "user" : "assistant",
    status: "complete",
    parts: [{ type: "text", text: `Message ${n} of a **long** conversation about a service at a dealer near Pune, with some words.` }],
    model: "msil-scripted",
    input_tokens: 100,
    output_tokens: 20,
    cached_tokens: 0,
    cost_usd: 0,
    run_id: null,
    rating: null,
    comment: null,
    created_at: at,
  }));
  return { items, next_cursor: null, tool_uses: [], approvals: [], runs: [], session_id: sessionId };
}

test("typing in a session of 2,000 messages", async ({ open }) => {
  const page = await open("/chat/");
  const session = await beginSession(page);
  await page.route("**/messages?*", (route) => route.fulfill({ json: longHistory(session) }));
  await page.goto(`${URL_OF_SERVER}/chat/c/${session}`);
  await page.getByRole("log").getByText(`Message ${MESSAGES - 1} of`).waitFor({ timeout: 120_000 });
  // Every answer is formatted: what is measured is a letter, not the opening of the page.
  await page.waitForFunction((answers) => document.querySelectorAll("[role=log] strong").length === answers, MESSAGES / 2, { timeout: 120_000 });
  const field = composer(page);
  await field.focus();
  const times = await page.evaluate(async (text) => {
    const area = document.activeElement as HTMLTextAreaElement;
    // Past React, which otherwise takes the text for one that it set itself.
    const value = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value");
    const taken: number[] = [];
    const worked: number[] = [];
    for (let end = 1; end <= text.length; end += 1) {
      const began = performance.now();
      value?.set?.call(area, text.slice(0, end));
      area.dispatchEvent(new InputEvent("input", { bubbles: true }));
      await Promise.resolve();
      const handled = performance.now();
      // Until the letter is painted: the frame after the one it was handled in.
      const frame = await new Promise<number>((done) => requestAnimationFrame(() => done(performance.now())));
      await new Promise((done) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = done;
        channel.port2.postMessage(null);
      });
      const painted = performance.now();
      taken.push(painted - began);
      // Without the wait for the screen's next turn.
      worked.push(handled - began + painted - frame);
    }
    return { taken, worked };
  }, KEYS);
  const slowest = (values: readonly number[]) => values.toSorted((a, b) => b - a)[1] ?? Number.NaN;
  say(`${MESSAGES} messages: a letter, from the key to the screen, median`, median(times.taken), 50);
  say(`${MESSAGES} messages: the slowest letter but one`, slowest(times.taken), 50);
  say(`${MESSAGES} messages: the page's own work at a letter, median`, median(times.worked), 10);
  await ask(page, "DELETE", `/api/chat/sessions/${session}`);
});
