import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium, type LaunchOptions } from "playwright-core";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const PYTHON = process.env["MSIL_PYTHON"] ?? join(ROOT, ".venv/bin/python");

const CHROMIUM = process.env["MSIL_CHROMIUM"] ?? "/usr/bin/chromium";
const STARTUP_MS = 60_000;
const LOG_CHARACTERS = 4_000;

export interface Demo {
  url: string;
  bookingUrl: string;
  stop: () => Promise<void>;
}

/** `msil-mcp demo` on free ports with a data directory that goes away with it. */
export async function startDemo(environment: Record<string, string>): Promise<Demo> {
  for (const app of ["chat", "admin"]) {
    if (!existsSync(join(ROOT, `src/msil_mcp/pages/static/${app}/index.html`))) {
      throw new Error(`The pages of ${app} are not built: make web`);
    }
  }
  const dataDir = await mkdtemp(join(tmpdir(), "msil-e2e-"));
  const [port, bookingPort] = [await freePort(), await freePort()];
  const program = spawn(
    PYTHON,
    ["-m", "msil_mcp", "demo", "--port", String(port), "--booking-port", String(bookingPort), "--data-dir", dataDir],
    // Its own directory, so that nobody's .env is read.
    { cwd: dataDir, env: { PATH: process.env["PATH"] ?? "", HOME: dataDir, ...environment }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const log = logOf(program);
  const stop = async () => {
    await ended(program);
    await rm(dataDir, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + STARTUP_MS;
  while (!(await isReady(url))) {
    if (program.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`The server did not start:\n${log()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { url, bookingUrl: `http://127.0.0.1:${bookingPort}`, stop };
}

/** How Debian's Chromium is started; says what to install where there is none. */
export function browserOptions(): LaunchOptions {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`No browser at ${CHROMIUM}: apt-get install chromium, or name one in MSIL_CHROMIUM`);
  }
  return { executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] };
}

export async function startBrowser(): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const server = await chromium.launchServer(browserOptions());
  return { endpoint: server.wsEndpoint(), stop: () => server.close() };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`)).ok;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer().on("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      listener.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no free port"))));
    });
  });
}

/** The end of what a program said, for when it fails. */
function logOf(program: ChildProcess): () => string {
  let text = "";
  const hear = (piece: Buffer) => {
    text = (text + piece.toString()).slice(-LOG_CHARACTERS);
  };
  program.stdout?.on("data", hear);
  program.stderr?.on("data", hear);
  return () => text;
}

async function ended(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null) return;
  const gone = new Promise((resolve) => program.once("exit", resolve));
  program.kill("SIGTERM");
  const late = setTimeout(() => program.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(late);
}
