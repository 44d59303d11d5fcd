// Pods placed per second in headless Chromium: the workload of crates/scheduler/benches, compiled
// as the engine is. ORRERY_SCHEDULING_WASM is the module; ORRERY_BENCH_RESULTS, if it is set, names
// the figures of the native side, which are then printed beside these.
import { readFile } from "node:fs/promises";
import { launch } from "./harness.mjs";

const N_ROUNDS = 3;
const KINDS = [
  ["plain", { 1000: 980, 5000: 710, 15000: 456 }],
  ["zone spread", { 5000: 295 }],
  ["hostname anti-affinity", { 5000: 375 }],
  ["preferred zone affinity", { 5000: 380 }],
];

const module = (await readFile(process.env.ORRERY_SCHEDULING_WASM)).toString("base64");
const native = new Map();
const results = process.env.ORRERY_BENCH_RESULTS;
for (const line of results ? (await readFile(results, "utf8")).split("\n") : []) {
  const [kind, , nodes, rate] = line.split("\t");
  native.set(`${kind} ${nodes}`, Number(rate));
}

const browser = await launch();
const page = await browser.newPage();
const devtools = await page.context().newCDPSession(page);
await devtools.send("Performance.enable", { timeDomain: "threadTicks" });

/** Time on the processor of the page's thread, so that other work on the machine does not count. */
async function threadSeconds() {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return metrics.find((it) => it.name === "ThreadTime").value;
}

await page.evaluate(async (text) => {
  const bytes = Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes);
  globalThis.bench = instance.exports;
}, module);

const sizes = process.argv.slice(2).map(Number).filter((it) => it > 0);
const head = ["nodes", "pods", "wasm", "native", "Go", "wasm/Go", "native/Go"];
const row = ([nodes, pods, ...rest]) =>
  console.log(`${String(nodes).padStart(6)}  ${pods.padEnd(24)}${rest.map((it) => String(it).padStart(10)).join("")}`);
console.log("pods placed per second, the best of three rounds, time on the processor");
row(head);
for (const nodes of sizes.length ? sizes : [100, 1000, 5000, 15000]) {
  for (const [kind, [name, go]] of KINDS.entries()) {
    let best = 0;
    for (let round = 0; round < N_ROUNDS; round++) {
      const waiting = await page.evaluate(([kind, nodes]) => bench.prepare(kind, nodes), [kind, nodes]);
      if (!waiting) break;
      const started = await threadSeconds();
      const placed = await page.evaluate(() => bench.place_all());
      const seconds = (await threadSeconds()) - started;
      if (placed !== waiting) throw new Error(`${name}: ${waiting - placed} pods found no node`);
      best = Math.max(best, placed / seconds);
    }
    if (!best) continue;
    const beside = native.get(`${kind} ${nodes}`);
    const ratio = (rate) => (rate && go[nodes] ? (rate / go[nodes]).toFixed(1) : "-");
    row([nodes, name, best.toFixed(0), beside ?? "-", go[nodes] ?? "-", ratio(best), ratio(beside)]);
  }
}
await browser.close();
