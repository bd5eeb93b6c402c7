import { serve } from "@msil-mcp/ui/testing";
import { screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Conversations } from "./Conversations";

const LINE = {
  id: "abc",
  owner_id: "user:7",
  owner_name: "Asha",
  title: "A booking",
  language: "en",
  model: null,
  archived: false,
  messages: 2,
  created_at: "2026-11-22T10:00:00Z",
  last_message_at: null,
  deleted_at: null,
};
const STATISTICS = {
  messages: 2,
  user_messages: 1,
  assistant_messages: 1,
  tool_calls: 1,
  tool_calls_succeeded: 1,
  tool_calls_failed: 0,
  success_rate: 1,
  average_tool_ms: 40,
  p95_tool_ms: 40,
  input_tokens: 100,
  output_tokens: 10,
  cached_tokens: 0,
  cost_usd: 0,
  first_activity_at: null,
  last_activity_at: null,
};
const SAID = {
  id: "m2",
  role: "assistant",
  text: "Your number is 98******10.",
  status: "complete",
  at: "2026-11-22T10:00:00Z",
  model: null,
  on_branch: true,
  parent_id: null,
  rating: "up",
  comment: null,
  tool_calls: [{ tool: "resolve_customer", outcome: "succeeded", arguments: {}, result: {}, error: null, duration_ms: 40, at: null }],
};

function open(at: string, may: Parameters<typeof renderPage>[1]["may"] = ["chat:read_all"]) {
  const served = serve({
    "GET /api/conversations": { items: [LINE], next_cursor: null },
    "GET /api/conversations/abc": { ...LINE, statistics: STATISTICS },
    "GET /api/conversations/abc/messages": { items: [SAID], next_cursor: null },
  });
  return { ...served, ...renderPage(Conversations, { path: "/conversations", panel: "$sessionId", at, may }) };
}

test("conversations are listed with their person, and the reader is told that it is recorded", async () => {
  open("/conversations?owner=user:7");

  expect(await screen.findByText("A booking")).toBeVisible();
  expect(screen.getByText("Asha")).toBeVisible();
  expect(screen.getByText(/is recorded in the audit trail/)).toBeVisible();
});

test("one conversation is read masked, with what tools did", async () => {
  open("/conversations/abc");

  expect(await screen.findByText("Your number is 98******10.")).toBeVisible();
  expect(screen.getByText(/resolve_customer: succeeded, 40 ms/)).toBeVisible();
});

test("without the permission nothing is read", async () => {
  const { asked } = open("/conversations", []);

  expect(await screen.findByText("This page is not open to you")).toBeVisible();
  expect(asked).toEqual([]);
});
