import { choiceIn } from "../../shared/address";
import { RANGES } from "../../shared/range";

export const BY = ["day", "user", "model", "door"] as const;
export type By = (typeof BY)[number];

export function usageSearch(raw: Record<string, unknown>) {
  return { ...choiceIn(raw, "range", RANGES), ...choiceIn(raw, "by", BY) };
}
