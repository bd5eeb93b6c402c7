import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { argumentsOf } from "./SchemaForm";
import { Tools } from "./Tools";

const LINE = {
  bundles: ["orders"],
  edited: false,
  method: "GET",
  name: "list_orders",
  operation_id: "listOrders",
  path: "/orders",
  published_version: 1,
  risk: "read",
  spec: "orders",
  state: "published",
  title: "List orders",
  tokens: 80,
  updated_at: "2026-11-22T10:00:00Z",
  version: 1,
};
const DETAIL = {
  ...LINE,
  audit_subjects: [],
  deprecated: false,
  description: "Lists orders.",
  edits: null,
  enabled: true,
  hash: "h",
  idempotent_upstream: false,
  input_schema: { type: "object", properties: { limit: { type: "integer" }, city: { type: "string" } }, required: ["city"] },
  model_view: { name: "list_orders" },
  needs_confirmation: false,
  output_schema: null,
  personal: [],
  removed_at: null,
  route: { allow_private: false, base_url: "https://api.example.com", body: null, method: "GET", parameters: [], path: "/orders" },
  tags: [],
};
const BUNDLES = [{ description: "", name: "orders", published: 1, title: "Orders", tokens: 80, tools: 1 }];

function open(answers: Parameters<typeof serve>[0], at = "/tools") {
  const served = serve({ "GET /api/bundles": BUNDLES, ...answers });
  return { ...served, ...renderPage(Tools, { path: "/tools", panel: "$name", at, may: ["tools:read", "tools:write", "analytics:read"] }) };
}

test("filters go to the address and to the server", async () => {
  const { asked, location } = open({ "GET /api/tools": { items: [LINE], next_cursor: null, total: 1 } });

  expect(await screen.findByText("List orders")).toBeVisible();
  await userEvent.selectOptions(screen.getByLabelText("Risk"), "write");

  await waitFor(() => expect(location().search).toMatchObject({ risk: "write" }));
  await waitFor(() => expect(asked.some((request) => new URL(request.url).searchParams.get("risk") === "write")).toBe(true));
});

test("five thousand tools show only the rows in sight", async () => {
  const items = Array.from({ length: 5000 }, (_, index) => ({ ...LINE, name: `tool_${String(index).padStart(4, "0")}` }));
  open({ "GET /api/tools": { items, next_cursor: null, total: 5000 } });

  expect(await screen.findByText("tool_0000")).toBeVisible();
  expect(within(screen.getByRole("table")).getAllByRole("row").length).toBeLessThan(100);
  expect(screen.getByText("5000 in all")).toBeVisible();
});

test("a try is a real call with what was typed, and needs what the schema needs", async () => {
  const { asked } = open(
    {
      "GET /api/tools": { items: [LINE], next_cursor: null, total: 1 },
      "GET /api/tools/list_orders": DETAIL,
      "POST /api/tools/list_orders/call": { execution_id: "e1", outcome: "succeeded", replayed: false, structured: { total: 3 }, text: "", truncated: false, upstream_status: 200 },
    },
    "/tools/list_orders?tab=try",
  );

  const call = await screen.findByRole("button", { name: "Call list_orders" });
  await userEvent.click(call);
  expect(await screen.findByText("This is needed.")).toBeVisible();
  await userEvent.type(screen.getByLabelText(/city/), "Pune");
  await userEvent.click(call);

  expect(await screen.findByText(/"total": 3/)).toBeVisible();
  const sent: unknown = await asked.find((request) => request.method === "POST")?.json();
  expect(sent).toEqual({ arguments: { city: "Pune" } });
});

test("without tools one is told how to get some", async () => {
  open({ "GET /api/tools": { items: [], next_cursor: null, total: 0 } });

  expect(await screen.findByText("There are no tools yet")).toBeVisible();
});

test("a server that is away is told, with a way to try again", async () => {
  open({ "GET /api/tools": () => problem(503, "The database is away.") });

  expect(await screen.findByRole("button", { name: "Try again" })).toBeVisible();
});

test("typed values become arguments of the schema's types", () => {
  const schema = { properties: { tags: { type: "array" }, open: { type: "boolean" }, size: { enum: [1, 2] } } };

  expect(argumentsOf(schema, { tags: '["a"]', open: true, size: "2" })).toEqual({ arguments: { tags: ["a"], open: true, size: 2 }, errors: {} });
  expect(argumentsOf(schema, { tags: "[" }).errors).toEqual({ tags: "This is not JSON." });
});
