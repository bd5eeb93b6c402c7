import { createRootRoute, createRoute, Outlet } from "@tanstack/react-router";

import { NotFound } from "./NotFound";
import { Shell } from "./Shell";

export const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

/** Everything an administrator sees once signed in. */
export const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });
