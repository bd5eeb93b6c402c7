import { type ApiError, asApiError, client, errorOf } from "@msil-mcp/api";
import type { ChatTransport, UIMessageChunk } from "ai";
import { EventSourceParserStream } from "eventsource-parser/stream";

import type { ChatMessage } from "./model";

const DONE = "[DONE]";

/** The stream broke off before its end; the answer goes on at the server. */
export class ConnectionLost extends Error {
  constructor() {
    super("The connection broke off. The answer goes on at the server.");
    this.name = "ConnectionLost";
  }
}

/** The turn was not begun, as far as is known here; `why` is what came instead. */
export class NotSent extends Error {
  constructor(readonly why: ApiError) {
    super(why.message);
    this.name = "NotSent";
  }

  /** Whether nobody answered, so that it may have been begun after all. */
  get isUnknown(): boolean {
    return this.why.status === 0;
  }
}

/** What `sendMessage` and `regenerate` may carry in `body`. */
export interface TurnOptions {
  /** The stored user's message that this text replaces. */
  edit_id?: string;
  /** The stored message to answer once more. */
  again_id?: string;
}

/**
 * Turns as the AI SDK's chat asks for them. The server makes the answer whether anybody listens or
 * not: a message is first stored by POST …/turns, then its stream is followed, from its beginning,
 * as often as needed.
 */
export class TurnTransport implements ChatTransport<ChatMessage> {
  readonly resumeStreamIsReplay = true;

  async sendMessages({
    chatId,
    messages,
    abortSignal,
    body,
  }: Parameters<ChatTransport<ChatMessage>["sendMessages"]>[0]): Promise<ReadableStream<UIMessageChunk>> {
    const { edit_id, again_id } = (body ?? {}) as TurnOptions;
    const last = messages.findLast((message) => message.role === "user");
    const said = {
      text: last?.parts.map((part) => (part.type === "text" ? part.text : "")).join("") ?? "",
      ...(last ? { client_id: last.id } : {}),
    };
    const { data } = await client
      .POST("/api/chat/sessions/{session_id}/turns", {
        params: { path: { session_id: chatId } },
        body: again_id === undefined ? { ...said, ...(edit_id === undefined ? {} : { edit_id }) } : { again_id },
      })
      .catch((error: unknown) => {
        throw new NotSent(asApiError(error));
      });
    if (!data) throw new ConnectionLost();
    return follow(data.events, abortSignal);
  }

  async reconnectToStream({
    chatId,
    abortSignal,
  }: Parameters<ChatTransport<ChatMessage>["reconnectToStream"]>[0]): Promise<ReadableStream<UIMessageChunk> | null> {
    const { data } = await client.GET("/api/chat/sessions/{session_id}", {
      params: { path: { session_id: chatId } },
    });
    const run = data?.active_run;
    if (!run) return null;
    return follow(`/api/chat/sessions/${chatId}/turns/${run.id}/events`, abortSignal);
  }
}

async function follow(url: string, signal: AbortSignal | undefined): Promise<ReadableStream<UIMessageChunk>> {
  const response = await fetch(url, { credentials: "same-origin", ...(signal ? { signal } : {}) }).catch((error: unknown) => {
    throw signal?.aborted ? error : new ConnectionLost();
  });
  if (!response.ok) throw await errorOf(response);
  if (!response.body) throw new ConnectionLost();
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      const { done, value } = await events.read().catch(() => ({ done: true, value: undefined }) as const);
      if (value?.data === DONE) {
        controller.close();
        await events.cancel();
      } else if (done) {
        controller.error(signal?.aborted ? signal.reason : new ConnectionLost());
      } else {
        controller.enqueue(JSON.parse(value.data) as UIMessageChunk);
      }
    },
    cancel: (reason) => events.cancel(reason),
  });
}
