import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { HOSTILE } from "./model";

export interface Upstream {
  url: string;
  /** The bodies of what was reserved. */
  reserved: unknown[];
  stop: () => void;
}

/** A small API of the journeys' own: parking spots to reserve, and a notice that is hostile. */
export async function startUpstream(): Promise<Upstream> {
  const reserved: unknown[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const send = (status: number, value: unknown) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
      if (request.url === "/notice") send(200, { notice: HOSTILE });
      else if (request.url === "/spots") send(200, { spots: [{ spot: "A1", free: true }] });
      else if (request.url === "/reservations" && request.method === "POST") {
        reserved.push(JSON.parse(Buffer.concat(pieces).toString()));
        send(201, { reservation: `R${reserved.length}` });
      } else send(404, {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    reserved,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const answers = (properties: object) => ({ description: "Done", content: { "application/json": { schema: { type: "object", properties } } } });

export function parkingDocument(url: string, title = "Parking"): object {
  const body = { type: "object", required: ["spot", "hours"], properties: { spot: { type: "string", description: "Name of the spot" }, hours: { type: "integer", minimum: 1, maximum: 12 } } };
  return {
    openapi: "3.1.0",
    info: { title, version: "1.0.0" },
    servers: [{ url }],
    paths: {
      "/spots": { get: { operationId: "list_spots", summary: "List free parking spots", responses: { 200: answers({ spots: { type: "array", items: { type: "object" } } }) } } },
      "/reservations": {
        post: {
          operationId: "reserve_spot",
          summary: "Reserve a parking spot",
          requestBody: { required: true, content: { "application/json": { schema: body } } },
          responses: { 201: answers({ reservation: { type: "string" } }) },
        },
      },
    },
  };
}

export function noticeDocument(url: string): object {
  return {
    openapi: "3.1.0",
    info: { title: "Notices", version: "1.0.0" },
    servers: [{ url }],
    paths: { "/notice": { get: { operationId: "get_notice", summary: "Read the notice", responses: { 200: answers({ notice: { type: "string" } }) } } } },
  };
}
