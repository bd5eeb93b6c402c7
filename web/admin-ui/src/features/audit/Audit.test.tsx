import { serve } from "@msil-mcp/ui/testing";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Audit } from "./Audit";

const RECORD = {
  id: 7,
  at: "2026-11-22T10:00:00Z",
  kind: "tool.call",
  action: "call",
  outcome: "denied",
  principal_id: "user:1",
  principal_name: "Asha",
  principal_kind: "user",
  tool: "create_service_booking",
  bundle: "service_booking",
  target: null,
  origin: "chat",
  risk: "write",
  rule: "approve",
  error: "declined",
  replayed: false,
  duration_ms: 12,
  correlation_id: "c1",
  session_id: null,
  subjects: {},
  upstream_status: null,
};
const CHAIN = { writer_id: "w1", sequence: 3, key_id: "k1", hash: "abc", prev_hash: "aaa", intact: true, previous: { id: 6, sequence: 2, hash: "aaa", linked: true }, next: null };
const DETAIL = {
  ...RECORD,
  roles: ["user"],
  arguments: { customer_mobile: "98******10" },
  result: null,
  policy_inputs: null,
  details: null,
  chain: CHAIN,
  execution_id: "e1",
  approval_id: "ap_1",
  run_id: null,
  trace_id: null,
  idempotency: false,
  arguments_hash: null,
  tool_hash: null,
  tool_version_id: 1,
  upstream_ms: null,
};

function open(answers: Parameters<typeof serve>[0], at = "/audit") {
  const served = serve(answers);
  return { ...served, ...renderPage(Audit, { path: "/audit", panel: "$recordId", at, may: ["audit:read", "audit:export"] }) };
}

test("filters are asked of the server", async () => {
  const { asked } = open({ "GET /api/audit": { items: [RECORD], next_cursor: null } });

  await userEvent.selectOptions(await screen.findByLabelText("Outcome"), "denied");

  await waitFor(() => expect(asked.some((request) => new URL(request.url).searchParams.get("outcome") === "denied")).toBe(true));
});

test("a record is shown masked, with its place in the chain", async () => {
  open({ "GET /api/audit": { items: [RECORD], next_cursor: null }, "GET /api/audit/7": DETAIL }, "/audit/7");

  expect(await screen.findByText(/98\*{6}10/)).toBeVisible();
  expect(screen.getByText("This record is as it was written")).toBeVisible();
});

test("a changed trail is told as what it is", async () => {
  open({
    "GET /api/audit": { items: [], next_cursor: null },
    "POST /api/audit/verify": {
      intact: false,
      records: 9,
      chains: 1,
      anchors: 1,
      seconds: 0.1,
      problem_count: 1,
      problems: [{ trouble: "record_altered", detail: "The record does not hash to its mark.", writer_id: "w1", sequence: 3 }],
    },
  });

  await userEvent.click(await screen.findByRole("button", { name: "Verify" }));

  expect(await screen.findByText("The trail was changed")).toBeVisible();
  expect(screen.getByText(/does not hash to its mark/)).toBeVisible();
});
