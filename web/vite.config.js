// Bundles the page, the embed and their worker into ../dist with relative addresses.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { defineConfig } from 'vite';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Vite keeps the folder of an HTML entry; links to `embed.html` must not know about `web/`. */
const embedAtTop = {
  name: 'embed-at-top',
  enforce: 'post',
  generateBundle(_, bundle) {
    const embed = bundle['web/embed.html'];
    if (!embed) return;
    embed.fileName = 'embed.html';
    embed.source = String(embed.source).replaceAll('"../', '"./');
  },
};

/**
 * One small file for each time zone, fetched when a text names it, and the documentation of all
 * fields, fetched for `kubectl explain`; both written by `cargo xtask build`.
 */
const zones = {
  name: 'zones',
  generateBundle() {
    const documentation = at('pkg/explain.txt');
    if (existsSync(documentation)) {
      this.emitFile({ type: 'asset', fileName: 'explain.txt', source: readFileSync(documentation) });
    }
    const folder = at('pkg/zones');
    for (const entry of existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : []) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const fileName = `zones/${relative(folder, path).replaceAll('\\', '/')}`;
      this.emitFile({ type: 'asset', fileName, source: readFileSync(path) });
    }
  },
};

/**
 * What `kubectl -f` finds in the page's console: the gallery, and the book's files by chapter.
 * Fetched when a command names a file.
 */
const files = {
  name: 'files',
  generateBundle() {
    const read = (folder, endings) => readdirSync(at(folder), { recursive: true, withFileTypes: true })
      .filter((it) => it.isFile() && endings.test(it.name))
      .map((it) => join(it.parentPath ?? it.path, it.name))
      .map((path) => ({ name: relative(at(folder), path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const files = [...read('examples', /\.yaml$/), ...read('../tests/manifests', /\.(yml|json)$/)];
    const notice = readFileSync(at('../tests/manifests/NOTICE.md'), 'utf8');
    this.emitFile({ type: 'asset', fileName: 'files.json', source: JSON.stringify({ notice, files }) });
  },
};

export default defineConfig({
  root: at('..'),
  base: './',
  publicDir: at('public'),
  cacheDir: at('node_modules/.vite'),
  plugins: [embedAtTop, zones, files],
  worker: { format: 'es' },
  build: {
    outDir: at('../dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { input: { index: at('../index.html'), embed: at('embed.html') } },
  },
});
