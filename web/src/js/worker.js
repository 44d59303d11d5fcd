// The engine's own thread: answers numbered requests with JSON texts, put together from the texts
// that the engine package returns, so that nothing large is parsed twice.
import init, { addZone, lastPanic, registerExtender, Simulation, zonesOf } from '../../pkg/engine/engine.js';

const ready = init();
/** A slice of a long run aims at so many milliseconds; between two slices Stop is heard. */
const SLICE_MS = 80;
/** A long run shows itself so often. */
const PROGRESS_MS = 400;

// Through a name: the bundler would take `new URL(..., import.meta.url)` for its own and find no zones.
const here = import.meta.url;
const zones = new Map();
let simulation = null;
let revision = 0;
let stopped = false;

/** Fetches the time zones that a text names; one that is not there is reported by the engine. */
async function fetchZones(text) {
  const missing = JSON.parse(zonesOf(text)).filter((name) => !zones.has(name));
  await Promise.all(missing.map(async (name) => {
    zones.set(name, true);
    if (!/^[A-Za-z0-9_+/-]+$/.test(name)) return;
    const response = await fetch(new URL(`../zones/${name}.tzif`, here)).catch(() => null);
    if (response?.ok) addZone(name, new Uint8Array(await response.arrayBuffer()));
  }));
}

let documentation = null;

/** Fetches what `kubectl explain` tells, once; each run is told anew. */
async function loadDocumentation() {
  if (documentation === null) {
    const response = await fetch(new URL('../explain.txt', import.meta.url)).catch(() => null);
    documentation = response?.ok ? await response.text() : '';
  }
  if (documentation) simulation.setDocumentation(documentation);
}

let files = null;

/** Fetches the files of the gallery and of the book, once, for who uses `-f`. */
async function loadFiles(text) {
  if (files || !/\s(-\w*f|--filename)/.test(text)) return;
  const response = await fetch(new URL('../files.json', here)).catch(() => null);
  if (response?.ok) ({ files } = await response.json());
  if (files) simulation?.addFiles(JSON.stringify(files));
}

/** What a line needs that is not with the engine. */
async function prepare(line) {
  if (/^\s*((kubectl|k)\s+)?explain\b/.test(line)) await loadDocumentation();
  await loadFiles(line);
}

/**
 * Only a text without errors replaces the run: what is shown stays when a text is unusable. A quiet
 * run comes back to what is shown already, so nothing is shown on the way.
 */
async function open({ text, options, at, quiet }, report) {
  await fetchZones(text);
  await loadFiles(text + options.actions.map(({ command }) => ` ${command}`).join());
  const json = JSON.stringify({ ...options, files: files ?? [] });
  const diagnostics = Simulation.diagnostics(text, json);
  if (JSON.parse(diagnostics).some(({ severity }) => severity === 'error')) return { diagnostics };
  const next = new Simulation(text, json);
  simulation?.free();
  simulation = next;
  revision = 0;
  await runTo(at, quiet ? () => {} : report);
  return { diagnostics };
}

/** How many events have run, and how often a bound was reached. */
function progress() {
  const { nEvents, notices } = JSON.parse(simulation.state());
  return { nEvents, nBounds: notices.filter(({ code }) => code === 'budget').length };
}

/**
 * Repeats `run` (at most n events; true when done) until it is done, until it does nothing more
 * (a notice says why), or until the user stops it.
 */
async function inSlices(run, report) {
  let n = 500;
  let shown = performance.now();
  while (!stopped) {
    const before = progress();
    const started = performance.now();
    if (run(n)) return;
    const now = performance.now();
    const after = progress();
    if (after.nEvents === before.nEvents || after.nBounds > before.nBounds) return;
    n = Math.round(Math.min(Math.max(n * SLICE_MS / (now - started + 1), 20), n * 4));
    if (now - shown > PROGRESS_MS) {
      report();
      shown = now;
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}

const runTo = (to, report) => inSlices((n) => simulation.runUntil(to, n), report);

/** Back is a checkpoint and a short run; forth may be long. */
async function seek({ to }, report) {
  if (to < JSON.parse(simulation.state()).nowMs) simulation.seek(to, 0);
  await runTo(to, report);
}

const acted = (result) => ({ command: JSON.stringify(result), actions: simulation.actions() });

const operations = {
  open,
  seek,
  step: () => void simulation.step(),
  stepBack: () => void simulation.stepBack(),
  interesting: (_, report) => inSlices((n) => simulation.stepInteresting(n), report),
  previous: () => void simulation.stepBackInteresting(),
  advance: ({ to, maxEvents }) => void simulation.runUntil(to, maxEvents),
  async command({ line, input }) {
    await prepare(line);
    return acted(simulation.command(line, input));
  },
  async complete({ line, cursor }) {
    await prepare(line);
    return { completion: simulation.complete(line, cursor) };
  },
  apply: ({ text }) => acted(simulation.apply(text)),
  async undo({ actions, horizon, to }, report) {
    simulation.setActions(JSON.stringify(actions));
    await seek({ to: horizon }, report);
    await seek({ to }, report);
    return { actions: simulation.actions() };
  },
  // A fix: one after the other, as if typed; what one prints stands below the other.
  act({ steps }) {
    const results = steps.map(({ command, yaml }) => simulation.command(command, yaml));
    const output = results.map((it) => it.output).join('');
    const exitCode = results.find((it) => it.exitCode !== 0)?.exitCode ?? 0;
    return acted({ ...results[0], output, exitCode });
  },
  export: ({ target }) => ({ export: JSON.stringify(simulation.export(target)) }),
  fixes: ({ namespace, name }) => ({ fixes: simulation.fixes(namespace, name) ?? 'null' }),
  room: ({ namespace, name }) => ({ room: simulation.room(namespace, name) ?? 'null' }),
  diagnostics: ({ text, options }) => ({ diagnostics: Simulation.diagnostics(text, JSON.stringify(options)) }),
  inspect: ({ kind, namespace, name, place, reach }) => ({
    yaml: JSON.stringify(simulation.yaml(kind, namespace, name) ?? ''),
    ...(kind === 'Pod' ? {
      diagnosis: simulation.diagnosis(namespace, name, place ?? undefined) ?? 'null',
      attempts: simulation.attemptList(namespace, name),
      ...(reach ? { reach: simulation.reach(namespace, name) ?? 'null' } : {}),
    } : {}),
  }),
};

/** What leaves time and the cluster as they are. */
const asking = new Set(['inspect', 'diagnostics', 'fixes', 'room', 'export', 'complete']);

/** The parts that every picture needs, and those that only some do. */
function picture(extras) {
  if (!simulation) return {};
  const state = simulation.state();
  const delta = simulation.delta(revision);
  revision = JSON.parse(state).revision;
  const parts = { state, delta };
  if (extras) Object.assign(parts, { marks: simulation.marks(), lanes: simulation.lanes() });
  return parts;
}

const pack = (parts) => `{${Object.entries(parts).map(([key, text]) => `"${key}":${text}`).join(',')}}`;

async function answer({ id, extras, body }) {
  const { op } = body;
  stopped = false;
  const report = () => self.postMessage({ id, progress: pack({ id, op: '"progress"', ...picture(false) }) });
  let parts = { id, op: JSON.stringify(op) };
  try {
    if (!simulation && op !== 'open' && op !== 'diagnostics') throw new Error('nothing is loaded');
    Object.assign(parts, await operations[op](body, report));
    if (!asking.has(op)) Object.assign(parts, picture(extras));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    const message = error?.message ?? String(error);
    parts = { id, op: JSON.stringify(op), error: JSON.stringify(message) };
  }
  return pack(parts);
}

function panicText() {
  try {
    return lastPanic();
  } catch {
    return undefined;
  }
}

// One after the other, also where a request waits for a time zone.
let turn = Promise.resolve();
self.onmessage = ({ data: { id, request, stop, extender } }) => {
  if (stop) {
    stopped = true;
    return;
  }
  if (extender) {
    // The source comes from the page's own caller; functions do not cross to a worker.
    turn = turn.then(() => ready).then(() => {
      registerExtender(extender.urlPrefix, new Function(`return (${extender.source})`)());
    }).catch((error) => self.postMessage({ crashed: error.message }));
    return;
  }
  turn = turn.then(async () => {
    try {
      await ready;
      self.postMessage({ id, reply: await answer(JSON.parse(request)) });
    } catch (error) {
      self.postMessage({ crashed: panicText() ?? error?.message ?? String(error) });
    }
  });
};
