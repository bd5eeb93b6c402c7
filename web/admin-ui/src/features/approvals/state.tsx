import type { components } from "@msil-mcp/api";

import { Standing } from "../../shared/Standing";

export type Approval = components["schemas"]["ApprovalOut"];
type State = Approval["state"];

/** The states in the words of the person who decides. */
export const WORDS: Record<State, string> = {
  pending: "Waiting",
  approved: "Approved",
  declined: "Declined",
  consumed: "Used",
  expired: "Expired",
};

const TONES = {
  pending: "waiting",
  approved: "good",
  declined: "bad",
  consumed: "plain",
  expired: "over",
} as const satisfies Record<State, string>;

export function StateBadge({ state }: { state: State }) {
  return <Standing tone={TONES[state]}>{WORDS[state]}</Standing>;
}
