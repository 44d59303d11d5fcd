// Input and runs that would bring a lesser page down: the page says what is wrong, can be stopped,
// and the text stays.
import { expect, until } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

const text = (page) => page.locator("[data-testid=editor] .cm-content").innerText();
const clockOf = () => document.querySelector("[data-testid=clock]").innerText;

const EVERY_MINUTE = `apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: busybox, command: [sleep, "5"]}]
`;

const replicas = (n) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: crowd}
spec:
  replicas: ${n}
  selector: {matchLabels: {app: crowd}}
  template:
    metadata: {labels: {app: crowd}}
    spec: {containers: [{name: main, image: nginx}]}
`;

const POD = `apiVersion: v1
kind: Pod
metadata: {name: hello}
spec: {containers: [{name: main, image: nginx}]}
`;

/** Texts that are refused, and what the list of problems says. */
const REFUSED = [
  ["a thousand nested levels", "a: ".concat("[".repeat(1000), "]".repeat(1000)), /depth/i],
  ["a thousand dashes", `${"- ".repeat(1000)}a`, /depth/i],
  ["a NUL byte", POD.replace("hello", "he\u0000llo"), /control|character|invalid/i],
  ["a tab as indentation", POD.replace("spec:", "spec:\n\tx: y\nz:"), /tab|character|indent/i],
  ["a text that breaks off", POD.slice(0, POD.indexOf("nginx")) + '"ngi', /quot|unexpected|end/i],
  ["an unknown kind", POD.replace("kind: Pod", "kind: Pods"), /no matches for kind/i],
  ["a list for a map", POD.replace("metadata: {name: hello}", "metadata: [hello]"), /metadata|map|object|struct/i],
];

/** The page still answers: a good pod is pasted and is placed. */
async function stillAlive(page) {
  await paste(page, POD);
  await page.getByTestId("run-button").click();
  for (let n = 0; n < 6; n += 1) await page.getByTestId("step-interesting").click();
  await page.locator('[data-testid=node-card] [data-pod="default/hello"]').waitFor();
}

const refused = REFUSED.map(([what, bad, words]) => [
  `${what}: a message at its place, and the page goes on`,
  async ({ page, url }) => {
    await open(page, url);
    await paste(page, bad);
    await until(page, "a problem is listed", () => document.querySelector("[data-testid=problems]")?.innerText);
    const said = await page.getByTestId("problems").innerText();
    expect(words.test(said), `the message fits: ${said}`);
    expect(/\d/.test(said), `the message has a place: ${said}`);
    await stillAlive(page);
  },
]);

export const walks = {
  ...Object.fromEntries(refused),

  async "a jump of ten years shows how far it is and can be stopped there"({ page, url }) {
    await open(page, url);
    await paste(page, EVERY_MINUTE);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("3650d");
    await page.getByTestId("jump").press("Enter");
    const stop = page.getByRole("button", { name: "Stop", exact: true });
    await stop.waitFor({ timeout: 10_000 });
    const before = await page.evaluate(clockOf);
    await until(page, "the clock moves meanwhile", (it) =>
      document.querySelector("[data-testid=clock]").innerText !== it, before);
    await stop.click();
    await stop.waitFor({ state: "detached", timeout: 2_000 });
    const stopped = await page.evaluate(clockOf);
    await page.waitForTimeout(1_000);
    expect((await page.evaluate(clockOf)) === stopped, "the clock stands after Stop");
    expect((await text(page)).includes("name: tick"), "the text is kept");
    await stillAlive(page);
  },

  async "a worker that does not hear Stop is given up, and the clock stands meanwhile"({ page, url }) {
    await page.addInitScript(() => {
      let nDeaf = 0;
      globalThis.Worker = class extends Worker {
        postMessage(message) {
          if (!message.stop || nDeaf > 0) return super.postMessage(message);
          nDeaf += 1;
          this.onmessage = null;
        }
      };
    });
    await open(page, url);
    await paste(page, EVERY_MINUTE);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("3650d");
    await page.getByTestId("jump").press("Enter");
    await page.getByRole("button", { name: "Stop", exact: true }).click({ timeout: 10_000 });
    await until(page, "the page says that it was stopped", () =>
      [...document.querySelectorAll("[data-testid=banner]")].some((it) => /was stopped/.test(it.innerText)));
    const stopped = await page.evaluate(clockOf);
    for (let n = 0; n < 20; n += 1) {
      await page.waitForTimeout(100);
      expect((await page.evaluate(clockOf)) === stopped, "the clock stands while the run is repeated");
    }
    await stillAlive(page);
  },

  async "a billion replicas end with a notice, and the page goes on"({ page, url }) {
    await open(page, url);
    await paste(page, replicas(1_000_000_000));
    await page.getByTestId("run-button").click();
    await until(page, "a notice names the bound", () =>
      [...document.querySelectorAll("[data-testid=banner]")].some((it) => /25,?000/.test(it.innerText)), undefined, 90_000);
    expect((await text(page)).includes("1000000000"), "the text is kept");
    await stillAlive(page);
  },
};
