import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Asked {
  messages: { role: string; content?: unknown }[];
  tools?: { function: { name: string } }[];
}

/** What a page must never take for more than characters. */
export const HOSTILE = [
  "<script>window.stolen = 1</script> <img src=x onerror='window.stolen = 1'>",
  "[press here](javascript:window.stolen=1) and ![a picture](http://192.0.2.1/pixel.png)",
  "\u001b[31mred\u001b[0m and <b>bold</b>",
].join("\n\n");

export const SLOW_WORDS = 400;
const SLOW_MS = 40;

/**
 * A model at the edge of the world, in OpenAI's protocol: "slowly" is answered with four hundred words
 * one after another, "notice" with a call of get_notice and then with hostile text.
 */
export async function startModel(): Promise<{ url: string; stop: () => void }> {
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const asked = JSON.parse(Buffer.concat(pieces).toString()) as Asked;
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const send = (delta: object, finish: string | null = null) =>
    response.write(`data: ${JSON.stringify({ id: "e2e", object: "chat.completion.chunk", created: 1, model: "e2e", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
  const said = JSON.stringify(asked.messages.findLast((message) => message.role === "user")?.content ?? "");
  const tool = asked.tools?.find((one) => one.function.name.includes("get_notice"));
  send({ role: "assistant", content: "" });
  if (said.includes("notice") && tool && asked.messages.at(-1)?.role !== "tool") {
    send({ tool_calls: [{ index: 0, id: "call_notice", type: "function", function: { name: tool.function.name, arguments: "{}" } }] });
    send({}, "tool_calls");
  } else {
    if (said.includes("slowly")) {
      for (let word = 1; word <= SLOW_WORDS && !response.destroyed; word += 1) {
        send({ content: `word${word} ` });
        await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      }
    } else {
      send({ content: HOSTILE });
    }
    send({}, "stop");
  }
  response.write(`data: ${JSON.stringify({ id: "e2e", object: "chat.completion.chunk", created: 1, model: "e2e", choices: [], usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 } })}\n\n`);
  response.end("data: [DONE]\n\n");
}
