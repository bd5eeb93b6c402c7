import { limits } from "@msil-mcp/api";

import type { Permission } from "../../shared/identity";

/** What each permission lets people do, as the page says it. */
export const MEANINGS: Record<Permission, string> = {
  "tools:read": "See tools and bundles",
  "tools:write": "Import, edit and publish tools",
  "approvals:read": "See everybody's requests for approval",
  "approvals:decide": "Answer other people's requests",
  "audit:read": "Read the audit trail",
  "audit:export": "Export the audit trail",
  "analytics:read": "See figures and live activity",
  "keys:manage": "Make and end keys",
  "users:manage": "Add and change users",
  "roles:manage": "Change roles and what they see",
  "policies:manage": "Change policies",
  "settings:read": "See settings and where they come from",
  "chat:use": "Use the chat",
  "chat:read_all": "Read other people's conversations",
  "chat:export": "Export conversations",
  "usage:read_all": "See everybody's usage",
  "webhooks:manage": "Change webhooks",
  "profile:read": "See one's own profile and requests",
};

export const PERMISSIONS: readonly Permission[] = limits.RoleBody.permissions.items.values;
