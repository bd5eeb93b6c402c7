import { choiceIn, textIn } from "../../shared/address";

export const RISKS = ["read", "write", "privileged"] as const;
export const STATES = ["published", "changed", "draft", "disabled", "removed"] as const;
export const SORTS = ["name", "-name", "title", "-title", "risk", "-risk", "tokens", "-tokens", "updated", "-updated"] as const;
export const TABS = ["model", "try", "versions", "sight", "calls", "edit"] as const;

export function toolsSearch(raw: Record<string, unknown>) {
  return {
    ...textIn(raw, "q"),
    ...textIn(raw, "bundle"),
    ...choiceIn(raw, "risk", RISKS),
    ...choiceIn(raw, "state", STATES),
    ...choiceIn(raw, "sort", SORTS),
    ...choiceIn(raw, "tab", TABS),
  };
}

export type ToolsSearch = ReturnType<typeof toolsSearch>;
