import type { components } from "@msil-mcp/api";

import { Standing } from "../../shared/Standing";

export type Webhook = components["schemas"]["WebhookView"];
export type Delivery = components["schemas"]["DeliveryView"];

export function WebhookStanding({ of }: { of: Webhook }) {
  if (!of.active) return <Standing tone="over">Paused</Standing>;
  return of.failing_since ? <Standing tone="bad">Failing</Standing> : <Standing tone="good">Active</Standing>;
}

export const WORDS: Record<Delivery["state"], string> = {
  pending: "Waiting",
  delivered: "Delivered",
  failed: "Tried again later",
  dead: "Given up",
};

const TONES = { pending: "plain", delivered: "good", failed: "waiting", dead: "bad" } as const satisfies Record<Delivery["state"], string>;

export function DeliveryStanding({ state }: { state: Delivery["state"] }) {
  return <Standing tone={TONES[state]}>{WORDS[state]}</Standing>;
}
