import { useEffect, useState } from "react";

export interface LiveEvent {
  sequence: number;
  at: string;
  type: string;
  data: Record<string, unknown>;
}

export type LiveState = "connecting" | "live" | "offline" | "refused";

const KEPT = 200;
const RETRY_MS = [1_000, 2_000, 5_000, 10_000];
const NOT_ALLOWED = 4003;
const NOT_EVENTS = new Set(["ready", "ping", "gap"]);

/** What happens now, newest first; comes back after the last event heard. */
export function useLive(): { events: readonly LiveEvent[]; state: LiveState; hasGap: boolean } {
  const [events, setEvents] = useState<readonly LiveEvent[]>([]);
  const [state, setState] = useState<LiveState>("connecting");
  const [hasGap, setHasGap] = useState(false);
  useEffect(() => {
    let socket: WebSocket | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let failures = 0;
    let last: number | undefined;
    const open = () => {
      const url = new URL("/api/events", window.location.href);
      url.protocol = url.protocol.replace("http", "ws");
      if (last !== undefined) url.searchParams.set("after", String(last));
      socket = new WebSocket(url);
      socket.onmessage = (message: MessageEvent<string>) => {
        const event = JSON.parse(message.data) as LiveEvent;
        last = Math.max(last ?? 0, event.sequence);
        failures = 0;
        if (event.type === "ready") setState("live");
        if (event.type === "gap") setHasGap(true);
        if (!NOT_EVENTS.has(event.type)) setEvents((before) => [event, ...before].slice(0, KEPT));
      };
      socket.onclose = (closed) => {
        if (isOver) return;
        if (closed.code === NOT_ALLOWED) {
          setState("refused");
          return;
        }
        setState("offline");
        timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
        failures += 1;
      };
    };
    open();
    return () => {
      isOver = true;
      clearTimeout(timer);
      socket?.close();
    };
  }, []);
  return { events, state, hasGap };
}
