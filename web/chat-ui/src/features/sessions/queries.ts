import { api, client, type components } from "@msil-mcp/api";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";

export type Session = components["schemas"]["SessionView"];
export type Shelf = "active" | "archived";

const PAGE = 40;

/** The caller's conversations, newest first, as many pages as were asked for. */
export function useSessions({ search, shelf }: { search: string; shelf: Shelf }) {
  return useInfiniteQuery({
    queryKey: ["get", "/api/chat/sessions", { search, shelf }] as const,
    queryFn: async ({ pageParam, signal }) => {
      const query = {
        shelf,
        limit: PAGE,
        ...(search ? { q: search } : {}),
        ...(pageParam === null ? {} : { cursor: pageParam }),
      };
      const { data } = await client.GET("/api/chat/sessions", { params: { query }, signal });
      return data ?? { items: [], next_cursor: null };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
    // While a search is refined its last answer stays; another shelf's would be wrong.
    placeholderData: (before, query) => (query?.queryKey[2].shelf === shelf ? before : undefined),
  });
}

/** What one can do to a conversation; the lists follow. */
export function useSessionActions() {
  const cache = useQueryClient();
  const follow = (...routes: string[]) =>
    cache.invalidateQueries({ predicate: ({ queryKey }) => routes.includes(String(queryKey[1])) });
  const onSuccess = () => follow("/api/chat/sessions", "/api/chat/sessions/{session_id}");
  const change = api.useMutation("patch", "/api/chat/sessions/{session_id}", { onSuccess });
  // The page of a deleted one is left, not asked for again.
  const remove = api.useMutation("delete", "/api/chat/sessions/{session_id}", { onSuccess: () => follow("/api/chat/sessions") });
  const restore = api.useMutation("post", "/api/chat/sessions/{session_id}/restore", { onSuccess });
  return { change, remove, restore };
}
