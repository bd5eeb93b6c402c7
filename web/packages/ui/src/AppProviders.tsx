import { localStorageColorSchemeManager, MantineProvider, type MantineThemeOverride } from "@mantine/core";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense } from "react";

import { pageNonce } from "./nonce";
import { cssVariables } from "./theme";

// Nothing is noticed before something has been done.
const Notifications = lazy(() => import("@mantine/notifications").then((module) => ({ default: module.Notifications })));
const colorScheme = localStorageColorSchemeManager({ key: "msil-color-scheme" });

interface Props {
  theme: MantineThemeOverride;
  queryClient: QueryClient;
  /** In tests nothing moves, so that nothing need be waited for. */
  env?: "default" | "test";
  children: ReactNode;
}

/** What both apps stand on: theme, cache and notices. */
export function AppProviders({ theme, queryClient, env = "default", children }: Props) {
  return (
    <MantineProvider
      theme={theme}
      env={env}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={colorScheme}
      defaultColorScheme="auto"
      getStyleNonce={pageNonce}
    >
      <QueryClientProvider client={queryClient}>
        <Suspense>
          <Notifications position="bottom-right" limit={3} />
        </Suspense>
        {children}
      </QueryClientProvider>
    </MantineProvider>
  );
}
