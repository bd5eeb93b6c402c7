import { choiceIn, textIn } from "../../shared/address";

export const DELIVERY_STATES = ["pending", "delivered", "failed", "dead"] as const;

export interface WebhooksSearch {
  sort?: string;
  deliveries?: (typeof DELIVERY_STATES)[number];
  event?: string;
  delivery?: string;
}

export function webhooksSearch(raw: Record<string, unknown>): WebhooksSearch {
  return {
    ...textIn(raw, "sort"),
    ...choiceIn(raw, "deliveries", DELIVERY_STATES),
    ...textIn(raw, "event"),
    ...textIn(raw, "delivery"),
  };
}
