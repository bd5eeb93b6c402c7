import { api } from "@msil-mcp/api";

import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows } from "../../shared/lists";
import { count } from "./sight";

/** "2 users and 1 key carry it", as far as one may know. */
export function useCarriers(role: string): string | undefined {
  const may = useMay();
  const init = { params: { query: { limit: 200 } } };
  const users = useAllRows(api.useInfiniteQuery("get", "/api/users", init, { ...BY_CURSOR, enabled: may("users:manage") }));
  const keys = useAllRows(api.useInfiniteQuery("get", "/api/keys", init, { ...BY_CURSOR, enabled: may("keys:manage") }));
  const found = [
    users.rows && count(users.rows.filter((one) => one.roles.includes(role)).length, "user"),
    keys.rows && count(keys.rows.filter((one) => one.roles.includes(role) && one.revoked_at === null).length, "key"),
  ].filter((part) => part !== undefined);
  return found.length > 0 ? `Carried by ${found.join(" and ")}.` : undefined;
}
