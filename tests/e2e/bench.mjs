// Events per second of whole runs in headless Chromium; crates/sim/benches/run.rs is the native side.
import { launch, serve } from "./harness.mjs";

const here = new URL(".", import.meta.url);
const engine = await serve(process.env.ORRERY_ENGINE ?? new URL("../../web/pkg/engine", here).pathname, "/engine/");
const browser = await launch();
const page = await browser.newPage();
await page.route(`${engine.url}bench.html`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
await page.goto(`${engine.url}bench.html`);

const nodes = (n) =>
  Array.from({ length: n }, (_, i) =>
    `apiVersion: v1\nkind: Node\nmetadata: {name: n${i}, labels: {kubernetes.io/hostname: n${i}}}\n` +
    `status: {allocatable: {cpu: "16", memory: 64Gi, pods: "110"}}\n---\n`).join("");
const sleep = (indent) => `${indent}- {name: c, image: busybox, command: [sleep, "30"]}\n`;
const bigJob = `${nodes(5)}apiVersion: batch/v1\nkind: Job\nmetadata: {name: big}\nspec:\n  completions: 500\n  parallelism: 20
  template:\n    spec:\n      restartPolicy: Never\n      containers:\n${sleep("      ")}`;
const cronJobs = nodes(50) + Array.from({ length: 100 }, (_, i) =>
  `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c${i}}\nspec:\n  schedule: "*/5 * * * *"\n  jobTemplate:
    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n${sleep("          ")}---\n`).join("");

const runs = [
  ["job, 500 pods, 20 at a time", bigJob, 2 * 3_600_000],
  ["100 cron jobs, 50 nodes, 6 hours", cronJobs, 6 * 3_600_000],
];
if (process.argv.includes("--week")) runs.push(["100 cron jobs, 50 nodes, a week", cronJobs, 7 * 24 * 3_600_000]);

console.log(`${"Chromium, wasm".padEnd(34)} ${"events".padStart(10)} ${"events/s".padStart(12)} ${"seconds".padStart(9)} ${"MB".padStart(7)}`);
for (const [name, text, until] of runs) {
  const { events, seconds, bytes } = await page.evaluate(async ([text, until]) => {
    const module = await import("./engine.js");
    const { memory } = await module.default();
    const simulation = new module.Simulation(text, JSON.stringify({ preset: "empty" }));
    const started = performance.now();
    simulation.runUntil(until, 1e12);
    const seconds = (performance.now() - started) / 1000;
    const { nEvents } = JSON.parse(simulation.state());
    simulation.free();
    return { events: nEvents, seconds, bytes: memory.buffer.byteLength };
  }, [text, until]);
  console.log(`${name.padEnd(34)} ${String(events).padStart(10)} ${(events / seconds).toFixed(0).padStart(12)} ${seconds.toFixed(2).padStart(9)} ${(bytes / 1e6).toFixed(0).padStart(7)}`);
}
await browser.close();
engine.close();
