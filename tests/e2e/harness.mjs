// What the walks share: a static server under a sub-path and a headless Chromium.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const axeSource = () => readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".yaml": "application/yaml",
  ".webmanifest": "application/manifest+json",
};

/** Serves a folder at http://localhost:<port>/some/where/, to prove that the site is relocatable. */
export async function serve(folder, base = "/some/where/") {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    if (!path.startsWith(base)) return response.writeHead(404).end();
    let name = normalize(path.slice(base.length)).replace(/^(\.\.[/\\])+/, "");
    if (name === "." || name.endsWith("/")) name = join(name, "index.html");
    try {
      const body = await readFile(join(folder, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://localhost:${server.address().port}${base}`;
  return { url, close: () => server.close() };
}

/** The system's Chromium, with the flags that a container without a network needs. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.ORRERY_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Fails with a message unless the condition holds. */
export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** Waits until a function of the page returns something true, and returns it. */
export async function until(page, what, body, argument, timeout = 20_000) {
  try {
    const handle = await page.waitForFunction(body, argument, { timeout, polling: 50 });
    return await handle.jsonValue();
  } catch (error) {
    throw new Error(`waited in vain until ${what}: ${error.message}`);
  }
}
