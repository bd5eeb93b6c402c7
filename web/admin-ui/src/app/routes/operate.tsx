import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

import { settingsSearch } from "../../features/settings/search";
import { webhooksSearch } from "../../features/webhooks/search";
import { shell } from "../root";

const webhooks = createRoute({
  getParentRoute: () => shell,
  path: "/webhooks",
  validateSearch: webhooksSearch,
  component: lazyRouteComponent(() => import("../../features/webhooks"), "Webhooks"),
});
const webhook = createRoute({ getParentRoute: () => webhooks, path: "$webhookId" });

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  validateSearch: settingsSearch,
  component: lazyRouteComponent(() => import("../../features/settings"), "Settings"),
});

const health = createRoute({
  getParentRoute: () => shell,
  path: "/health",
  component: lazyRouteComponent(() => import("../../features/health"), "Health"),
});

export const operate = [webhooks.addChildren([webhook]), settings, health] as const;
