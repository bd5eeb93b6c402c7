import { textIn } from "../../shared/address";

export function connectSearch(raw: Record<string, unknown>) {
  return { ...textIn(raw, "bundle"), ...textIn(raw, "client") };
}
