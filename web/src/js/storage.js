// What the page remembers in this browser. Storage may be blocked: then nothing is remembered.
const VERSION = 'orrery.1.';
const MAX_CHARS = 500_000;

function attempt(use) {
  try {
    return use() ?? '';
  } catch {
    return '';
  }
}

/** Settings live in localStorage; the text lives in this tab first, then in the browser. */
export function createStorage(embed) {
  if (embed) return { get: () => '', set() {}, draft: () => '', saveDraft() {} };
  return {
    get: (key) => attempt(() => localStorage.getItem(VERSION + key)),
    set: (key, value) => attempt(() => localStorage.setItem(VERSION + key, value)),
    draft: () => attempt(() => sessionStorage.getItem(`${VERSION}text`))
      || attempt(() => localStorage.getItem(`${VERSION}text`)),
    saveDraft(text) {
      if (text.length > MAX_CHARS) return;
      attempt(() => sessionStorage.setItem(`${VERSION}text`, text));
      attempt(() => localStorage.setItem(`${VERSION}text`, text));
    },
  };
}
