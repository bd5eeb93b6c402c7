import { PageFault } from "@msil-mcp/ui";
import { createRouter } from "@tanstack/react-router";

import { root, shell } from "./root";
import { build } from "./routes/build";
import { govern } from "./routes/govern";
import { observe } from "./routes/observe";
import { operate } from "./routes/operate";

export const router = createRouter({
  basepath: "/admin",
  routeTree: root.addChildren([shell.addChildren([...observe, ...build, ...govern, ...operate])]),
  defaultPreload: "intent",
  defaultErrorComponent: PageFault,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
