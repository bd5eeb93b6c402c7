import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

import { activitySearch } from "../../features/activity/search";
import { auditSearch } from "../../features/audit/search";
import { conversationsSearch } from "../../features/conversations/search";
import { usageSearch } from "../../features/usage/search";
import { rangeSearch } from "../../shared/range";
import { shell } from "../root";

const dashboard = createRoute({
  getParentRoute: () => shell,
  path: "/",
  validateSearch: rangeSearch,
  component: lazyRouteComponent(() => import("../../features/dashboard"), "Dashboard"),
});

const activity = createRoute({
  getParentRoute: () => shell,
  path: "/activity",
  validateSearch: activitySearch,
  component: lazyRouteComponent(() => import("../../features/activity"), "Activity"),
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("../../features/audit"), "Audit"),
});
const record = createRoute({ getParentRoute: () => audit, path: "$recordId" });

const usage = createRoute({
  getParentRoute: () => shell,
  path: "/usage",
  validateSearch: usageSearch,
  component: lazyRouteComponent(() => import("../../features/usage"), "Usage"),
});

const conversations = createRoute({
  getParentRoute: () => shell,
  path: "/conversations",
  validateSearch: conversationsSearch,
  component: lazyRouteComponent(() => import("../../features/conversations"), "Conversations"),
});
const conversation = createRoute({ getParentRoute: () => conversations, path: "$sessionId" });

export const observe = [dashboard, activity, audit.addChildren([record]), usage, conversations.addChildren([conversation])] as const;
