// Loads the page's WebAssembly and hands it its host: everything that only JavaScript can do.
import init, { start } from '../../pkg/ui/ui.js';
import { createHost } from './host.js';

/** Puts a reason in the place of the page, with the text that explains it. */
function fail(root, error) {
  const note = document.createElement('p');
  note.className = 'shell-error';
  note.textContent = `This page needs WebAssembly, and it could not be started here: ${error?.message ?? error}`;
  root.querySelector('.shell')?.replaceChildren(note);
}

/** Starts the application in `#app`. */
export async function boot({ embed }) {
  const root = document.getElementById('app');
  try {
    await init();
    const host = createHost({ embed });
    const options = {
      embed,
      fragment: location.hash.slice(1),
      theme: host.stored('theme'),
      text: embed ? '' : host.draft(),
      apple: /Mac|iPhone|iPad/.test(navigator.platform),
      reducedMotion: matchMedia('(prefers-reduced-motion: reduce)').matches,
    };
    root.replaceChildren();
    start(root, host, JSON.stringify(options));
  } catch (error) {
    fail(root, error);
    throw error;
  }
}
