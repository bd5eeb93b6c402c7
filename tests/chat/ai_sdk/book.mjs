// Holds a conversation as the AI SDK reads it: node book.mjs URL KEY LINE...
//
// Prints what it made of each answer. When an answer asks for a person's agreement the stream is
// left, as by a reload; the person agrees, and the stream is read again from its beginning.
import { parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema } from "ai";

const [base, key, ...lines] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };

async function post(path, body) {
  const response = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function* answer(events) {
  const response = await fetch(base + events, { headers });
  if (response.headers.get("x-vercel-ai-ui-message-stream") !== "v1") throw new Error("not a UI message stream");
  const chunks = parseJsonEventStream({ stream: response.body, schema: uiMessageChunkSchema }).pipeThrough(
    new TransformStream({
      transform(result, controller) {
        if (!result.success) throw result.error;
        controller.enqueue(result.value);
      },
    }),
  );
  yield* readUIMessageStream({ stream: chunks, terminateOnError: true });
}

const asked = (message) => message.parts.find((part) => part.state === "approval-requested")?.approval.id;

const messages = [];
const session = await post("/api/chat/sessions", {});
for (const text of lines) {
  const turn = await post(`/api/chat/sessions/${session.id}/turns`, { text });
  let approval;
  let message;
  for await (message of answer(turn.events)) {
    approval = asked(message);
    if (approval) break;
  }
  if (approval) {
    await post(`/api/chat/sessions/${session.id}/approvals/${approval}/decision`, { decision: "approve" });
    for await (message of answer(turn.events));
  }
  messages.push(message);
}
console.log(JSON.stringify({ session: session.id, messages }));
