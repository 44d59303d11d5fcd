// What the Rust side cannot do by itself, as one object without globals. Everything that happens
// out here reaches Rust through the one function given to `listen`: (kind, payload).
import { createEngine } from './engine.js';
import { decode, encode } from './codec.js';
import { createStorage } from './storage.js';

/** Makes the host; `embed` switches off storage, shortcuts and the address bar. */
export function createHost({ embed }) {
  let listener = () => {};
  const emit = (kind, payload = '') => listener(kind, payload);
  const storage = createStorage(embed);
  const engine = createEngine(emit);
  let editor = null;
  let mounted = null;
  let ownHash = location.hash;

  // For readers who write an extender in the browser's console, and for pages around this one. No
  // link and no text can call it.
  globalThis.orrery = {
    /** `handler(verb, body)` gets and returns the bodies of the extender API; it must be self-contained. */
    registerExtender(urlPrefix, handler) {
      const source = String(handler);
      if (typeof new Function(`return (${source})`)() !== 'function') throw new TypeError('the handler is no function');
      engine.registerExtender(String(urlPrefix), source);
      emit('rerun');
    },
  };

  const withEditor = (use) => editor?.then(use);

  return {
    listen(callback) {
      listener = callback;
      watchDocument(emit, embed);
      window.addEventListener('hashchange', () => {
        if (location.hash !== ownHash) emit('fragment', location.hash.slice(1));
      });
    },
    ask: (request) => engine.ask(request),
    restart: () => engine.restart(),
    stop: () => engine.stop(),
    patience: () => engine.patience(),
    frame: () => void requestAnimationFrame((now) => emit('frame', String(Math.round(now)))),
    later: (ms, payload) => void setTimeout(() => emit('later', payload), ms),

    // The editor is its own chunk: pages without one never load it.
    mountEditor(element, text) {
      editor = import('./editor.js').then(({ createEditor }) => createEditor(element, text, emit));
      editor.then((it) => {
        mounted = it;
        emit('editor', 'ready');
      });
    },
    takeTyped: () => mounted?.takeTyped(),
    setText: (text) => void withEditor((it) => it.setText(text)),
    setDiagnostics: (json) => void withEditor((it) => it.setDiagnostics(JSON.parse(json))),
    reveal: (from, to) => void withEditor((it) => it.reveal(from, to)),

    encode: (json) => void encode(json).then((payload) => emit('encoded', payload)),
    decode: (payload) => void decode(payload)
      .then((json) => emit('decoded', json))
      .catch((error) => emit('undecodable', error.message)),
    setFragment(fragment) {
      if (embed) return;
      ownHash = `#${fragment}`;
      history.replaceState(null, '', ownHash);
    },
    address: (page, fragment) => new URL(`${page}#${fragment}`, location.href.replace(/[^/]*$/, '')).href,
    copy: (text, what) => void navigator.clipboard.writeText(text)
      .then(() => emit('copied', what), () => emit('uncopied', text)),
    download: (name, text) => download(name, text),

    stored: (key) => storage.get(key),
    store: (key, value) => storage.set(key, value),
    draft: () => storage.draft(),
    saveDraft: (text) => storage.saveDraft(text),
    setTheme(theme) {
      if (theme === 'auto') delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
    },
    setTitle(title) {
      if (!embed) document.title = title;
    },
    focus: (selector) => requestAnimationFrame(() => document.querySelector(selector)?.focus()),
  };
}

/** Keys and clicks that concern the whole page. */
function watchDocument(emit, embed) {
  if (embed) return;
  const typing = (target) => target.closest?.('input, textarea, select, [contenteditable="true"]');
  document.addEventListener('keydown', (event) => {
    const name = keyName(event);
    const global = event.ctrlKey || event.metaKey || ['Escape', 'F6'].includes(event.key);
    // A slider keeps its own arrows; text fields keep everything but the global keys.
    const field = typing(event.target);
    if (field && !global) return;
    if (!field && event.target.closest?.('button, a, summary, [role="option"]') && [' ', 'Enter'].includes(event.key)) return;
    if (!handled.has(name)) return;
    event.preventDefault();
    emit('key', name);
  });
  document.addEventListener('pointerdown', (event) => {
    if (!event.target.closest?.('.menu')) emit('outside');
  });
}

const handled = new Set([
  ' ', ',', '.', '>', '[', ']', '-', '=', 's', '/', ':', '?', 'e', 'y', 'd', 'J', 'Escape', 'F6', 'Shift+F6',
  'ArrowLeft', 'ArrowRight', 'Shift+ArrowLeft', 'Shift+ArrowRight', 'Mod+Enter', 'Mod+s',
  ...'0123456789',
]);

function keyName(event) {
  const modifier = event.ctrlKey || event.metaKey;
  if (event.altKey) return '';
  const shift = event.shiftKey && event.key.length > 1 ? 'Shift+' : '';
  return `${modifier ? 'Mod+' : ''}${shift}${event.key}`;
}

function download(name, text) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
