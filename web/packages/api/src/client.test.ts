import { expect, test, vi } from "vitest";

import { ApiError, asApiError, client } from ".";

function answering(response: () => Response | Promise<Response>): void {
  vi.stubGlobal("fetch", async () => response());
}

test("a refusal is thrown with the server's words, code and reference", async () => {
  const body = { type: "t", title: "Forbidden", status: 403, detail: "Ask an administrator.", code: "forbidden" };
  answering(() => Response.json(body, { status: 403, headers: { "x-correlation-id": "r-1" } }));

  const error = await client.GET("/api/tools").catch((reason: unknown) => reason);

  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ message: "Ask an administrator.", code: "forbidden", correlationId: "r-1" });
});

test("a proxy's page is not mistaken for a problem document", async () => {
  answering(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));

  const error = asApiError(await client.GET("/api/tools").catch((reason: unknown) => reason));

  expect(error).toMatchObject({ status: 502, title: "The server answered 502", message: "Bad Gateway" });
});

test("a broken connection has status 0", async () => {
  answering(() => {
    throw new TypeError("fetch failed");
  });

  const error = asApiError(await client.GET("/api/tools").catch((reason: unknown) => reason));

  expect(error).toMatchObject({ status: 0, code: "unreachable" });
});
