export { client } from "./client";
export { ApiError, asApiError, errorOf, type Problem } from "./errors";
export * as limits from "./limits";
export { api, createQueryClient } from "./queries";
export type * from "./schema";
