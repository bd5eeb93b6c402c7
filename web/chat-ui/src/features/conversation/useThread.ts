import { useChat } from "@ai-sdk/react";
import { api, asApiError, client } from "@msil-mcp/api";
import { useNetwork } from "@mantine/hooks";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { asChatMessages } from "./history";
import type { ChatMessage } from "./model";
import { ConnectionLost, TurnTransport } from "./transport";

const PAGE = 50;
const RECONNECT_MS = [500, 1000, 2000, 4000, 8000];

export type Activity = "idle" | "thinking" | "calling" | "writing" | "asking" | "offline";

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
  const followed = useRef<string>(undefined);
  const isCut = useRef(false);
  const chat = useChat<ChatMessage>({
    id: sessionId,
    transport,
    experimental_throttle: 50,
    onError: (error) => {
      isCut.current = isLostConnection(error);
      if (isCut.current) setLost((times) => times + 1);
    },
    onFinish: ({ isError }) => {
      // What the server stored takes the place of what was heard, unless it goes on there.
      if (isError && isCut.current) return;
      followed.current = undefined;
      setLost(0);
      void refresh();
    },
  });
  const { setMessages, resumeStream, status } = chat;
  const isBusy = status === "submitted" || status === "streaming";

  // The stored messages are the truth whenever nothing is under way.
  const shown = useRef<ChatMessage[]>(undefined);
  useEffect(() => {
    if (isBusy || !stored || running !== undefined || shown.current === stored) return;
    shown.current = stored;
    setMessages(stored);
  }, [isBusy, stored, running, setMessages]);

  // An answer under way, from before a reload or begun elsewhere, is followed from its beginning.
  useEffect(() => {
    if (!stored || running === undefined || isBusy || followed.current === running) return;
    followed.current = running;
    setMessages(stored);
    void resumeStream();
  }, [stored, running, isBusy, resumeStream, setMessages]);

  const { online } = useNetwork();
  const isLost = lost > 0 && status === "error";
  useEffect(() => {
    if (!isLost || !online) return;
    const wait = RECONNECT_MS[Math.min(lost, RECONNECT_MS.length) - 1];
    const timer = setTimeout(() => {
      followed.current = undefined;
      void refresh();
      void resumeStream();
    }, wait);
    return () => clearTimeout(timer);
  }, [isLost, lost, online, refresh, resumeStream]);

  const stop = useCallback(async () => {
    await client.POST("/api/chat/sessions/{session_id}/stop", { params: { path: { session_id: sessionId } } });
  }, [sessionId]);

  return {
    detail,
    history,
    messages: chat.messages,
    isBusy,
    activity: isLost || !online ? ("offline" as const) : activityOf(chat.messages, isBusy),
    error: isLost ? undefined : chat.error,
    chat,
    refresh,
    stop,
  };
}

function isLostConnection(error: Error): boolean {
  return error instanceof ConnectionLost || asApiError(error).status === 0;
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
