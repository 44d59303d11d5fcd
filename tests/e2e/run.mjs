// Serves the built site under a sub-path, runs every walk in this folder against it in Chromium
// and ends with `N passed, M failed`.
import { readdir } from "node:fs/promises";
import { launch, serve } from "./harness.mjs";

const here = new URL(".", import.meta.url);
const files = (await readdir(here)).filter((name) => name.endsWith(".walk.mjs")).sort();
const only = process.argv[2];
const site = await serve(process.env.ORRERY_DIST ?? new URL("../../dist", here).pathname);
const browser = await launch();
let passed = 0;
let failed = 0;
for (const file of files) {
  const { walks } = await import(new URL(file, here));
  for (const [name, walk] of Object.entries(walks)) {
    if (only && !name.includes(only)) continue;
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(`page error: ${error.message}`));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(site.url) && !/^(data|blob):/.test(url)) faults.push(`foreign request: ${url}`);
    });
    const started = performance.now();
    try {
      await walk({ page, context, browser, url: site.url, site });
      if (faults.length > 0) throw new Error(faults.join("\n"));
      passed += 1;
      console.log(`ok      ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack ?? error}\n${faults.join("\n")}`);
      if (process.env.ORRERY_SHOTS) {
        await page.screenshot({ path: `${process.env.ORRERY_SHOTS}/${name.replace(/\W+/g, "-")}.png` }).catch(() => {});
      }
    }
    await context.close();
  }
}
await browser.close();
site.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
