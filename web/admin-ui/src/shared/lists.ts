import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";

interface Paged<Row> {
  data: { pages: readonly { items: readonly Row[] }[] } | undefined;
  error: unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isFetchNextPageError: boolean;
  fetchNextPage: () => unknown;
  refetch: () => unknown;
}

/** How `api.useInfiniteQuery` walks our cursors. */
export const BY_CURSOR = {
  pageParamName: "cursor",
  initialPageParam: null, // undefined would become 0
  getNextPageParam: (page: { next_cursor?: string | null }) => page.next_cursor ?? undefined,
};

/** A paged query as DataTable takes it. */
export function usePages<Row>(query: Paged<Row>) {
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = query;
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items), [data]);
  return {
    rows,
    error,
    onRetry: () => void refetch(),
    hasMore: hasNextPage,
    onMore: () => void fetchNextPage(),
    isLoadingMore: isFetchingNextPage,
  };
}

/** Every page, one after the other, for lists that are searched and sorted here. */
export function useAllRows<Row>(query: Paged<Row>): { rows: Row[] | undefined; error: unknown; onRetry: () => void } {
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  const { rows, error, onRetry } = usePages(query);
  return { rows, error, onRetry };
}

/** Asks again for everything shown from these routes. */
export function useRefresh(...prefixes: string[]): () => Promise<void> {
  const cache = useQueryClient();
  const joined = prefixes.join(" ");
  return useCallback(
    () =>
      cache.invalidateQueries({
        predicate: ({ queryKey }) => joined.split(" ").some((prefix) => String(queryKey[1]).startsWith(prefix)),
      }),
    [cache, joined],
  );
}
