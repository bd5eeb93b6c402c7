import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { renderChat } from "../../shared/testing";
import { Conversation } from "./Conversation";
import { pageOf, saying, SESSION, stored, streamOf } from "./testing";

beforeEach(() => sessionStorage.clear());

const BASE = "/api/chat/sessions/abc";
const IDLE = { session: SESSION, active_run: null, summary: null };
const HELLO = stored({ id: "m1", role: "user", parts: [{ type: "text", text: "Hello" }] });
const TURN = { run_id: "run1", session_id: "abc", message_id: "m1", state: "running", events: `${BASE}/turns/run1/events` };
const BRANCHES = { head_id: "m2", forks: [] };

function answered(text: string) {
  return pageOf([HELLO, stored({ id: "m2", role: "assistant", parts: [{ type: "text", text }] })]);
}

test("what is said is sent once, streamed, and then shown as it was stored", async () => {
  let page = pageOf([]);
  const { asked } = serve({
    [`GET ${BASE}`]: IDLE,
    [`GET ${BASE}/messages`]: () => page,
    [`GET ${BASE}/branches`]: BRANCHES,
    [`POST ${BASE}/turns`]: TURN,
    [`GET ${BASE}/turns/run1/events`]: () => {
      page = answered("Good morning.");
      return streamOf(saying("Good morning."));
    },
  });
  await renderChat(<Conversation sessionId="abc" />);

  await userEvent.type(await screen.findByLabelText("What do you want to say?"), "Hello{Enter}");

  await waitFor(() => expect(screen.getByRole("article", { name: "Assistant" })).toHaveTextContent("Good morning."));
  expect(await screen.findByRole("button", { name: "Good answer" })).toBeVisible();
  const turns = asked.filter((request) => request.method === "POST");
  expect(turns).toHaveLength(1);
  expect(await turns[0]?.json()).toMatchObject({ text: "Hello", client_id: expect.any(String) as string });
});

test("an answer under way is taken up after a reload", async () => {
  let isRunning = true;
  serve({
    [`GET ${BASE}`]: () => (isRunning ? { session: SESSION, summary: null, active_run: { id: "run1", state: "running", user_message_id: "m1", assistant_message_id: "m2", created_at: "2026-11-22T10:00:00Z", started_at: null } } : IDLE),
    [`GET ${BASE}/messages`]: () => (isRunning ? pageOf([HELLO]) : answered("Taken up.")),
    [`GET ${BASE}/branches`]: BRANCHES,
    [`GET ${BASE}/turns/run1/events`]: () => {
      isRunning = false;
      return streamOf(saying("Taken up."));
    },
  });

  await renderChat(<Conversation sessionId="abc" />);

  await waitFor(() => expect(screen.getByRole("article", { name: "Assistant" })).toHaveTextContent("Taken up."));
  expect(await screen.findByRole("button", { name: "Answer again" })).toBeVisible();
});

test("a stream that breaks off is followed again from its beginning", async () => {
  let streams = 0;
  let isRunning = true;
  serve({
    [`GET ${BASE}`]: () => (isRunning ? { session: SESSION, summary: null, active_run: { id: "run1", state: "running", user_message_id: "m1", assistant_message_id: "m2", created_at: "2026-11-22T10:00:00Z", started_at: null } } : IDLE),
    [`GET ${BASE}/messages`]: () => (isRunning ? pageOf([HELLO]) : answered("Whole at last.")),
    [`GET ${BASE}/branches`]: BRANCHES,
    [`GET ${BASE}/turns/run1/events`]: () => {
      streams += 1;
      if (streams === 1) return streamOf(saying("Whole").slice(0, 4), { isWhole: false });
      isRunning = false;
      return streamOf(saying("Whole at last."));
    },
  });

  await renderChat(<Conversation sessionId="abc" />);

  await waitFor(() => expect(screen.getByRole("article", { name: "Assistant" })).toHaveTextContent("Whole at last."));
  expect(streams).toBe(2);
});

test("what a tool or a model wrote stays text", async () => {
  const evil = '<script>alert(1)</script>\n\n[go](javascript:alert(1)) ![pixel](https://evil.example/x.png) \u001b[31mred';
  serve({
    [`GET ${BASE}`]: IDLE,
    [`GET ${BASE}/messages`]: answered(evil),
    [`GET ${BASE}/branches`]: BRANCHES,
  });

  const { container } = await renderChat(<Conversation sessionId="abc" />);

  const answer = await screen.findByRole("article", { name: "Assistant" });
  await waitFor(() => expect(answer).toHaveTextContent("red"));
  await waitFor(() => expect(within(answer).queryByText(/!\[pixel\]/)).toBeNull());
  expect(answer).toHaveTextContent("<script>alert(1)</script>");
  expect(container.querySelector("script, img")).toBeNull();
  expect(container.querySelector('a[href^="javascript"]')).toBeNull();
  expect(answer.textContent).not.toContain("\u001b");
});

test("a conversation of somebody else is refused in the server's words", async () => {
  serve({
    [`GET ${BASE}`]: () => problem(404, "There is no such conversation."),
    [`GET ${BASE}/messages`]: () => problem(404, "There is no such conversation."),
  });

  await renderChat(<Conversation sessionId="abc" />);

  expect((await screen.findAllByText("There is no such conversation."))[0]).toBeVisible();
});

test("a conversation stays in sight when it cannot be read again for a while", async () => {
  let isAway = false;
  serve({
    [`GET ${BASE}`]: () => (isAway ? problem(503, "The database is away.") : IDLE),
    [`GET ${BASE}/messages`]: answered("Good morning."),
    [`GET ${BASE}/branches`]: BRANCHES,
  });
  await renderChat(<Conversation sessionId="abc" />);
  await userEvent.type(await screen.findByLabelText("What do you want to say?"), "half a thought");
  await screen.findByText("Good morning.");

  isAway = true;
  await new Promise((resolve) => setTimeout(resolve, 5_100)); // what was read is not fresh any more
  window.dispatchEvent(new Event("visibilitychange"));

  await expect(screen.findByText("The database is away.", {}, { timeout: 500 })).rejects.toThrow();
  expect(screen.getByLabelText("What do you want to say?")).toHaveValue("half a thought");
});

test("what the server would not have is back in the field, and the conversation as it was", async () => {
  serve({
    [`GET ${BASE}`]: IDLE,
    [`GET ${BASE}/messages`]: answered("Good morning."),
    [`GET ${BASE}/branches`]: BRANCHES,
    [`POST ${BASE}/turns`]: () => problem(429, "Your budget of today is spent."),
  });
  await renderChat(<Conversation sessionId="abc" />);
  await screen.findByText("Good morning.");

  await userEvent.type(screen.getByLabelText("What do you want to say?"), "One more{Enter}");

  expect(await screen.findByRole("alert")).toHaveTextContent("Your budget of today is spent.");
  await waitFor(() => expect(screen.getByLabelText("What do you want to say?")).toHaveValue("One more"));
  await waitFor(() => expect(screen.getAllByRole("article")).toHaveLength(2));
});

test("an edit the server would not have takes nothing of the conversation away", async () => {
  serve({
    [`GET ${BASE}`]: IDLE,
    [`GET ${BASE}/messages`]: answered("Good morning."),
    [`GET ${BASE}/branches`]: BRANCHES,
    [`POST ${BASE}/turns`]: () => problem(409, "An answer is under way."),
  });
  await renderChat(<Conversation sessionId="abc" />);

  await userEvent.click(await screen.findByRole("button", { name: "Edit and send again" }));
  await userEvent.type(screen.getByLabelText("Edit and send again"), " there");
  await userEvent.click(screen.getAllByRole("button", { name: "Send" })[0] ?? document.body);

  await waitFor(() => expect(screen.getByLabelText("What do you want to say?")).toHaveValue("Hello there"));
  expect(await screen.findByText("Good morning.")).toBeVisible();
});

test("what was said while the server could not be reached is sent by itself, under the same name", async () => {
  let page = pageOf([]);
  let tries = 0;
  const { asked } = serve({
    [`GET ${BASE}`]: IDLE,
    [`GET ${BASE}/messages`]: () => page,
    [`GET ${BASE}/branches`]: BRANCHES,
    [`POST ${BASE}/turns`]: () => {
      tries += 1;
      if (tries === 1) throw new TypeError("fetch failed");
      return TURN;
    },
    [`GET ${BASE}/turns/run1/events`]: () => {
      page = answered("At last.");
      return streamOf(saying("At last."));
    },
  });
  await renderChat(<Conversation sessionId="abc" />);

  await userEvent.type(await screen.findByLabelText("What do you want to say?"), "Hello{Enter}");

  expect((await screen.findAllByText(/Not sent yet/))[0]).toBeVisible();
  await waitFor(() => expect(screen.getByRole("article", { name: "Assistant" })).toHaveTextContent("At last."));
  const turns = asked.filter((request) => request.method === "POST");
  const names = await Promise.all(turns.map(async (request) => ((await request.json()) as { client_id: string }).client_id));
  expect(names).toHaveLength(2);
  expect(new Set(names).size).toBe(1);
});

test("only what leads somewhere harmless is a link", async () => {
  const text = "[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x) [d](https://example.com/d) [e](tel:+911234)";
  serve({ [`GET ${BASE}`]: IDLE, [`GET ${BASE}/messages`]: answered(text), [`GET ${BASE}/branches`]: BRANCHES });
  await renderChat(<Conversation sessionId="abc" />);

  const links = await screen.findAllByRole("link");

  expect(links.map((link) => [link.textContent, link.getAttribute("href")])).toEqual([
    ["d", "https://example.com/d"],
    ["e", "tel:+911234"],
  ]);
});

test("what goes wrong is told in Hindi, too", async () => {
  serve({
    [`GET ${BASE}`]: () => {
      throw new TypeError("fetch failed");
    },
    [`GET ${BASE}/messages`]: pageOf([]),
  });
  await renderChat(<Conversation sessionId="abc" />, { language: "hi" });

  expect(await screen.findByRole("alert")).toHaveTextContent("सर्वर तक नहीं पहुँच सके");
  expect(screen.getByRole("button", { name: "फिर कोशिश करें" })).toBeVisible();
});

test("an edited message is said instead of the first one", async () => {
  const { asked } = serve({
    [`GET ${BASE}`]: IDLE,
    [`GET ${BASE}/messages`]: answered("Good morning."),
    [`GET ${BASE}/branches`]: BRANCHES,
    [`POST ${BASE}/turns`]: TURN,
    [`GET ${BASE}/turns/run1/events`]: () => streamOf(saying("Good evening.")),
  });
  await renderChat(<Conversation sessionId="abc" />);

  await userEvent.click(await screen.findByRole("button", { name: "Edit and send again" }));
  const field = screen.getByLabelText("Edit and send again");
  await userEvent.clear(field);
  await userEvent.type(field, "Good day");
  await userEvent.keyboard("{Tab}{Tab}{Enter}");

  await waitFor(() => expect(asked.some((request) => request.method === "POST")).toBe(true));
  const sent: unknown = await asked.find((request) => request.method === "POST")?.json();
  expect(sent).toMatchObject({ text: "Good day", edit_id: "m1" });
});

test("the interface speaks Hindi", async () => {
  serve({ [`GET ${BASE}`]: IDLE, [`GET ${BASE}/messages`]: pageOf([]), [`GET ${BASE}/branches`]: BRANCHES });

  await renderChat(<Conversation sessionId="abc" />, { language: "hi" });

  expect(await screen.findByLabelText("आप क्या कहना चाहते हैं?")).toBeVisible();
  vi.unstubAllGlobals();
});
