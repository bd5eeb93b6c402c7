import { replaceEqualDeep } from "@tanstack/react-query";

import type { ApprovalCard, ChatMessage, ChatPart, MessagesPage, StoredMessage, ToolUse } from "./model";

/** Pages of stored messages, the oldest first, as the stream would have told them. */
export function asChatMessages(pages: readonly MessagesPage[], { except }: { except: string | undefined }): ChatMessage[] {
  return pages.flatMap((page) => {
    const uses = new Map(page.tool_uses.map((use) => [use.id, use]));
    const runs = new Map(page.runs.map((run) => [run.id, run]));
    const approvals = new Map(page.approvals.map((approval) => [approval.id, approval]));
    return page.items
      .filter((message) => isShown(message) && !(except !== undefined && message.role === "assistant" && message.run_id === except))
      .map((message): ChatMessage => {
        const durations: Record<string, number> = {};
        for (const part of message.parts) {
          if (part.type !== "tool_result") continue;
          const took = uses.get(part.execution_id ?? "")?.duration_ms;
          if (took != null) durations[part.call_id] = took;
        }
        const cards = message.parts.flatMap((part): ApprovalCard[] => {
          const approval = part.type === "approval" ? approvals.get(part.approval_id) : undefined;
          if (part.type !== "approval" || !approval) return [];
          const { id, ...asked } = approval;
          return [{ ...asked, approval_id: id, call_id: part.call_id }];
        });
        return {
          id: message.id,
          role: message.role === "user" ? "user" : "assistant",
          metadata: { message, run: runs.get(message.run_id ?? ""), durations },
          parts: partsOf(message, uses, cards),
        };
      });
  });
}

/** The messages of `next`; those that are as they were before are the very same ones. */
export function keepingEqual(before: readonly ChatMessage[], next: readonly ChatMessage[]): ChatMessage[] {
  const known = new Map(before.map((message) => [message.id, message]));
  return next.map((message) => replaceEqualDeep(known.get(message.id), message));
}

export interface Group {
  key: number;
  messages: ChatMessage[];
}

const GROUP = 32;

/**
 * Messages that are laid out together, because a browser takes its time for each thing it may leave
 * out. By their place in the conversation, so that earlier and later ones change no other group.
 */
export function inGroups(messages: readonly ChatMessage[]): Group[] {
  const groups: Group[] = [];
  for (const message of messages) {
    const sequence = message.metadata?.message.sequence;
    const last = groups.at(-1);
    const key = sequence === undefined ? (last?.key ?? 0) : Math.floor(sequence / GROUP);
    if (last?.key === key) last.messages.push(message);
    else groups.push({ key, messages: [message] });
  }
  return groups;
}

function isShown(message: StoredMessage): boolean {
  return message.role === "user" || message.role === "assistant";
}

function partsOf(message: StoredMessage, uses: Map<string, ToolUse>, cards: ApprovalCard[]): ChatPart[] {
  const results = new Map(
    message.parts.flatMap((part) => (part.type === "tool_result" ? [[part.call_id, part] as const] : [])),
  );
  return message.parts.flatMap((part): ChatPart[] => {
    if (part.type === "text") return [{ type: "text", text: part.text, state: "done" }];
    if (part.type === "approval") {
      const card = cards.find((found) => found.approval_id === part.approval_id);
      return card ? [{ type: "data-approval", id: part.call_id, data: card }] : [];
    }
    if (part.type !== "tool_call") return [];
    const call = { type: `tool-${part.tool}` as const, toolCallId: part.call_id, input: part.arguments };
    const result = results.get(part.call_id);
    if (!result) return [{ ...call, state: "input-available" }];
    if (result.outcome === "succeeded") {
      const output = uses.get(result.execution_id ?? "")?.result ?? result.text ?? "";
      return [{ ...call, state: "output-available", output }];
    }
    return [{ ...call, state: "output-error", errorText: result.text ?? uses.get(result.execution_id ?? "")?.error ?? result.outcome }];
  });
}
