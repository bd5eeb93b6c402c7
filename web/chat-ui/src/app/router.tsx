import { PageFault } from "@msil-mcp/ui";
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";

import type { FirstWords } from "../features/conversation";
import { Layout } from "./Layout";
import { NotFound } from "./NotFound";

const root = createRootRoute({ component: Outlet });

const layout = createRoute({ getParentRoute: () => root, id: "layout", component: Layout });

const welcome = createRoute({
  getParentRoute: () => layout,
  path: "/",
  component: lazyRouteComponent(() => import("./WelcomePage"), "WelcomePage"),
});

const conversation = createRoute({
  getParentRoute: () => layout,
  path: "/c/$sessionId",
  component: lazyRouteComponent(() => import("./ConversationPage"), "ConversationPage"),
});

export const router = createRouter({
  basepath: "/chat",
  routeTree: root.addChildren([layout.addChildren([welcome, conversation])]),
  defaultPreload: "intent",
  defaultErrorComponent: PageFault,
  defaultNotFoundComponent: NotFound,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
  interface HistoryState {
    firstWords?: FirstWords;
  }
}
