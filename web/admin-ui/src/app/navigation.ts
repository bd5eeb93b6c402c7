import {
  IconActivity,
  IconAdjustments,
  IconApi,
  IconChartBar,
  IconFileImport,
  IconGauge,
  IconHeartbeat,
  IconHistory,
  IconKey,
  IconMessages,
  IconPackages,
  IconPlugConnected,
  IconShieldCheck,
  IconUserCheck,
  IconUsers,
  IconWebhook,
  type Icon,
} from "@tabler/icons-react";

import type { Permission } from "../shared/identity";

export interface Destination {
  to: string;
  label: string;
  icon: Icon;
  /** Shown only to those who may use the page. */
  needs: Permission;
}

export const NAVIGATION: readonly { label: string; pages: readonly Destination[] }[] = [
  {
    label: "Observe",
    pages: [
      { to: "/", label: "Dashboard", icon: IconGauge, needs: "analytics:read" },
      { to: "/activity", label: "Activity", icon: IconActivity, needs: "audit:read" },
      { to: "/audit", label: "Audit", icon: IconHistory, needs: "audit:read" },
      { to: "/usage", label: "Usage and budgets", icon: IconChartBar, needs: "analytics:read" },
      { to: "/conversations", label: "Conversations", icon: IconMessages, needs: "chat:read_all" },
    ],
  },
  {
    label: "Build",
    pages: [
      { to: "/import", label: "Import", icon: IconFileImport, needs: "tools:write" },
      { to: "/tools", label: "Tools", icon: IconApi, needs: "tools:read" },
      { to: "/bundles", label: "Bundles", icon: IconPackages, needs: "tools:read" },
      { to: "/connect", label: "Connect", icon: IconPlugConnected, needs: "tools:read" },
    ],
  },
  {
    label: "Govern",
    pages: [
      { to: "/approvals", label: "Approvals", icon: IconUserCheck, needs: "approvals:read" },
      { to: "/roles", label: "Roles and exposure", icon: IconShieldCheck, needs: "roles:manage" },
      { to: "/users", label: "Users", icon: IconUsers, needs: "users:manage" },
      { to: "/keys", label: "Keys", icon: IconKey, needs: "keys:manage" },
    ],
  },
  {
    label: "Operate",
    pages: [
      { to: "/webhooks", label: "Webhooks", icon: IconWebhook, needs: "webhooks:manage" },
      { to: "/settings", label: "Settings", icon: IconAdjustments, needs: "settings:read" },
      { to: "/health", label: "Health", icon: IconHeartbeat, needs: "analytics:read" },
    ],
  },
];
