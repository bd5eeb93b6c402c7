import { choiceIn } from "../../shared/address";

export const KINDS = ["all", "tools", "approvals", "conversations", "changes"] as const;
export type Kind = (typeof KINDS)[number];

export function activitySearch(raw: Record<string, unknown>): { kind?: Kind } {
  return choiceIn(raw, "kind", KINDS);
}
