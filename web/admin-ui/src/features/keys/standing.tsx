import type { components } from "@msil-mcp/api";

import { Standing } from "../../shared/Standing";
import type { KeyState } from "./search";

export type Key = components["schemas"]["KeyView"];

const SOON_MS = 14 * 86_400_000;

export function stateOf(key: Key, now = Date.now()): KeyState {
  const end = key.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(key.expires_at);
  if (key.revoked_at !== null || end <= now) return "ended";
  return end - now < SOON_MS ? "expiring" : "active";
}

export function KeyStanding({ of }: { of: Key }) {
  const state = stateOf(of);
  if (state === "expiring") return <Standing tone="waiting">Expires soon</Standing>;
  if (state === "ended") return <Standing tone="over">{of.revoked_at ? "Ended" : "Expired"}</Standing>;
  return <Standing tone="good">Active</Standing>;
}
