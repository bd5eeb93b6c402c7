import { choiceIn, textIn } from "../../shared/address";

export const SHOWN = ["all", "set"] as const;

export function settingsSearch(raw: Record<string, unknown>) {
  return { ...textIn(raw, "q"), ...choiceIn(raw, "show", SHOWN) };
}
