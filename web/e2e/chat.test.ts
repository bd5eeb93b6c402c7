import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { expect } from "vitest";

import { HOSTILE } from "./model";
import {
  ask,
  beginSession,
  BOOKING_ANSWER,
  BOOKING_SENTENCE,
  composer,
  openAsSomebodyNew,
  PHONE,
  picture,
  publish,
  say,
  test,
} from "./journey";
import { noticeDocument, startUpstream } from "./upstream";

const BOOKING_ID = /BK\d{6}[A-Z0-9]{4}/;
const MINUTE_MS = 60_000;

test("a service is booked by chat in under a minute, once a person has approved it", async ({ open }) => {
  const page = await open("/chat/");
  await page.getByText("Scripted model").waitFor();
  await page.getByRole("group", { name: "Suggestions" }).getByRole("button").first().waitFor();
  await picture(page, "chat-welcome");
  const began = Date.now();
  await say(page, BOOKING_SENTENCE);
  await page.getByText("please give me the mobile number").first().waitFor();
  await say(page, BOOKING_ANSWER);
  const confirmation = page.getByRole("region", { name: "Please confirm" });
  await confirmation.getByText("MSIL-PUNE-001", { exact: true }).waitFor();
  await picture(page, "chat-confirmation");
  await confirmation.getByRole("button", { name: "Approve" }).click();
  const booking = page.getByRole("region", { name: BOOKING_ID });
  await booking.getByText("CONFIRMED").waitFor();
  expect(Date.now() - began).toBeLessThan(MINUTE_MS);
  await page.getByText(/Booked\. Your booking id is BK/).first().waitFor();
  await picture(page, "chat-booking");

  const [calendar] = await Promise.all([page.waitForEvent("download"), booking.getByRole("button", { name: "Add to calendar" }).click()]);
  expect(calendar.suggestedFilename()).toMatch(/^BK.*\.ics$/);
});

test("a booking is made by keyboard alone", async ({ open }) => {
  const page = await open("/chat/");
  await expect.poll(() => composer(page).evaluate((field) => field === document.activeElement)).toBe(true);
  await page.keyboard.type(BOOKING_SENTENCE.replace("10 AM", "11 AM"));
  await page.keyboard.press("Enter");
  await page.getByText("please give me the mobile number").first().waitFor();
  await page.keyboard.type(BOOKING_ANSWER);
  await page.keyboard.press("Enter");
  const approve = page.getByRole("button", { name: "Approve" });
  await approve.waitFor();
  for (let presses = 0; presses < 20 && !(await approve.evaluate((button) => button === document.activeElement)); presses += 1) {
    await page.keyboard.press("Shift+Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: BOOKING_ID }).waitFor();
});

test("what was declined is not booked, and the assistant is told why", async ({ open }) => {
  const page = await open("/chat/");
  await say(page, BOOKING_SENTENCE.replace("10 AM", "2 PM"));
  await page.getByText("please give me the mobile number").first().waitFor();
  await say(page, BOOKING_ANSWER);
  await page.getByRole("button", { name: "Decline" }).click();
  await page.getByLabel(/Why not/).fill("My brother needs the car");
  await page.getByRole("button", { name: "Decline" }).click();
  await page.getByText("Declined:").waitFor();
  await page.getByRole("button", { name: "Answer again" }).waitFor();
  expect(await page.getByRole("log").innerText()).not.toMatch(BOOKING_ID);
  const approvals = await ask<{ items: { reason: string | null }[] }>(page, "GET", "/api/approvals?state=declined");
  expect(approvals.items.map((one) => one.reason)).toContain("My brother needs the car");
});

test("an answer goes on after a reload in the middle of it", async ({ open }) => {
  const page = await open("/chat/");
  const id = await beginSession(page, { model: "vllm:e2e" });
  await page.goto(new URL(`/chat/c/${id}`, page.url()).href);
  await say(page, "Speak slowly");
  await page.getByText(/word20\b/).waitFor();
  await page.reload();
  await page.getByText(/word20\b/).waitFor();
  await page.getByText(/word90\b/).waitFor();
  expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
  await page.getByRole("button", { name: "Stop the answer" }).click();
});

test("a stopped answer stays as far as it came", async ({ open }) => {
  const page = await open("/chat/");
  const id = await beginSession(page, { model: "vllm:e2e" });
  await page.goto(new URL(`/chat/c/${id}`, page.url()).href);
  await say(page, "Speak slowly");
  await page.getByText(/word10\b/).waitFor();
  await page.getByRole("button", { name: "Stop the answer" }).click();
  await page.getByText("Stopped.").waitFor();
  await page.reload();
  await page.getByText("Stopped.").waitFor();
  const text = await page.getByRole("article", { name: "Assistant" }).innerText();
  expect(text).toContain("word10");
  expect(text).not.toContain("word400");
});

test("an edited message makes a branch, and the first one can be gone back to", async ({ open }) => {
  const page = await open("/chat/");
  await say(page, "Which dealers are near Baner, Pune?");
  await page.getByRole("button", { name: "Answer again" }).waitFor();
  await page.getByRole("button", { name: "Edit and send again" }).click();
  await page.getByRole("textbox", { name: "Edit and send again" }).fill("Which dealers are near Whitefield, Bengaluru?");
  await page.getByRole("button", { name: "Send", exact: true }).first().click();
  await page.getByText("MSIL Service Whitefield", { exact: true }).first().waitFor();
  const versions = page.getByRole("article", { name: "You" }).getByRole("group", { name: "Versions of this message" });
  await versions.getByText("2 of 2").waitFor();
  await versions.getByRole("button", { name: "Previous version" }).click();
  await versions.getByText("1 of 2").waitFor();
  await page.getByText("MSIL Service Baner", { exact: true }).first().waitFor();
  expect(await page.getByText("MSIL Service Whitefield", { exact: true }).count()).toBe(0);
});

test("a slot is picked with a click", async ({ open }) => {
  const page = await open("/chat/");
  await say(page, "Book a service for MH12CD5678 tomorrow near Hinjewadi, Pune");
  await page.getByRole("group", { name: "Afternoon" }).getByRole("button", { name: "15:30" }).click();
  await page.getByRole("article", { name: "You" }).getByText("15:30").waitFor();
  await page.getByText(/please give me the mobile number/).last().waitFor();
  await say(page, "9876543210, regular, yes");
  await page.getByRole("region", { name: "Please confirm" }).getByText("15:30", { exact: true }).waitFor();
});

test("somebody who speaks Hindi is spoken to in Hindi", async ({ open }) => {
  const page = await openAsSomebodyNew(open, "/chat/");
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitemradio", { name: "हिन्दी" }).click();
  await page.getByRole("heading", { name: "मैं आपके लिए क्या कर सकता हूँ?" }).or(page.locator("h1", { hasText: /[\u0900-\u097f]/ })).first().waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("hi");
  await page.getByRole("textbox").last().fill("मेरी कार MH12AB1234 की सर्विस कल सुबह 10 बजे हिंजेवाड़ी, पुणे के पास बुक करो");
  await page.keyboard.press("Enter");
  await page.getByText("MSIL Service Hinjewadi", { exact: true }).first().waitFor();
  await page.getByText(/मोबाइल नंबर/).first().waitFor();
  await picture(page, "chat-hindi");
  // On another device, which knows nothing of it.
  await page.evaluate(() => localStorage.clear());
  await page.goto(new URL("/chat/", page.url()).href);
  await page.locator("h1", { hasText: /[\u0900-\u097f]/ }).waitFor();
});

test("hostile text of a model or a tool stays text", async ({ open }) => {
  const upstream = await startUpstream();
  const page = await open("/chat/");
  await publish(page, noticeDocument(upstream.url), "notices");
  const id = await beginSession(page, { model: "vllm:e2e" });
  await page.goto(new URL(`/chat/c/${id}`, page.url()).href);
  await say(page, `What does the notice say? ${HOSTILE}`);
  await page.getByRole("button", { name: "Answer again" }).waitFor();
  const log = page.getByRole("log");
  await log.getByRole("button", { name: /notice/i }).first().click();
  await log.getByRole("region", { name: "Result" }).getByText("window.stolen").waitFor();
  for (const article of await log.getByRole("article").all()) {
    expect(await article.innerText()).toContain("<script>window.stolen = 1</script>");
  }
  expect(await log.innerText()).not.toContain("\u001b");
  expect(await log.locator("script, img, iframe, [onerror], a[href^='javascript']").count()).toBe(0);
  expect(await page.evaluate(() => "stolen" in window)).toBe(false);
  upstream.stop();
});

test("a conversation is exported from its menu", async ({ open }) => {
  const page = await open("/chat/");
  await say(page, "Which dealers are near Kharadi, Pune?");
  await page.getByRole("button", { name: "Answer again" }).waitFor();
  await page.getByRole("button", { name: /^More for/ }).first().click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "Export as Markdown" }).click()]);
  const copy = join(await mkdtemp(join(tmpdir(), "msil-e2e-")), "conversation.md");
  await file.saveAs(copy);
  expect(await readFile(copy, "utf8")).toContain("Kharadi");
  await rm(dirname(copy), { recursive: true });
});

test("on a phone the conversations are in a drawer and nothing is wider than the screen", async ({ open }) => {
  const page = await open("/chat/", { viewport: PHONE, hasTouch: true, isMobile: true });
  await page.getByRole("group", { name: "Suggestions" }).getByRole("button").first().waitFor();
  await picture(page, "chat-welcome-390");
  await say(page, BOOKING_SENTENCE.replace("10 AM", "4 PM"));
  await page.getByText("please give me the mobile number").first().waitFor();
  await say(page, BOOKING_ANSWER);
  await page.getByRole("button", { name: "Approve" }).waitFor();
  await picture(page, "chat-confirmation-390");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("region", { name: BOOKING_ID }).waitFor();
  await page.getByText(/Booked\. Your booking id is BK/).first().waitFor();
  await picture(page, "chat-booking-390");
  await page.getByRole("button", { name: "Conversations" }).click();
  await page.getByRole("link", { name: /Book a service/ }).first().waitFor();
  await picture(page, "chat-conversations-390");
});

test("the dark theme stays chosen", async ({ open }) => {
  const page = await openAsSomebodyNew(open, "/chat/");
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await page.reload();
  await page.getByRole("button", { name: /^Account of/ }).waitFor();
  expect(await page.locator("html").getAttribute("data-mantine-color-scheme")).toBe("dark");
  await say(page, BOOKING_SENTENCE.replace("10 AM", "3 PM"));
  await page.getByText("please give me the mobile number").first().waitFor();
  await picture(page, "chat-dark");
});

test("who signs out is asked who they are", async ({ open }) => {
  const page = await open("/chat/", { storageState: { cookies: [], origins: [] } });
  await page.getByRole("button", { name: "Continue on this computer" }).click();
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Continue on this computer" }).waitFor();
  expect((await page.request.get(new URL("/api/auth/me", page.url()).href)).status()).toBe(401);
});
