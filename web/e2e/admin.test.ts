import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject } from "vitest";

import { ask, picture, publish, test, URL_OF_SERVER } from "./journey";
import { PYTHON, ROOT } from "./programs";
import { parkingDocument, startUpstream, type Upstream } from "./upstream";

const CALLER = join(ROOT, "web/e2e/call_tool.py");

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.stop());

interface Called {
  tools: string[];
  is_error: boolean;
  structured: Record<string, unknown>;
}

/** The official MCP client, in a process of its own. */
async function callTool(key: string, tool: string, args: object): Promise<Called> {
  const { stdout } = await promisify(execFile)(PYTHON, [CALLER, `${URL_OF_SERVER}/mcp`, key, tool, JSON.stringify(args)]);
  return JSON.parse(stdout) as Called;
}

const fileOf = (document: object, name: string) => ({ name, mimeType: "application/json", buffer: Buffer.from(JSON.stringify(document)) });

async function isFocused(page: Page, name: string | RegExp, role: "button" | "switch" | "textbox" = "button"): Promise<boolean> {
  return page.getByRole(role, { name }).first().evaluate((element) => element === document.activeElement);
}

/** Tab until something has the focus, as somebody without a pointer does. */
async function tabTo(page: Page, name: string | RegExp, role: "button" | "switch" | "textbox" = "button"): Promise<void> {
  await page.getByRole(role, { name }).first().waitFor();
  for (let presses = 0; presses < 120; presses += 1) {
    if (await isFocused(page, name, role)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never reached ${String(name)}`);
}

test("a document is imported from a file, published, and its tool called", async ({ open }) => {
  const page = await open("/admin/import");
  await page.locator("input[type=file]").setInputFiles(fileOf(parkingDocument(upstream.url), "parking.json"));
  await page.getByRole("textbox", { name: "Bundle" }).fill("parking");
  await page.getByRole("switch", { name: "The service lies in our own network" }).click();
  await page.getByRole("button", { name: /plan|Read/i }).first().click();
  await page.getByRole("table", { name: "Operations" }).getByText("reserve_spot").first().waitFor();
  await picture(page, "admin-import-plan");
  await page.getByRole("button", { name: "Import 2 tools and publish" }).click();
  await page.waitForURL(/\/admin\/tools\?bundle=parking/);
  await page.getByRole("table", { name: "Tools" }).getByText("list_spots").first().click();
  await page.getByRole("tab", { name: /Try/ }).click();
  await page.getByRole("button", { name: "Call list_spots" }).click();
  const answer = page.getByRole("region", { name: "answer" });
  await answer.getByText("A1").waitFor();
});

test("a document is imported from its address by keyboard alone", async ({ open }) => {
  const page = await open("/admin/import");
  await tabTo(page, "Or its address", "textbox");
  await page.keyboard.type(`${inject("bookingUrl")}/openapi.json`);
  await tabTo(page, "Bundle", "textbox");
  await page.keyboard.type("by_keyboard");
  await tabTo(page, "Base URL", "textbox");
  await page.keyboard.type(inject("bookingUrl"));
  await tabTo(page, "The service lies in our own network", "switch");
  await page.keyboard.press("Space");
  await tabTo(page, /plan|Read/i);
  await page.keyboard.press("Enter");
  await page.getByRole("table", { name: "Operations" }).waitFor();
  await tabTo(page, /^Import \d+ tools? and publish$/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/admin\/tools/);
});

test("what a program asks is approved by a second person, and happens once", async ({ open }) => {
  const page = await open("/admin/users");
  await publish(page, parkingDocument(upstream.url, "Garage"), "garage");
  await page.getByRole("button", { name: "Add a user" }).click();
  const form = page.getByRole("dialog");
  await form.getByRole("textbox", { name: "Username" }).fill("ravi");
  await form.getByRole("textbox", { name: "Name", exact: true }).fill("Ravi Kulkarni");
  await form.getByRole("textbox", { name: "Password" }).fill("a long enough secret 42");
  const roles = form.getByRole("textbox", { name: "Roles" }).or(form.getByRole("combobox", { name: "Roles" })).first();
  await roles.click();
  await page.getByRole("option", { name: "administrator", exact: true }).click();
  await page.keyboard.press("Escape");
  await form.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("Ravi Kulkarni").first().waitFor();

  const { token } = await ask<{ token: string }>(page, "POST", "/api/keys", { name: "garage program", roles: ["administrator"] });
  const { items } = await ask<{ items: { name: string }[] }>(page, "GET", "/api/tools?bundle=garage&q=reserve");
  const tool = items[0]?.name ?? "";
  const before = upstream.reserved.length;
  const call = (approval?: string) =>
    fetch(`${URL_OF_SERVER}/api/tools/${tool}/call`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ arguments: { spot: "A1", hours: 2 }, ...(approval ? { approval_id: approval } : {}) }),
    }).then((answer) => answer.json() as Promise<{ outcome: string; confirmation?: { approval_id: string } }>);
  const asked = await call();
  expect(asked.outcome).toBe("needs_confirmation");
  const approvalId = asked.confirmation?.approval_id ?? "";

  const second = await open("/admin/approvals", { storageState: { cookies: [], origins: [] } });
  await second.getByRole("textbox", { name: "User name" }).fill("ravi");
  await second.getByRole("textbox", { name: "Password" }).fill("a long enough secret 42");
  await second.getByRole("button", { name: "Sign in", exact: true }).click();
  await second.getByRole("table", { name: "Requests for approval" }).getByText("garage program").first().click();
  await picture(second, "admin-approvals");
  await second.getByRole("button", { name: "Approve this call" }).click();
  await second.getByText("Answered by").waitFor();

  expect((await call(approvalId)).outcome).toBe("succeeded");
  expect(upstream.reserved.slice(before)).toEqual([{ spot: "A1", hours: 2 }]);
  const approval = await ask<{ state: string; decided_by: string }>(page, "GET", `/api/approvals/${approvalId}`);
  expect(approval.state).toBe("consumed");
  expect(approval.decided_by).not.toBe("");
});

test("the audit trail is verified from its page", async ({ open }) => {
  const page = await open("/admin/audit");
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("The trail is intact").waitFor();
  await page.getByText(/\d records in \d+ chains/).waitFor();
});

test("a key made on its page is used by an MCP client, until it is ended", async ({ open }) => {
  const page = await open("/admin/keys");
  await page.getByRole("button", { name: "Make a key" }).first().click();
  const form = page.getByRole("dialog");
  await form.getByRole("textbox", { name: "Name" }).fill("workshop tablet");
  await form.getByRole("button", { name: "Make it" }).click();
  const key = await page.getByRole("region", { name: "The key" }).innerText();
  await page.getByRole("button", { name: "I have kept it" }).click();
  const called = await callTool(key.trim(), "get_nearby_dealers", { city: "Pune", area: "Baner" });
  expect(called.tools).toContain("create_service_booking");
  expect(called.is_error).toBe(false);
  expect(JSON.stringify(called.structured)).toContain("MSIL-PUNE-002");

  await page.getByRole("table", { name: "Keys" }).getByText("workshop tablet").first().click();
  await page.getByRole("button", { name: "End this key" }).click();
  await page.getByRole("button", { name: "End the key" }).click();
  await expect.poll(async () => callTool(key.trim(), "get_nearby_dealers", { city: "Pune" }).then(() => "worked", () => "refused")).toBe("refused");
});

test("who signs out of the administration is asked who they are", async ({ open }) => {
  const page = await open("/admin/", { storageState: { cookies: [], origins: [] } });
  await page.getByRole("button", { name: "Continue on this computer" }).click();
  await page.getByRole("button", { name: "Administrator" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Continue on this computer" }).waitFor();
});
