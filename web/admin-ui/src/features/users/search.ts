import { choiceIn, textIn } from "../../shared/address";

export interface UsersSearch {
  q?: string;
  show?: "active" | "disabled";
  role?: string;
  sort?: string;
}

export function usersSearch(raw: Record<string, unknown>): UsersSearch {
  return {
    ...textIn(raw, "q"),
    ...choiceIn(raw, "show", ["active", "disabled"] as const),
    ...textIn(raw, "role"),
    ...textIn(raw, "sort"),
  };
}
