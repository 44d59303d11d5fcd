// Every example of the gallery, chosen from the menu as a reader would: it opens without problems,
// shows something, and runs on.
import { expect, until } from "./harness.mjs";
import { open } from "./main.walk.mjs";

const EXAMPLES = [
  "stranded", "node-selector", "node-affinity", "pod-affinity", "topology-spread", "taints", "priority",
  "batch", "indexed", "work-queue", "back-off", "every-three-minutes", "forbid-and-replace", "time-zone",
  "daemon", "together", "custom-scheduler",
];

async function choose(page, id) {
  await page.getByTestId("examples").click();
  await page.locator(`[data-testid=example][data-example="${id}"]`).click();
  await until(page, `the address names ${id}`, (it) => location.hash === `#example/${it}`, id);
}

export const walks = {
  async "every example of the gallery opens, shows something and runs on"({ page, url }) {
    await open(page, url);
    await page.getByTestId("examples").click();
    const offered = await page.locator("[data-testid=example]").evaluateAll((all) => all.map((it) => it.dataset.example));
    expect(offered.sort().join() === [...EXAMPLES].sort().join(), `the menu offers ${offered}`);
    await page.keyboard.press("Escape");
    for (const id of EXAMPLES) {
      await choose(page, id);
      await until(page, `${id} is drawn`, () =>
        document.querySelectorAll("[data-testid=node-card]").length > 0
        && document.querySelectorAll("[data-pod], [data-testid=lane]").length > 0);
      const problems = (await page.getByTestId("problems").allInnerTexts()).join();
      expect(!/\bError\b/.test(problems), `${id} has no errors: ${problems}`);
      const banners = (await page.getByTestId("banner").allInnerTexts()).join();
      expect(banners === "", `${id} has no banner: ${banners}`);
      const before = await page.getByTestId("clock").innerText();
      for (let n = 0; n < 3; n += 1) await page.getByTestId("step-interesting").click();
      if (process.env.ORRERY_SHOTS) await page.screenshot({ path: `${process.env.ORRERY_SHOTS}/example-${id}.png` });
      await page.waitForTimeout(100);
      const after = await page.getByTestId("clock").innerText();
      if (after === before) console.log(`        (nothing more happens in ${id})`);
    }
  },

  async "the time zone example loads its zone and fires by its clock"({ page, url }) {
    await open(page, url, "#example/time-zone");
    await page.getByTestId("tab-workloads").click();
    await until(page, "the cron job is listed", () =>
      document.querySelectorAll("[data-testid=workloads-table] [data-kind=CronJob]").length > 0);
    const problems = (await page.getByTestId("problems").allInnerTexts()).join();
    expect(!/zone/i.test(problems), `no problem with the zone: ${problems}`);
  },
};
