import { choiceIn, textIn } from "../../shared/address";

/** What the inbox can show; "all" stands beside the states the server knows. */
export const SHOWN = ["pending", "approved", "declined", "consumed", "expired", "all"] as const;
export type Shown = (typeof SHOWN)[number];

export interface ApprovalsSearch {
  show?: Exclude<Shown, "pending">;
  q?: string;
}

export function approvalsSearch(raw: Record<string, unknown>): ApprovalsSearch {
  return { ...choiceIn(raw, "show", ["approved", "declined", "consumed", "expired", "all"] as const), ...textIn(raw, "q") };
}
