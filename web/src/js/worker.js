// The engine's own thread: answers numbered requests with JSON texts, put together from the texts
// that the engine package returns, so that nothing large is parsed twice.
import init, { addZone, lastPanic, Simulation, zonesOf } from '../../pkg/engine/engine.js';

const ready = init();
const zones = new Map();
let simulation = null;
let revision = 0;

/** Fetches the time zones that a text names; one that is not there is reported by the engine. */
async function fetchZones(text) {
  const missing = JSON.parse(zonesOf(text)).filter((name) => !zones.has(name));
  await Promise.all(missing.map(async (name) => {
    zones.set(name, true);
    if (!/^[A-Za-z0-9_+/-]+$/.test(name)) return;
    const response = await fetch(new URL(`../zones/${name}.tzif`, import.meta.url)).catch(() => null);
    if (response?.ok) addZone(name, new Uint8Array(await response.arrayBuffer()));
  }));
}

/** Only a text without errors replaces the run: what is shown stays when a text is unusable. */
async function open({ text, options, at }) {
  await fetchZones(text);
  const json = JSON.stringify(options);
  const diagnostics = Simulation.diagnostics(text, json);
  if (JSON.parse(diagnostics).some(({ severity }) => severity === 'error')) return { diagnostics };
  const next = new Simulation(text, json);
  simulation?.free();
  simulation = next;
  revision = 0;
  if (at > 0) seek({ to: at });
  else simulation.runUntil(0);
  return { diagnostics };
}

/** The engine bounds the events of a call; the watchdog of the page bounds the time of all. */
function seek({ to }) {
  let before = -1;
  while (!simulation.seek(to)) {
    const now = JSON.parse(simulation.state()).nowMs;
    if (now <= before) return;
    before = now;
  }
}

const acted = (command) => ({ command, actions: simulation.actions() });

const operations = {
  open,
  seek,
  step: () => void simulation.step(),
  stepBack: () => void simulation.stepBack(),
  interesting: () => void simulation.stepInteresting(),
  previous: () => void simulation.stepBackInteresting(),
  advance: ({ to, maxEvents }) => void simulation.runUntil(to, maxEvents),
  command: ({ line }) => acted(simulation.command(line)),
  apply: ({ text }) => acted(simulation.apply(text)),
  undo({ actions, horizon, to }) {
    simulation.setActions(JSON.stringify(actions));
    seek({ to: horizon });
    seek({ to });
    return { actions: simulation.actions() };
  },
  diagnostics: ({ text, options }) => ({ diagnostics: Simulation.diagnostics(text, JSON.stringify(options)) }),
  inspect: ({ kind, namespace, name }) => ({
    yaml: JSON.stringify(simulation.yaml(kind, namespace, name) ?? ''),
    ...(kind === 'Pod' ? { diagnosis: simulation.diagnosis(namespace, name) ?? 'null' } : {}),
  }),
};

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

async function answer({ id, extras, body }) {
  const { op } = body;
  let parts = { id, op: JSON.stringify(op) };
  try {
    if (!simulation && op !== 'open' && op !== 'diagnostics') throw new Error('nothing is loaded');
    Object.assign(parts, await operations[op](body));
    if (op !== 'inspect' && op !== 'diagnostics') Object.assign(parts, picture(extras));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    const message = error?.message ?? String(error);
    parts = { id, op: JSON.stringify(op), error: JSON.stringify(message) };
  }
  return `{${Object.entries(parts).map(([key, text]) => `"${key}":${text}`).join(',')}}`;
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
self.onmessage = ({ data: { id, request } }) => {
  turn = turn.then(async () => {
    try {
      await ready;
      self.postMessage({ id, reply: await answer(JSON.parse(request)) });
    } catch (error) {
      self.postMessage({ crashed: panicText() ?? error?.message ?? String(error) });
    }
  });
};
