// Bundles the page, the embed and their worker into ../dist with relative addresses.
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

export default defineConfig({
  root: at('..'),
  base: './',
  publicDir: at('public'),
  cacheDir: at('node_modules/.vite'),
  plugins: [embedAtTop],
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
