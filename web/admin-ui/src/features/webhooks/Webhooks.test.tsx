import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Webhooks } from "./Webhooks";

const HOOK = {
  id: "wh_1",
  url: "https://hooks.test/msil",
  description: "Reception",
  event_types: ["tool.called"],
  allow_private: false,
  active: true,
  paused_because: null,
  failing_since: null,
  previous_until: null,
  created_by: "user:1",
  created_at: "2026-11-20T12:00:00Z",
};
const DEAD = {
  id: 9,
  webhook_id: "wh_1",
  event_id: "evt_1",
  event_type: "tool.called",
  state: "dead",
  attempts: 8,
  last_status: 503,
  last_error: "The receiver answered 503.",
  next_at: null,
  created_at: "2026-11-21T12:00:00Z",
  delivered_at: null,
};
const SERVED = {
  "GET /api/webhooks": { items: [HOOK] },
  "GET /api/webhooks/event-types": ["tool.called", "approval.requested"],
  "GET /api/webhooks/wh_1": HOOK,
  "GET /api/webhooks/wh_1/deliveries": { items: [DEAD] },
  "GET /api/webhooks/wh_1/deliveries/9": { ...DEAD, payload: { type: "tool.called", data: { tool: "book" } } },
};
const PLACE = { path: "/webhooks", panel: "$webhookId", may: ["webhooks:manage"] as const };
const AT = { ...PLACE, at: "/webhooks/wh_1" };

test("without webhooks the page says what they are for", async () => {
  serve({ "GET /api/webhooks": { items: [] } });
  renderPage(Webhooks, PLACE);

  expect(await screen.findByText("Nothing is sent anywhere")).toBeVisible();
});

test("a new webhook takes the API's event types, and its secret is shown once", async () => {
  const { asked } = serve({ ...SERVED, "POST /api/webhooks": { webhook: HOOK, secret: "whsec_once" } });
  renderPage(Webhooks, PLACE);

  await userEvent.click(await screen.findByRole("button", { name: "Add a webhook" }));
  await userEvent.type(await screen.findByLabelText(/^URL/), "https://hooks.test/msil");
  await userEvent.click(screen.getByRole("button", { name: "Add" }));
  expect(await screen.findByText("Choose at least one.")).toBeVisible();
  await userEvent.click(screen.getByRole("combobox", { name: /^Events/ }));
  await userEvent.click(await screen.findByRole("option", { name: "approval.requested", hidden: true }));
  await userEvent.click(screen.getByRole("button", { name: "Add", hidden: true }));

  expect(await screen.findByText("whsec_once")).toBeVisible();
  const sent = asked.find((request) => request.method === "POST");
  expect(await sent?.json()).toMatchObject({ url: "https://hooks.test/msil", event_types: ["approval.requested"] });
});

test("a URL the server refuses is explained", async () => {
  serve({ ...SERVED, "PATCH /api/webhooks/wh_1": () => problem(422, "Only https can be used.") });
  renderPage(Webhooks, AT);

  await userEvent.click(await screen.findByRole("tab", { name: "Settings" }));
  await userEvent.type(await screen.findByLabelText(/^URL/), "/more");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));

  expect((await screen.findAllByText("Only https can be used."))[0]).toBeVisible();
});

test("a delivery shows what was sent and what came back, and is sent again", async () => {
  const { asked } = serve({ ...SERVED, "POST /api/webhooks/wh_1/deliveries/9/replay": { ...DEAD, state: "pending" } });
  const { location } = renderPage(Webhooks, AT);

  await userEvent.click(await screen.findByText("503"));
  const delivery = await screen.findByRole("region", { name: "The delivery" });
  expect(await within(delivery).findByText("HTTP 503")).toBeVisible();
  expect(within(delivery).getByRole("region", { name: "payload" })).toHaveTextContent('"tool": "book"');
  expect(location().search).toEqual({ delivery: "9" });
  await userEvent.click(within(delivery).getByRole("button", { name: "Send it again" }));

  await expect.poll(() => asked.some(({ method, url }) => method === "POST" && url.endsWith("/9/replay"))).toBe(true);
});

test("replaying what was given up asks, and says how much it was", async () => {
  serve({ ...SERVED, "POST /api/webhooks/wh_1/replay": { replayed: 3 } });
  renderPage(Webhooks, AT);

  await userEvent.click(await screen.findByRole("button", { name: "Replay what was given up" }));
  await userEvent.click(await screen.findByRole("button", { name: "Send again" }));

  expect(await screen.findByText("3 events are sent again.")).toBeVisible();
});

test("a rotated secret is shown once", async () => {
  const { asked } = serve({ ...SERVED, "POST /api/webhooks/wh_1/rotate": { webhook: HOOK, secret: "whsec_next" } });
  renderPage(Webhooks, AT);

  await userEvent.click(await screen.findByRole("tab", { name: "Settings" }));
  await userEvent.click(await screen.findByRole("button", { name: "Rotate the secret" }));

  expect(await screen.findByText("whsec_next")).toBeVisible();
  expect(await asked.find(({ method }) => method === "POST")?.json()).toEqual({ overlap_seconds: 86_400 });
});
