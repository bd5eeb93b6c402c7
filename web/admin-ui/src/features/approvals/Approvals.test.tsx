import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Approvals } from "./Approvals";

const WAITING = {
  id: "ap_1",
  state: "pending",
  principal_id: "key:3",
  principal_name: "Reception",
  tool_name: "create_service_booking",
  sentence: "Book a service, for Reception.",
  arguments: { customer_phone: "98******10", slot_id: "S-9" },
  method: "POST",
  url: "http://booking.test/bookings?note=***",
  origin: "mcp",
  created_at: "2026-11-22T12:00:00Z",
  expires_at: "2026-11-22T12:15:00Z",
  decided_at: null,
  decided_by: null,
  decided_via: null,
  reason: null,
  execution_id: null,
};
const ALL = ["approvals:read", "approvals:decide"] as const;
const PLACE = { path: "/approvals", panel: "$approvalId" };

test("what waits is listed, and opens beside the list by its address", async () => {
  const { asked } = serve({ "GET /api/approvals": { items: [WAITING] }, "GET /api/approvals/ap_1": WAITING });
  const { location } = renderPage(Approvals, { ...PLACE, may: ALL });

  await userEvent.click(await screen.findByText("Book a service, for Reception."));

  const panel = await screen.findByRole("dialog");
  expect(await within(panel).findByText("POST http://booking.test/bookings?note=***")).toBeVisible();
  expect(within(panel).getByRole("region", { name: "arguments" })).toHaveTextContent("98******10");
  expect(location().pathname).toBe("/approvals/ap_1");
  expect(new URL(asked[0]?.url ?? "").searchParams.get("state")).toBe("pending");
});

test("declining sends the reason", async () => {
  const declined = { ...WAITING, state: "declined", reason: "Wrong dealer" };
  const { asked } = serve({
    "GET /api/approvals": { items: [WAITING] },
    "GET /api/approvals/ap_1": WAITING,
    "POST /api/approvals/ap_1/decision": declined,
  });
  renderPage(Approvals, { ...PLACE, at: "/approvals/ap_1", may: ALL });

  await userEvent.type(await screen.findByLabelText("Reason"), "Wrong dealer");
  await userEvent.click(screen.getByRole("button", { name: "Decline" }));

  expect(await screen.findByText("Declined.")).toBeVisible();
  const sent = asked.find((request) => request.method === "POST");
  expect(await sent?.json()).toEqual({ decision: "decline", reason: "Wrong dealer" });
});

test("a reason that is too long is told at its field before anything is sent", async () => {
  const { asked } = serve({ "GET /api/approvals": { items: [] }, "GET /api/approvals/ap_1": WAITING });
  renderPage(Approvals, { ...PLACE, at: "/approvals/ap_1", may: ALL });

  await userEvent.click(await screen.findByLabelText("Reason"));
  await userEvent.paste("x".repeat(501));
  await userEvent.click(screen.getByRole("button", { name: "Approve this call" }));

  expect(await screen.findByText("At most 500 characters.")).toBeVisible();
  expect(asked.some((request) => request.method === "POST")).toBe(false);
});

test("an answer that came too late is explained", async () => {
  serve({
    "GET /api/approvals": { items: [WAITING] },
    "GET /api/approvals/ap_1": WAITING,
    "POST /api/approvals/ap_1/decision": () => problem(409, "The request has expired."),
  });
  renderPage(Approvals, { ...PLACE, at: "/approvals/ap_1", may: ALL });

  await userEvent.click(await screen.findByRole("button", { name: "Approve this call" }));

  expect((await screen.findAllByText("The request has expired."))[0]).toBeVisible();
});

test("who may only read cannot answer", async () => {
  serve({ "GET /api/approvals": { items: [] }, "GET /api/approvals/ap_1": WAITING });
  renderPage(Approvals, { ...PLACE, at: "/approvals/ap_1", may: ["approvals:read"] });

  expect(await screen.findByText(/not answer it/)).toBeVisible();
  expect(screen.queryByRole("button", { name: "Decline" })).toBeNull();
});

test("an empty inbox says when something would appear, and filters go to the address", async () => {
  const { asked } = serve({ "GET /api/approvals": { items: [] } });
  const { location } = renderPage(Approvals, { ...PLACE, may: ALL });

  expect(await screen.findByText("Nothing waits for you")).toBeVisible();
  await userEvent.click(screen.getByText("Declined"));

  expect(await screen.findByText("Nothing is declined")).toBeVisible();
  expect(location().search).toEqual({ show: "declined" });
  expect(asked.at(-1)?.url).toContain("state=declined");
});

test("a list that cannot be read says so and can be tried again", async () => {
  serve({ "GET /api/approvals": () => problem(503, "The database does not answer.") });
  renderPage(Approvals, { ...PLACE, may: ALL });

  expect(await screen.findByText("Try again")).toBeVisible();
});
