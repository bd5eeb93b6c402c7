import { expect, test } from "vitest";

import { asChatMessages, inGroups, keepingEqual } from "./history";
import { pageOf, stored, used } from "./testing";

const CALL = { type: "tool_call", call_id: "c1", tool: "resolve_vehicle", arguments: { plate: "X" } } as const;

test("a call is shown with its result and how long it took", () => {
  const result = { type: "tool_result", call_id: "c1", tool: "resolve_vehicle", outcome: "succeeded", execution_id: "e1", text: null } as const;
  const page = pageOf([stored({ id: "m2", role: "assistant", parts: [CALL, result] })], {
    tool_uses: [used({ id: "e1", tool: "resolve_vehicle", result: { model: "Swift" } })],
  });

  const [message] = asChatMessages([page], { except: undefined });

  expect(message?.parts).toMatchObject([{ type: "tool-resolve_vehicle", state: "output-available", output: { model: "Swift" } }]);
  expect(message?.metadata?.durations).toEqual({ c1: 45 });
});

test("a call that failed says why", () => {
  const result = { type: "tool_result", call_id: "c1", tool: "resolve_vehicle", outcome: "failed", execution_id: null, text: "No such vehicle." } as const;

  const [message] = asChatMessages([pageOf([stored({ id: "m2", role: "assistant", parts: [CALL, result] })])], { except: undefined });

  expect(message?.parts).toMatchObject([{ state: "output-error", errorText: "No such vehicle." }]);
});

test("the answer that is being made is left to its stream", () => {
  const page = pageOf([
    stored({ id: "m1", role: "user", parts: [{ type: "text", text: "Hello" }] }),
    stored({ id: "m2", role: "assistant", run_id: "now", parts: [] }),
  ]);

  expect(asChatMessages([page], { except: "now" }).map((message) => message.id)).toEqual(["m1"]);
});

test("what was asked of a person keeps what became of it", () => {
  const approval = {
    id: "ap_1",
    state: "declined",
    tool: "create_service_booking",
    sentence: "Book a service.",
    arguments: {},
    method: "POST",
    url: "/api/booking/create",
    expires_at: "2026-11-22T11:00:00Z",
  } as const;
  const page = pageOf([stored({ id: "m2", role: "assistant", parts: [{ type: "approval", call_id: "c1", approval_id: "ap_1" }] })], {
    approvals: [approval],
  });

  const [message] = asChatMessages([page], { except: undefined });

  expect(message?.parts).toMatchObject([{ type: "data-approval", data: { approval_id: "ap_1", call_id: "c1", state: "declined" } }]);
});

function saidBetween(first: number, last: number) {
  const numbers = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  const messages = numbers.map((n) => stored({ id: `m${n}`, role: "user", sequence: n, parts: [{ type: "text", text: String(n) }] }));
  return asChatMessages([pageOf(messages)], { except: undefined });
}

test("an answer leaves the messages before it as they are", () => {
  const before = saidBetween(1, 1);

  const kept = keepingEqual(before, saidBetween(1, 2));

  expect(kept[0]).toBe(before[0]);
  expect(kept[1]?.id).toBe("m2");
});

test("earlier and later messages leave the groups of the others as they are", () => {
  const few = inGroups(saidBetween(40, 80));
  const live = { ...saidBetween(1, 1)[0], id: "live", metadata: undefined } as never;
  const more = inGroups([...saidBetween(1, 90), live]);

  expect(few.map((group) => group.key)).toEqual([1, 2]);
  expect(more.map((group) => group.key)).toEqual([0, 1, 2]);
  expect(more.map((group) => group.messages.length)).toEqual([31, 32, 28]);
});
