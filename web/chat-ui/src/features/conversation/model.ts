import type { components } from "@msil-mcp/api";
import type { UIMessage } from "ai";

type Schemas = components["schemas"];
export type StoredMessage = Schemas["MessageView"];
export type MessagesPage = Schemas["MessagesPage"];
export type ToolUse = Schemas["ToolUseView"];
export type Run = Schemas["RunSummary"];
export type SessionDetail = Schemas["SessionDetail"];

/** What a person is asked about a call, as the stream tells it. */
export type ApprovalCard = Omit<Schemas["AskedView"], "id"> & { approval_id: string; call_id: string };

/** What a run took, as the stream tells it at its end. */
export type Usage = Pick<
  Run,
  "model" | "tool_calls" | "input_tokens" | "output_tokens" | "cached_tokens" | "cost_usd" | "first_token_ms" | "limit_hit"
>;

/** What the server knows of a stored message; absent while it is being written. */
export interface Stored {
  message: StoredMessage;
  run: Run | undefined;
  /** Milliseconds by call id. */
  durations: Record<string, number>;
}

export type ChatMessage = UIMessage<Stored, { approval: ApprovalCard; usage: Usage }>;
export type ChatPart = ChatMessage["parts"][number];
