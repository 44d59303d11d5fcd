// The main thread's end of the engine: a replaceable worker behind numbered requests.
import workerUrl from './worker.js?worker&url';

/** After so long without an answer the page offers to stop. */
const PATIENCE_MS = 2000;
/** Who chose to wait is asked again only after so long. */
const MORE_PATIENCE_MS = 10_000;
/** A worker that never said anything of its task and does not hear Stop within so long is given up. */
const STOP_MS = 200;
/** One that shows itself on the way works in slices: on a busy machine it needs longer to hear. */
const SLICED_STOP_MS = 1500;

/** A frame with an opaque origin may not load a worker by address, only from a blob. */
function spawn() {
  const url = new URL(workerUrl, import.meta.url).href;
  try {
    return new Worker(url, { type: 'module', name: 'orrery' });
  } catch {
    const blob = new Blob([`import ${JSON.stringify(url)};`], { type: 'text/javascript' });
    return new Worker(URL.createObjectURL(blob), { type: 'module', name: 'orrery' });
  }
}

/** Requests and replies are JSON texts with an `id`; `emit` gets reply, slow and crashed. */
export function createEngine(emit) {
  let worker = null;
  let watchdog = 0;
  let nHeard = 0;
  let sliced = false;
  const waiting = new Set();
  const extenders = new Map();

  function watch(patience = PATIENCE_MS) {
    clearTimeout(watchdog);
    if (waiting.size > 0) watchdog = setTimeout(() => emit('slow'), patience);
  }

  function stop() {
    worker?.terminate();
    worker = null;
    sliced = false;
    waiting.clear();
    clearTimeout(watchdog);
  }

  function start() {
    const mine = spawn();
    mine.onmessage = ({ data }) => {
      if (mine !== worker) return;
      if (data.crashed) {
        stop();
        emit('crashed', data.crashed);
        return;
      }
      nHeard += 1;
      sliced = Boolean(data.progress);
      if (sliced) {
        emit('reply', data.progress);
        return;
      }
      waiting.delete(data.id);
      watch();
      emit('reply', data.reply);
    };
    mine.onerror = (event) => {
      if (mine !== worker) return;
      stop();
      emit('crashed', event.message || 'the engine could not be loaded');
    };
    worker = mine;
    for (const [urlPrefix, source] of extenders) worker.postMessage({ extender: { urlPrefix, source } });
  }

  return {
    ask(request) {
      if (!worker) start();
      const { id } = JSON.parse(request);
      // The patience is with the oldest question: new ones do not prolong it.
      if (waiting.size === 0) {
        waiting.add(id);
        watch();
      }
      waiting.add(id);
      worker.postMessage({ id, request });
    },
    /** Who answers for an extender; kept for the workers to come. */
    registerExtender(urlPrefix, source) {
      extenders.set(urlPrefix, source);
      worker?.postMessage({ extender: { urlPrefix, source } });
    },
    restart() {
      stop();
    },
    stop() {
      const before = nHeard;
      worker?.postMessage({ stop: true });
      setTimeout(() => {
        if (nHeard === before && waiting.size > 0) emit('deaf');
      }, sliced ? SLICED_STOP_MS : STOP_MS);
    },
    patience: () => watch(MORE_PATIENCE_MS),
  };
}
