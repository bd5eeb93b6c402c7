import type { MessagesPage, Run, StoredMessage, ToolUse } from "./model";

/** A stored message as the server gives it. */
export function stored(facts: Partial<StoredMessage> & Pick<StoredMessage, "id" | "role" | "parts">): StoredMessage {
  return {
    sequence: 1,
    parent_id: null,
    status: "complete",
    model: "msil-scripted",
    input_tokens: 1200,
    output_tokens: 30,
    cached_tokens: 0,
    cost_usd: 0,
    run_id: facts.role === "assistant" ? "run1" : null,
    rating: null,
    comment: null,
    created_at: "2026-11-22T10:00:00Z",
    ...facts,
  };
}

export function ended(facts: Partial<Run> = {}): Run {
  return {
    id: "run1",
    state: "succeeded",
    user_message_id: "m1",
    assistant_message_id: "m2",
    limit_hit: null,
    error: null,
    model: "msil-scripted",
    model_requests: 1,
    tool_calls: 0,
    input_tokens: 1200,
    output_tokens: 30,
    cached_tokens: 0,
    cost_usd: 0,
    first_token_ms: 40,
    created_at: "2026-11-22T10:00:00Z",
    started_at: "2026-11-22T10:00:00Z",
    finished_at: "2026-11-22T10:00:01Z",
    ...facts,
  };
}

export function used(facts: Partial<ToolUse> & Pick<ToolUse, "id" | "tool">): ToolUse {
  return {
    state: "succeeded",
    arguments: {},
    result: null,
    success: true,
    error: null,
    duration_ms: 45,
    run_id: "run1",
    message_id: "m2",
    created_at: "2026-11-22T10:00:00Z",
    finished_at: "2026-11-22T10:00:01Z",
    ...facts,
  };
}

export function pageOf(items: StoredMessage[], facts: Partial<MessagesPage> = {}): MessagesPage {
  return { items, next_cursor: null, tool_uses: [], approvals: [], runs: [ended()], ...facts };
}

export const SESSION = {
  id: "abc",
  owner_id: "user:1",
  title: "A booking",
  language: "en",
  model: null,
  pinned: false,
  archived: false,
  head_id: "m2",
  metadata: {},
  created_at: "2026-11-22T10:00:00Z",
  updated_at: "2026-11-22T10:00:00Z",
  last_message_at: "2026-11-22T10:00:00Z",
};

/** A turn's stream as the server sends it; without the end it breaks off. */
export function streamOf(chunks: readonly object[], { isWhole = true }: { isWhole?: boolean } = {}): Response {
  const events = chunks.map((chunk, index) => `id: e.${index + 1}\ndata: ${JSON.stringify(chunk)}\n\n`);
  return new Response([...events, ...(isWhole ? ["data: [DONE]\n\n"] : [])].join(""), {
    headers: { "content-type": "text/event-stream" },
  });
}

/** Chunks of an answer in words. */
export function saying(text: string): object[] {
  return [
    { type: "start", messageId: "m2" },
    { type: "start-step" },
    { type: "text-start", id: "t" },
    { type: "text-delta", id: "t", delta: text },
    { type: "text-end", id: "t" },
    { type: "finish-step" },
    { type: "finish", finishReason: "stop" },
  ];
}
