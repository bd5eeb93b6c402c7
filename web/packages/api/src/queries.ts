import { QueryCache, QueryClient } from "@tanstack/react-query";
import createQueryHooks from "openapi-react-query";

import { client } from "./client";
import { ApiError } from "./errors";

/** TanStack Query hooks and options for every route: `api.useQuery("get", "/api/tools")`. */
export const api = createQueryHooks(client);

const RETRIES = 2;

/** One cache an app; `onSignedOut` is called when any query learns that the session has ended. */
export function createQueryClient({ onSignedOut }: { onSignedOut: () => void }): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        const isQuestionOfIdentity = query.meta?.["identity"] === true;
        if (error instanceof ApiError && error.isSignedOut && !isQuestionOfIdentity) onSignedOut();
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        refetchOnWindowFocus: true,
        retry: (failures, error) => failures < RETRIES && isWorthRetrying(error),
      },
      mutations: { retry: false },
    },
  });
}

function isWorthRetrying(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true;
  return error.status === 0 || error.status >= 500 || error.status === 429;
}
