import { mkdir } from "node:fs/promises";

import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";

import { startModel } from "./model";
import { startBrowser, startDemo } from "./programs";

declare module "vitest" {
  interface ProvidedContext {
    url: string;
    bookingUrl: string;
    browser: string;
    /** Cookies of an administrator who came in with one click. */
    signedIn: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await mkdir(new URL("../out", import.meta.url), { recursive: true });
  const browser = await startBrowser();
  const model = await startModel();
  const demo = await startDemo({
    VLLM_BASE_URL: model.url,
    MSIL_MODELS_BY_ROLE: JSON.stringify({ administrator: ["vllm:*"] }),
  });
  const probe = await chromium.connect(browser.endpoint);
  const context = await probe.newContext();
  const page = await context.newPage();
  await page.goto(`${demo.url}/admin/`);
  await page.getByRole("button", { name: "Continue on this computer" }).click();
  await page.getByRole("heading", { name: "Dashboard" }).waitFor();
  const state = await context.storageState();
  await probe.close();
  project.provide("url", demo.url);
  project.provide("bookingUrl", demo.bookingUrl);
  project.provide("browser", browser.endpoint);
  project.provide("signedIn", JSON.stringify({ cookies: state.cookies, origins: [] }));
  return async () => {
    await browser.stop();
    await demo.stop();
    model.stop();
  };
}
