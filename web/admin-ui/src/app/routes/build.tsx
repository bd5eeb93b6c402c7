import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

import { connectSearch } from "../../features/connect/search";
import { toolsSearch } from "../../features/tools/search";
import { shell } from "../root";

const imports = createRoute({
  getParentRoute: () => shell,
  path: "/import",
  component: lazyRouteComponent(() => import("../../features/imports"), "Import"),
});
const draft = createRoute({ getParentRoute: () => imports, path: "$draftId" });

const tools = createRoute({
  getParentRoute: () => shell,
  path: "/tools",
  validateSearch: toolsSearch,
  component: lazyRouteComponent(() => import("../../features/tools"), "Tools"),
});
const tool = createRoute({ getParentRoute: () => tools, path: "$name" });

const bundles = createRoute({
  getParentRoute: () => shell,
  path: "/bundles",
  component: lazyRouteComponent(() => import("../../features/bundles"), "Bundles"),
});
const bundle = createRoute({ getParentRoute: () => bundles, path: "$name" });

const connect = createRoute({
  getParentRoute: () => shell,
  path: "/connect",
  validateSearch: connectSearch,
  component: lazyRouteComponent(() => import("../../features/connect"), "Connect"),
});

export const build = [imports.addChildren([draft]), tools.addChildren([tool]), bundles.addChildren([bundle]), connect] as const;
