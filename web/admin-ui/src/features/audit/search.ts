import { choiceIn, textIn } from "../../shared/address";
import { RANGES, type Range } from "../../shared/range";

export const OUTCOMES = ["succeeded", "failed", "denied", "needs_confirmation", "unknown"] as const;
export const KINDS = ["tool.call", "run", "approval", "admin", "auth"] as const;

export interface AuditSearch {
  range?: Range;
  outcome?: (typeof OUTCOMES)[number];
  kind?: (typeof KINDS)[number];
  tool?: string;
  who?: string;
  action?: string;
  subject?: string;
  correlation?: string;
}

export function auditSearch(raw: Record<string, unknown>): AuditSearch {
  return {
    ...choiceIn(raw, "range", RANGES),
    ...choiceIn(raw, "outcome", OUTCOMES),
    ...choiceIn(raw, "kind", KINDS),
    ...textIn(raw, "tool"),
    ...textIn(raw, "who"),
    ...textIn(raw, "action"),
    ...textIn(raw, "subject"),
    ...textIn(raw, "correlation"),
  };
}

/** The same as the server takes it. */
export function queryOf(search: AuditSearch, since: string | undefined) {
  return {
    ...(since ? { since } : {}),
    ...(search.outcome ? { outcome: search.outcome } : {}),
    ...(search.kind ? { kind: search.kind } : {}),
    ...(search.tool ? { tool: search.tool } : {}),
    ...(search.who ? { principal_id: search.who } : {}),
    ...(search.action ? { action: search.action } : {}),
    ...(search.subject ? { subject: search.subject } : {}),
    ...(search.correlation ? { correlation_id: search.correlation } : {}),
  };
}
