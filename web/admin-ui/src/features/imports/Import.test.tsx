import { serve } from "@msil-mcp/ui/testing";
import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Import } from "./Import";

const OPERATION = {
  bundle: "orders",
  change: "added",
  deprecated: false,
  differences: [],
  edited: false,
  impact: null,
  notes: [],
  operation: "POST /orders",
  operation_id: "placeOrder",
  risk: "write",
  selected: true,
  title: "Place an order",
  tokens: 120,
  tokens_before: null,
  tool: "place_order",
};
const PLAN = {
  api_version: "1",
  base_url: "https://api.example.com",
  bundles: ["orders"],
  counts: { added: 2, changed: 0, degraded: 0, rejected: 1, removed: 0, restored: 0, unchanged: 0 },
  document: 1,
  openapi_version: "3.1.0",
  operations: [OPERATION, { ...OPERATION, operation: "GET /orders", operation_id: "listOrders", tool: "list_orders", risk: "read", tokens: 80 }],
  rejected: [{ operation: "POST /files", pointer: "/paths", reason: "multipart bodies are not supported" }],
  same_document: false,
  sha256: "0",
  size: 2048,
  spec: "orders",
  title: "Orders",
  tokens: 200,
};
const DRAFT = {
  created_at: "2026-11-22T10:00:00Z",
  created_by: "user:1",
  error: null,
  expires_at: "2026-11-22T11:00:00Z",
  id: "d1",
  options: { allow_private: false, base_url: null, bundle: "orders", by_tag: false, spec: null },
  plan: PLAN,
  progress: { done: 2, stage: "done", total: 2 },
  source: "orders.json",
  state: "ready",
};
const NO_SPECS = { items: [], next_cursor: null };

function open(at: string) {
  return renderPage(Import, { path: "/import", panel: "$draftId", at, may: ["tools:write"] });
}

test("an address and a bundle lead to a plan", async () => {
  const { asked } = serve({ "GET /api/specs": NO_SPECS, "POST /api/imports": DRAFT, "GET /api/imports/d1": DRAFT });
  const { location } = open("/import");

  await userEvent.type(await screen.findByLabelText("Or its address"), "https://api.example.com/openapi.json");
  await userEvent.type(screen.getByLabelText(/^Bundle/), "orders");
  await userEvent.click(screen.getByRole("button", { name: "Show the plan" }));

  await waitFor(() => expect(location().pathname).toBe("/import/d1"));
  const sent = new URL(asked.find((request) => request.method === "POST")?.url ?? "");
  expect(sent.searchParams.get("url")).toBe("https://api.example.com/openapi.json");
  expect(sent.searchParams.get("bundle")).toBe("orders");
});

test("the plan says what cannot become a tool, and imports what was chosen", async () => {
  const { asked } = serve({
    "GET /api/imports/d1": DRAFT,
    "POST /api/imports/d1/apply": { ...PLAN, changed: true, dry_run: false, published: true, tools: [], verdicts: [] },
  });
  open("/import/d1");

  expect(await screen.findByText(/multipart bodies are not supported/)).toBeVisible();
  await userEvent.click(screen.getByRole("checkbox", { name: "place_order" }));
  await userEvent.click(screen.getByRole("button", { name: "Import 1 tool and publish" }));

  await waitFor(() => expect(asked.some((request) => request.method === "POST")).toBe(true));
  const body: unknown = await asked.find((request) => request.method === "POST")?.json();
  expect(body).toEqual({ publish: true, select: ["listOrders"] });
});

test("while it is imported one sees so, and can neither import twice nor change what was chosen", async () => {
  let answer: (body: object) => void = () => undefined;
  const { asked } = serve({
    "GET /api/imports/d1": DRAFT,
    "POST /api/imports/d1/apply": () => new Promise((resolve) => (answer = resolve)),
  });
  open("/import/d1");

  const button = await screen.findByRole("button", { name: "Import 2 tools and publish" });
  await userEvent.dblClick(button);

  expect(await screen.findByText(/Importing 2 tools and publishing/)).toBeVisible();
  expect(screen.getByRole("progressbar")).toBeVisible();
  expect(screen.getByRole("checkbox", { name: "place_order" })).toBeDisabled();
  expect(asked.filter((request) => request.method === "POST")).toHaveLength(1);
  answer({ ...PLAN, changed: true, dry_run: false, published: true, tools: [], verdicts: [] });
});

test("a plan that was imported is not offered again", async () => {
  serve({ "GET /api/imports/d1": { ...DRAFT, state: "imported" } });
  open("/import/d1");

  expect(await screen.findByText("This plan was imported")).toBeVisible();
});

test("a file that is too large is refused in words", async () => {
  serve({ "GET /api/specs": NO_SPECS });
  open("/import");
  const large = new File(["x"], "large.json", { type: "application/json" });
  Object.defineProperty(large, "size", { value: 60_000_000 });

  fireEvent.change(await screen.findByLabelText("OpenAPI document"), { target: { files: [large] } });

  expect(await screen.findByRole("alert")).toHaveTextContent("large.json is larger than 50 MB");
});

test("a document that cannot be read says why", async () => {
  const error = { code: "address_refused", title: "Address refused", detail: "It lies on a private network." };
  serve({ "GET /api/imports/d1": { ...DRAFT, state: "failed", plan: null, error } });
  open("/import/d1");

  expect(await screen.findByText("It lies on a private network.")).toBeVisible();
  expect(screen.getByRole("button", { name: "Begin again" })).toBeVisible();
});
