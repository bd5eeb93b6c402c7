import { textIn } from "../../shared/address";

export interface RolesSearch {
  sort?: string;
}

export function rolesSearch(raw: Record<string, unknown>): RolesSearch {
  return textIn(raw, "sort");
}
