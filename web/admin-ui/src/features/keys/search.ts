import { choiceIn, textIn } from "../../shared/address";

export const STANDINGS = ["active", "expiring", "ended"] as const;
export type KeyState = (typeof STANDINGS)[number];

export interface KeysSearch {
  q?: string;
  show?: KeyState | "all";
  sort?: string;
}

export function keysSearch(raw: Record<string, unknown>): KeysSearch {
  return { ...textIn(raw, "q"), ...choiceIn(raw, "show", [...STANDINGS, "all"] as const), ...textIn(raw, "sort") };
}
