import { ModalsProvider } from "@mantine/modals";
import { renderApp } from "@msil-mcp/ui/testing";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider, type RouteComponent } from "@tanstack/react-router";
import { vi } from "vitest";

import { IdentityProvider, type Permission, type Profile } from "./identity";

interface Where {
  /** The page's own path, and the one of its open panel. */
  path: string;
  panel?: string;
  /** The address to open; the page's own without it. */
  at?: string;
  may?: readonly Permission[];
}

/** A page at its address, for somebody with these permissions; returns where the address went. */
export function renderPage(Shown: RouteComponent, { path, panel, at = path, may = [] }: Where) {
  // A virtual list shows what fits, and in jsdom nothing has a size.
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(800);
  const profile: Profile = {
    id: "user:1",
    kind: "user",
    name: "Asha",
    roles: ["administrator"],
    permissions: [...may],
    scopes: null,
    expires_at: null,
    attributes: {},
  };
  const root = createRootRoute();
  const page = createRoute({ getParentRoute: () => root, path, component: Shown });
  if (panel) page.addChildren([createRoute({ getParentRoute: () => page, path: panel })]);
  const router = createRouter({
    routeTree: root.addChildren([page]),
    history: createMemoryHistory({ initialEntries: [at] }),
  });
  renderApp(
    <ModalsProvider>
      <IdentityProvider value={profile}>
        <RouterProvider router={router as never} />
      </IdentityProvider>
    </ModalsProvider>,
  );
  return { location: () => router.state.location };
}
