import { fileURLToPath } from "node:url";

import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { test as base, expect, inject } from "vitest";

export const URL_OF_SERVER = inject("url");
export const BOOKING_SENTENCE = "Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune";
export const BOOKING_ANSWER = "9876543210, regular, yes";
export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1440, height: 900 };

const connected = chromium.connect(inject("browser"));
const SIGNED_IN = JSON.parse(inject("signedIn")) as Exclude<BrowserContextOptions["storageState"], string | undefined>;

export type Opened = Page & { readonly session: BrowserContext };
export type Open = (path: string, options?: BrowserContextOptions) => Promise<Page>;

/**
 * `open(path)` shows a page to the administrator in a context of its own. However a test ends, no
 * request may have left our origin, no script may have failed and no policy may have been broken.
 */
export const test = base.extend<{ open: Open }>({
  open: async ({ task }, give) => {
    const contexts: BrowserContext[] = [];
    const faults: string[] = [];
    await give(async (path, options = {}) => {
      const context = await (await connected).newContext({
        viewport: DESK,
        locale: "en-IN",
        timezoneId: "Asia/Kolkata",
        reducedMotion: "reduce",
        storageState: SIGNED_IN,
        ...options,
      });
      contexts.push(context);
      context.setDefaultTimeout(20_000);
      context.on("request", (request) => {
        const { protocol, origin } = new URL(request.url());
        if (protocol.startsWith("http") && origin !== URL_OF_SERVER) faults.push(`request to ${request.url()}`);
      });
      context.on("weberror", (error) => faults.push(String(error.error())));
      context.on("console", (message) => {
        if (message.text().includes("Content Security Policy")) faults.push(message.text());
      });
      const page = await context.newPage();
      page.on("websocket", (socket) => {
        if (new URL(socket.url()).host !== new URL(URL_OF_SERVER).host) faults.push(`socket to ${socket.url()}`);
      });
      await page.goto(URL_OF_SERVER + path);
      return page;
    });
    for (const context of contexts) await context.close();
    expect(faults, `in “${task.name}”`).toEqual([]);
  },
});

/** Our REST API, as the person of this page. */
export async function ask<T>(page: Page, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await page.request.fetch(URL_OF_SERVER + path, {
    method,
    headers: { Origin: URL_OF_SERVER },
    ...(body === undefined ? {} : { data: body }),
  });
  const text = await answer.text();
  if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** A document's tools in force, past the pages. */
export async function publish(page: Page, document: object, bundle: string): Promise<void> {
  const query = new URLSearchParams({ bundle, filename: `${bundle}.json`, allow_private: "true" });
  let draft = await ask<{ id: string; state: string }>(page, "POST", `/api/imports?${query.toString()}`, document);
  await expect
    .poll(async () => (draft = await ask<typeof draft>(page, "GET", `/api/imports/${draft.id}`)).state, { timeout: 20_000 })
    .toBe("ready");
  await ask(page, "POST", `/api/imports/${draft.id}/apply`, { publish: true });
}

/** Begins a conversation; with a model of the journeys' own if it is named. */
export async function beginSession(page: Page, body: { model?: string; language?: string } = {}): Promise<string> {
  return (await ask<{ id: string }>(page, "POST", "/api/chat/sessions", body)).id;
}

/** A page of somebody who is new here, whose choices are nobody else's. */
export async function openAsSomebodyNew(open: Open, path: string): Promise<Page> {
  const username = `new-${crypto.randomUUID().slice(0, 8)}`;
  const body = { username, display_name: "Asha Kulkarni", roles: ["user"] };
  const { password } = await ask<{ password: string }>(await open("/admin/"), "POST", "/api/users", body);
  const page = await open(path, { storageState: { cookies: [], origins: [] } });
  await ask(page, "POST", "/api/auth/login", { username, password });
  await page.goto(URL_OF_SERVER + path);
  return page;
}

export const composer = (page: Page, name = "What do you want to say?") => page.getByLabel(name);

export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** A picture for the documentation and for whoever looks over the pages. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: fileURLToPath(new URL(`../out/${name}.png`, import.meta.url)) });
}
