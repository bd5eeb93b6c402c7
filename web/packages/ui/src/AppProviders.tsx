import { localStorageColorSchemeManager, MantineProvider, type MantineThemeOverride } from "@mantine/core";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ComponentType, lazy, type ReactNode, Suspense } from "react";

import { pageNonce } from "./nonce";
import { cssVariables } from "./theme";
import { type Words, WordsProvider } from "./words";

// Nothing is noticed before something has been done.
const Notices = lazy((): Promise<{ default: ComponentType }> =>
  import("@mantine/notifications").then(
    ({ Notifications }) => ({ default: () => <Notifications position="bottom-right" limit={3} /> }),
    // Without notices the pages still work.
    () => ({ default: () => null }),
  ),
);
/** Read by theme.js, too, before anything is painted. */
const colorScheme = localStorageColorSchemeManager({ key: "msil-color-scheme" });

interface Props {
  theme: MantineThemeOverride;
  queryClient: QueryClient;
  /** In tests nothing moves, so that nothing need be waited for. */
  env?: "default" | "test";
  /** The shared parts' sentences, for an app that speaks other languages than English. */
  words?: Words;
  children: ReactNode;
}

/** What both apps stand on: theme, cache and notices. */
export function AppProviders({ theme, queryClient, env = "default", words, children }: Props) {
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
        <Worded words={words}>
          <Suspense>
            <Notices />
          </Suspense>
          {children}
        </Worded>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Worded({ words, children }: { words: Words | undefined; children: ReactNode }) {
  return words ? <WordsProvider value={words}>{children}</WordsProvider> : children;
}
