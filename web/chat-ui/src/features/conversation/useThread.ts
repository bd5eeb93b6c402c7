import { useChat } from "@ai-sdk/react";
import { api, asApiError, client } from "@msil-mcp/api";
import { useNetwork } from "@mantine/hooks";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { asChatMessages, keepingEqual } from "./history";
import type { ChatMessage } from "./model";
import { ConnectionLost, NotSent, type TurnOptions, TurnTransport } from "./transport";

const PAGE = 50;
const RECONNECT_MS = [500, 1000, 2000, 4000, 8000];

export type Activity = "idle" | "thinking" | "calling" | "writing" | "asking" | "offline" | "unsent";

const transport = new TurnTransport();

/** The stored history of a session and the answer under way, as one list that is always true. */
export function useThread(sessionId: string) {
  const cache = useQueryClient();
  const path = { session_id: sessionId };
  const detail = api.useQuery("get", "/api/chat/sessions/{session_id}", { params: { path } });
  const history = useInfiniteQuery({
    queryKey: ["get", "/api/chat/sessions/{session_id}/messages", sessionId],
    queryFn: async ({ pageParam, signal }) => {
      const query = { limit: PAGE, ...(pageParam === null ? {} : { cursor: pageParam }) };
      const { data } = await client.GET("/api/chat/sessions/{session_id}/messages", { params: { path, query }, signal });
      if (!data) throw new ConnectionLost();
      return data;
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  const running = detail.data?.active_run?.id;
  const stored = useMemo(
    () => (history.data ? asChatMessages(history.data.pages.toReversed(), { except: running }) : undefined),
    [history.data, running],
  );

  const refresh = useCallback(async () => {
    // The session, its messages and its branches; and the list, which is ordered by what was said last.
    await cache.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[1]).startsWith("/api/chat/sessions") });
  }, [cache]);

  const [lost, setLost] = useState(0);
  const [isUnsent, setIsUnsent] = useState(false);
  const followed = useRef<string>(undefined);
  const shown = useRef<ChatMessage[]>(undefined);
  const isCut = useRef(false);
  const isRefused = useRef(false);
  const [refusals, setRefusals] = useState(0);
  const isGivingWay = useRef(false);
  /** What the last turn carried, to send the very same again. */
  const carried = useRef<TurnOptions>(undefined);
  const chat = useChat<ChatMessage>({
    id: sessionId,
    transport,
    experimental_throttle: 50,
    onError: (error) => {
      isCut.current = isLostConnection(error);
      setIsUnsent(error instanceof NotSent && error.isUnknown);
      if (isCut.current) setLost((times) => times + 1);
      if (error instanceof NotSent && !error.isUnknown) {
        // What is stored is shown again, without what was refused.
        isRefused.current = true;
        shown.current = undefined;
        setRefusals((times) => times + 1);
      }
    },
    onFinish: ({ isError }) => {
      // What the server stored takes the place of what was heard, unless it goes on there.
      if ((isError && isCut.current) || isGivingWay.current) return;
      followed.current = undefined;
      setLost(0);
      setIsUnsent(false);
      void refresh();
    },
  });
  const { setMessages, resumeStream, regenerate, sendMessage, status, stop: leave } = chat;
  const isBusy = status === "submitted" || status === "streaming";

  // The stored messages are the truth whenever nothing is under way.
  const isWaiting = lost > 0 && status === "error";
  useEffect(() => {
    if (isBusy || isWaiting || isGivingWay.current || !stored || running !== undefined || shown.current === stored) return;
    shown.current = stored;
    setMessages((before) => keepingEqual(before, stored));
  }, [isBusy, isWaiting, refusals, stored, running, setMessages]);

  // An answer under way, from before a reload or begun elsewhere, is followed from its beginning.
  useEffect(() => {
    if (!stored || running === undefined || isBusy || isUnsent || isGivingWay.current || followed.current === running) return;
    followed.current = running;
    setMessages((before) => keepingEqual(before, stored));
    void resumeStream();
  }, [stored, running, isBusy, isUnsent, resumeStream, setMessages]);

  const { online } = useNetwork();
  useEffect(() => {
    if (!isWaiting || !online) return;
    const wait = RECONNECT_MS[Math.min(lost, RECONNECT_MS.length) - 1];
    const timer = setTimeout(() => {
      if (isUnsent) {
        // By the message's own name the server knows it again, should it have heard it after all.
        void regenerate(carried.current ? { body: carried.current } : {});
        return;
      }
      followed.current = undefined;
      void refresh();
      void resumeStream();
    }, wait);
    return () => clearTimeout(timer);
  }, [isWaiting, isUnsent, lost, online, refresh, regenerate, resumeStream]);

  /** Begins a turn; false if the server would not have it, and nothing of it is kept. */
  const begin = useCallback(async (turn: () => Promise<void>, options?: TurnOptions) => {
    carried.current = options;
    isRefused.current = false;
    setIsUnsent(false);
    await turn();
    return !isRefused.current;
  }, []);

  const say = useCallback(
    async (text: string, { id, edits }: { id?: string; edits?: string } = {}) => {
      // A question that waits gives way to what is said instead.
      isGivingWay.current = true;
      await leave();
      const options = edits === undefined ? undefined : { edit_id: edits };
      return begin(() => {
        const message = { role: "user" as const, parts: [{ type: "text" as const, text }], ...(id === undefined ? {} : { id }) };
        const sending = sendMessage(message, options ? { body: options } : {});
        isGivingWay.current = false;
        return sending;
      }, options);
    },
    [begin, leave, sendMessage],
  );

  const sayInstead = useCallback(
    (message: ChatMessage, text: string) => {
      setMessages((now) => now.slice(0, now.findIndex((one) => one.id === message.id)));
      return say(text, { edits: message.id });
    },
    [say, setMessages],
  );

  const again = useCallback(
    (message: ChatMessage) => {
      const options = { again_id: message.id };
      return begin(() => regenerate({ messageId: message.id, body: options }), options);
    },
    [begin, regenerate],
  );

  const stop = useCallback(async () => {
    await client.POST("/api/chat/sessions/{session_id}/stop", { params: { path: { session_id: sessionId } } });
  }, [sessionId]);

  return {
    detail,
    history,
    messages: chat.messages,
    isBusy,
    activity: activityNow(),
    error: isWaiting ? undefined : chat.error,
    clearError: chat.clearError,
    say,
    sayInstead,
    again,
    refresh,
    stop,
  };

  function activityNow(): Activity {
    if (isUnsent && (isWaiting || status === "submitted")) return "unsent";
    return isWaiting || !online ? "offline" : activityOf(chat.messages, isBusy);
  }
}

function isLostConnection(error: Error): boolean {
  return error instanceof NotSent ? error.isUnknown : error instanceof ConnectionLost || asApiError(error).status === 0;
}

/** What is going on, told from the last thing heard. */
export function activityOf(messages: readonly ChatMessage[], isBusy: boolean): Activity {
  if (!isBusy) return "idle";
  const last = messages.at(-1);
  if (last?.role !== "assistant") return "thinking";
  if (last.parts.some((part) => part.type === "data-approval" && part.data.state === "pending")) return "asking";
  const part = last.parts.at(-1);
  if (part?.type === "text" && part.state === "streaming") return "writing";
  if (part && "toolCallId" in part && (part.state === "input-available" || part.state === "input-streaming")) return "calling";
  return "thinking";
}
