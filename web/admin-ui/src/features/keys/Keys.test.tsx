import { serve } from "@msil-mcp/ui/testing";
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Keys } from "./Keys";

const KEY = {
  id: 4,
  name: "Reception desk",
  prefix: "msil_abcd1234",
  owner_id: null,
  roles: ["user"],
  scopes: null,
  created_at: "2026-11-20T12:00:00Z",
  created_by: "user:1",
  expires_at: null,
  last_used_at: null,
  revoked_at: null,
};
const ENDED = { ...KEY, id: 5, name: "Old batch", revoked_at: "2026-11-21T12:00:00Z" };
const PLACE = { path: "/keys", panel: "$keyId", may: ["keys:manage"] as const };

test("keys in force are listed with last use and expiry; ended ones on request", async () => {
  serve({ "GET /api/keys": { items: [KEY, ENDED] } });
  renderPage(Keys, { ...PLACE, at: "/keys?show=ended" });

  expect(await screen.findByText("Old batch")).toBeVisible();
  expect(screen.queryByText("Reception desk")).toBeNull();
});

test("a new key is shown once, with a button to copy it", async () => {
  const { asked } = serve({
    "GET /api/keys": { items: [] },
    "POST /api/keys": { key: KEY, token: "msil_abcd1234_rest" },
  });
  renderPage(Keys, PLACE);

  expect(await screen.findByText("No keys in force")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Make a key" }));
  await userEvent.type(await screen.findByLabelText(/^Name/), "Reception desk");
  await userEvent.click(screen.getByRole("button", { name: "Make it" }));

  expect(await screen.findByText("msil_abcd1234_rest")).toBeVisible();
  expect(screen.getByRole("button", { name: "Copy the key" })).toBeVisible();
  const sent = (await asked.find((request) => request.method === "POST")?.json()) as Record<string, unknown>;
  expect(sent).toMatchObject({ name: "Reception desk", scopes: null, owner_id: null });
  expect(Date.parse(String(sent["expires_at"]))).toBeGreaterThan(Date.now());
});

test("a scope of another form is refused at its field", async () => {
  const { asked } = serve({ "GET /api/keys": { items: [] } });
  renderPage(Keys, PLACE);

  await userEvent.click(await screen.findByRole("button", { name: "Make a key" }));
  await userEvent.type(await screen.findByLabelText(/^Name/), "Batch");
  await userEvent.type(screen.getByRole("combobox", { name: "Hold it to" }), "booking{Enter}");
  await userEvent.click(screen.getByRole("button", { name: "Make it" }));

  expect(await screen.findByText("booking: write tools, bundle:NAME or tool:NAME.")).toBeVisible();
  expect(asked.some((request) => request.method === "POST")).toBe(false);
});

test("rotating shows the successor and says what becomes of the old key", async () => {
  const { asked } = serve({
    "GET /api/keys": { items: [KEY] },
    "POST /api/keys/4/rotate": { key: { ...KEY, id: 6 }, token: "msil_next" },
  });
  renderPage(Keys, { ...PLACE, at: "/keys/4" });

  await userEvent.click(await screen.findByRole("button", { name: "Rotate" }));

  expect(await screen.findByText("msil_next")).toBeVisible();
  expect(screen.getByText("The old key works until its time is over.")).toBeVisible();
  expect(await asked.find((request) => request.method === "POST")?.json()).toEqual({ overlap_seconds: 86_400 });
});

test("ending a key asks first", async () => {
  const { asked } = serve({ "GET /api/keys": { items: [KEY] }, "DELETE /api/keys/4": null });
  renderPage(Keys, { ...PLACE, at: "/keys/4" });

  await userEvent.click(await screen.findByRole("button", { name: "End this key" }));
  const question = await screen.findByRole("dialog", { name: "End the key Reception desk?" });
  expect(asked.some((request) => request.method === "DELETE")).toBe(false);
  await userEvent.click(within(question).getByRole("button", { name: "End the key" }));

  await expect.poll(() => asked.some((request) => request.method === "DELETE")).toBe(true);
});
