// The engine's own thread: answers numbered requests with JSON texts, put together from the texts
// that the engine package returns, so that nothing is parsed twice.
import init, { Simulation } from '../../pkg/engine/orrery.js';

const ready = init();
let simulation = null;
let revision = 0;

/** Keeps what is shown when a text is unusable: only a text without errors replaces the run. */
function open({ text, options, at }) {
  const diagnostics = Simulation.diagnostics(text);
  if (JSON.parse(diagnostics).some(({ severity }) => severity === 'error')) return { diagnostics };
  const next = new Simulation(text, JSON.stringify(options));
  simulation?.free();
  simulation = next;
  revision = 0;
  if (at > 0) simulation.seek(at);
  return { diagnostics };
}

const operations = {
  open,
  step: () => void simulation.step(),
  interesting: () => void simulation.stepInteresting(),
  advance: ({ to, maxEvents }) => void simulation.runUntil(to, maxEvents),
  seek: ({ to }) => void simulation.seek(to),
  command: ({ line }) => ({ command: simulation.command(line) }),
  apply: ({ text }) => ({ command: simulation.apply(text) }),
  diagnostics: ({ text }) => ({ diagnostics: Simulation.diagnostics(text) }),
  inspect: ({ kind, namespace, name }) => ({
    yaml: JSON.stringify(simulation.yaml(kind, namespace, name) ?? ''),
    ...(kind === 'Pod' ? { diagnosis: simulation.diagnosis(namespace, name) ?? 'null' } : {}),
  }),
};

/** The parts that every picture needs, and those that only some do. */
function picture(extras) {
  if (!simulation) return {};
  const delta = simulation.delta(revision);
  const state = simulation.state();
  revision = JSON.parse(state).revision;
  const parts = { state, delta };
  if (extras) Object.assign(parts, { marks: simulation.marks(), lanes: simulation.lanes() });
  return parts;
}

function answer({ id, extras, body }) {
  const { op } = body;
  let parts = { id, op: JSON.stringify(op) };
  try {
    if (!simulation && op !== 'open' && op !== 'diagnostics') throw new Error('nothing is loaded');
    Object.assign(parts, operations[op](body));
    if (op !== 'inspect' && op !== 'diagnostics') Object.assign(parts, picture(extras));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    const message = error?.message ?? String(error);
    parts = { id, op: JSON.stringify(op), error: JSON.stringify(message) };
  }
  return `{${Object.entries(parts).map(([key, text]) => `"${key}":${text}`).join(',')}}`;
}

self.onmessage = async ({ data: { id, request } }) => {
  try {
    await ready;
    self.postMessage({ id, reply: answer(JSON.parse(request)) });
  } catch (error) {
    self.postMessage({ crashed: error?.message || String(error) });
  }
};
