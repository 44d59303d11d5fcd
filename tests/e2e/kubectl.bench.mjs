// How long commands and completions take in headless Chromium on 1,000 nodes with 10,000 pods; the
// native side is crates/sim/benches/kubectl.rs. The bar is 10 ms; what is above is marked.
import { readFile } from "node:fs/promises";
import { launch, serve } from "./harness.mjs";

const BAR_MS = 10;
const N_ROUNDS = 7;

const here = new URL(".", import.meta.url);
const list = await readFile(new URL("kubectl.bench.txt", here), "utf8");
const words = process.argv.slice(2);
const lines = list.split("\n").filter((it) => it && !it.startsWith("#"))
  .filter((it) => !words.length || words.some((word) => it.includes(word)));

const nodes = Array.from({ length: 1000 }, (_, i) =>
  `apiVersion: v1\nkind: Node\nmetadata: {name: n${i}, labels: {kubernetes.io/hostname: n${i}}}\n` +
  `status: {allocatable: {cpu: "16", memory: 64Gi, pods: "110"}}\n---\n`).join("");
const pods = Array.from({ length: 10_000 }, (_, i) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: web-${i}, namespace: ${i % 2 ? "kube-system" : "default"}, ` +
  `labels: {app: a${i % 20}}}\nspec: {nodeName: n${i % 1000}, containers: [{name: c, image: nginx, ` +
  `resources: {requests: {cpu: 100m, memory: 64Mi}}}]}\n---\n`).join("");

const engine = await serve(process.env.ORRERY_ENGINE ?? new URL("../../web/pkg/engine", here).pathname, "/engine/");
const browser = await launch();
const page = await browser.newPage();
await page.route(`${engine.url}bench.html`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
await page.goto(`${engine.url}bench.html`);
await page.evaluate(async (text) => {
  const module = await import("./engine.js");
  await module.default();
  globalThis.simulation = new module.Simulation(text, JSON.stringify({ preset: "empty" }));
  simulation.runUntil(60_000, 1e12);
}, nodes + pods);

const devtools = await page.context().newCDPSession(page);
await devtools.send("Performance.enable", { timeDomain: "threadTicks" });

/** Time on the processor of the page's thread, so that other work on the machine does not count. */
async function threadMs() {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return metrics.find((it) => it.name === "ThreadTime").value * 1000;
}

/** How long the page is busy with a question that has nothing to do, in milliseconds. */
async function asking() {
  const times = [];
  for (let round = 0; round < 5 * N_ROUNDS; round += 1) {
    const started = await threadMs();
    await page.evaluate((asked) => asked.length, "nothing");
    times.push((await threadMs()) - started);
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

/**
 * The median of the rounds of a line, as on the native side, and the first round, in which the
 * browser also compiles what the line is the first to need; in milliseconds, without the asking.
 */
async function measured(line) {
  const times = [];
  let bytes = 0;
  for (let round = 0; round < N_ROUNDS; round += 1) {
    const started = await threadMs();
    bytes = await page.evaluate((asked) => {
      const answer = asked.startsWith("Tab: ")
        ? simulation.complete(asked.slice(5), asked.length - 5)
        : simulation.command(asked).output;
      return answer.length;
    }, line.replaceAll("ROUND", round));
    times.push(Math.max(0, (await threadMs()) - started - askingMs));
  }
  const [first] = times;
  return { ms: times.toSorted((a, b) => a - b)[N_ROUNDS >> 1], first, bytes };
}

const askingMs = await asking();
console.log(`${"Chromium, wasm, 1,000 nodes, 10,000 pods".padEnd(52)} ${"ms".padStart(9)} ${"first".padStart(9)} ${"bytes".padStart(10)}`);
let nAbove = 0;
for (const line of lines) {
  const { ms, first, bytes } = await measured(line);
  if (ms > BAR_MS) nAbove += 1;
  console.log(`${line.padEnd(52)} ${ms.toFixed(2).padStart(9)} ${first.toFixed(2).padStart(9)} ${String(bytes).padStart(10)}${ms > BAR_MS ? "  above the bar" : ""}`);
}
console.log(`${lines.length - nAbove} of ${lines.length} within ${BAR_MS} ms; ${askingMs.toFixed(2)} ms for asking are left out`);
await browser.close();
engine.close();
