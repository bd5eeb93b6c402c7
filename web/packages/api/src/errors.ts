import type { components } from "./schema";

export type Problem = components["schemas"]["Problem"];

/** A refused or failed request: what happened, in the server's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly correlationId: string | undefined;
  readonly fields: readonly { pointer: string; detail: string }[];
  readonly retryAfter: number | undefined;

  constructor(problem: Problem, { correlationId, retryAfter }: { correlationId?: string | undefined; retryAfter?: number | undefined } = {}) {
    super(problem.detail);
    this.name = "ApiError";
    this.status = problem.status;
    this.code = problem.code ?? "http_error";
    this.title = problem.title;
    this.correlationId = problem.correlation_id ?? correlationId;
    this.fields = problem.errors ?? [];
    this.retryAfter = retryAfter;
  }

  /** Nobody is signed in, or the session has ended. */
  get isSignedOut(): boolean {
    return this.status === 401;
  }

  get isForbidden(): boolean {
    return this.status === 403;
  }
}

/** Every failure as an ApiError: an unreachable server has status 0. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError({
    type: "about:blank",
    title: "The server cannot be reached",
    status: 0,
    detail: "The server did not answer. Nothing was lost; check the connection and try again.",
    code: "unreachable",
  });
}

/** The error a response stands for; one without a problem document gets its status line. */
export async function errorOf(response: Response): Promise<ApiError> {
  const correlationId = response.headers.get("x-correlation-id") ?? undefined;
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const facts = { correlationId, retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined };
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  if (isProblem(body)) return new ApiError(body, facts);
  return new ApiError(
    {
      type: "about:blank",
      title: `The server answered ${response.status}`,
      status: response.status,
      detail: response.statusText,
      code: "unexplained",
    },
    facts,
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "title" in body && "detail" in body && "status" in body;
}
