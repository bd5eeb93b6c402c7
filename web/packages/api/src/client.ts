import createClient from "openapi-fetch";

import { asApiError, errorOf } from "./errors";
import type { paths } from "./schema";

/**
 * Our REST API, typed from its OpenAPI document. A request carries the session cookie; every
 * refusal and every broken connection is thrown as an ApiError.
 */
export const client = createClient<paths>({
  baseUrl: typeof window === "undefined" ? "" : window.location.origin,
  credentials: "same-origin",
  fetch: (request) => globalThis.fetch(request),
});

client.use({
  async onResponse({ response }) {
    if (!response.ok) throw await errorOf(response);
  },
  onError({ error }) {
    return asApiError(error);
  },
});
