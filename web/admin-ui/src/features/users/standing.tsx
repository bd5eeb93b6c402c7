import type { components } from "@msil-mcp/api";

import { Standing } from "../../shared/Standing";

export type User = components["schemas"]["UserView"];

export function UserStanding({ user }: { user: User }) {
  if (!user.active) return <Standing tone="over">Disabled</Standing>;
  if (user.locked_until && new Date(user.locked_until) > new Date()) return <Standing tone="bad">Locked</Standing>;
  return <Standing tone="good">Active</Standing>;
}
