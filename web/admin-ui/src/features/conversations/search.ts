import { choiceIn, textIn } from "../../shared/address";

export const DELETED = ["without", "with", "only"] as const;

export function conversationsSearch(raw: Record<string, unknown>) {
  return { ...textIn(raw, "q"), ...textIn(raw, "owner"), ...choiceIn(raw, "deleted", DELETED) };
}
