// The main job of the page, as a person would do it: paste, step, run, go back in time.
import { expect, until } from "./harness.mjs";

const POD = `apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  containers:
  - name: main
    image: nginx
`;

const JOB = `apiVersion: batch/v1
kind: Job
metadata:
  name: work
spec:
  completions: 3
  parallelism: 2
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox
        command: [sleep, "20"]
`;

const CRON = `apiVersion: batch/v1
kind: CronJob
metadata:
  name: report
spec:
  schedule: "*/3 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
          - name: main
            image: busybox
            command: [sleep, "10"]
`;

const DELETED_NODE = `${POD.trimEnd()}
---
apiVersion: v1
kind: Node
metadata:
  name: n1
---
apiVersion: sim.orrery.dev/v1alpha1
kind: Scenario
metadata:
  name: deleted-node
spec:
  steps:
  - {at: 8s, kubectl: delete node n1}
`;

/** Opens the page and waits until the engine has drawn the first cluster. */
export async function open(page, url, hash = "") {
  await page.goto(`${url}${hash}`);
  await page.getByTestId("node-card").first().waitFor({ timeout: 30_000 });
  await page.locator("[data-testid=editor] .cm-content").waitFor({ timeout: 30_000 });
}

/** Replaces the text of the editor, as a paste does. */
export async function paste(page, text) {
  const editor = page.locator("[data-testid=editor] .cm-content");
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    document.querySelector("[data-testid=editor] .cm-content").dispatchEvent(event);
  }, text);
}

const clock = (page) => page.getByTestId("clock").innerText();

export const walks = {
  async "a pasted pod lands on a node, step by step"({ page, url }) {
    await open(page, url);
    await paste(page, POD);
    await page.getByTestId("run-button").click();
    for (let n = 0; n < 6; n += 1) await page.getByTestId("step-interesting").click();
    await page.locator('[data-testid=node-card] [data-pod="default/hello"]').waitFor();
  },

  async "the pods of a deleted node stay in sight until they are collected"({ page, url }) {
    await open(page, url);
    await paste(page, DELETED_NODE);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("20s");
    await page.getByTestId("jump").press("Enter");
    const card = page.getByTestId("unknown-node");
    await card.locator('[data-pod="default/hello"]').waitFor();
    expect((await card.innerText()).includes("no such Node"), "the card says what is missing");
    await page.getByTestId("jump").fill("2m");
    await page.getByTestId("jump").press("Enter");
    await card.waitFor({ state: "detached" });
  },

  async "a job runs until it is complete"({ page, url }) {
    await open(page, url);
    await paste(page, JOB);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("2m");
    await page.getByTestId("jump").press("Enter");
    await page.getByTestId("tab-workloads").click();
    await until(page, "the job is complete", () =>
      /Complete/.test(document.querySelector("[data-testid=workloads-table]")?.innerText ?? ""));
    const row = await page.getByTestId("workloads-table").innerText();
    expect(/3\s*\/\s*3/.test(row), `three of three completions are shown: ${row}`);
  },

  async "runs of a cron job that lie close together are counted, not shown as one long run"({ page, url }) {
    await open(page, url);
    await paste(page, CRON);
    const time = page.getByTestId("jump");
    const goTo = async (text) => {
      await time.fill(text);
      await time.press("Enter");
    };
    await goTo("31m");
    await until(page, "ten runs stand apart", () =>
      document.querySelectorAll("[data-testid=lanes] rect.bar:not(.many)").length === 10);
    await goTo("2d");
    await until(page, "the runs are counted", () =>
      [...document.querySelectorAll("[data-testid=lanes] .lane text")].some((it) => it.textContent === "959 runs"));
    const single = await page.locator("[data-testid=lanes] rect.bar:not(.many)").count();
    expect(single === 0, `many runs are not drawn as one: ${single} bars`);
    // The pod that was selected in the first example is of no scenario any more.
    const inspector = await page.getByTestId("inspector").innerText();
    expect(!inspector.includes("not there now"), `no old pod is shown: ${inspector}`);
  },

  async "a cron job fires three times, and time can be dragged back"({ page, url }) {
    await open(page, url);
    await paste(page, CRON);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("9m30s");
    await page.getByTestId("jump").press("Enter");
    await page.getByTestId("tab-workloads").click();
    const jobs = () => page.locator("[data-testid=workloads-table] [data-kind=Job]").count();
    await until(page, "three jobs are there", () =>
      document.querySelectorAll("[data-testid=workloads-table] [data-kind=Job]").length === 3);
    const late = await clock(page);
    const slider = page.getByTestId("slider");
    await slider.focus();
    await slider.evaluate((it) => {
      const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
      set.call(it, String(Number(it.max) * 0.4));
      it.dispatchEvent(new Event("input", { bubbles: true }));
      it.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await until(page, "one job is there again", () =>
      document.querySelectorAll("[data-testid=workloads-table] [data-kind=Job]").length === 1);
    expect((await clock(page)) !== late, "the clock went back");
    expect((await jobs()) === 1, "one job");
  },

  async "who pastes, runs and jumps in one breath gets the pasted text at that time"({ page, url }) {
    await open(page, url);
    await page.getByTestId("jump").fill("9m30s");
    await page.locator("[data-testid=editor] .cm-content").click();
    await page.keyboard.press("Control+A");
    await page.evaluate((text) => {
      const at = (id) => document.querySelector(`[data-testid=${id}]`);
      const data = new DataTransfer();
      data.setData("text/plain", text);
      const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
      at("editor").querySelector(".cm-content").dispatchEvent(event);
      at("run-button").click();
      at("jump").form.requestSubmit();
    }, CRON);
    await page.getByTestId("tab-workloads").click();
    await until(page, "three jobs are there", () =>
      document.querySelectorAll("[data-testid=workloads-table] [data-kind=Job]").length === 3);
  },

  async "what is wrong in the text is shown at its place, and the last good picture stays"({ page, url }) {
    await open(page, url);
    await paste(page, POD);
    await page.getByTestId("run-button").click();
    await page.getByTestId("node-card").first().waitFor();
    const before = await page.getByTestId("node-card").count();
    await paste(page, POD.replace("image:", "imag:"));
    await until(page, "the problem is listed", () =>
      /imag/.test(document.querySelector("[data-testid=problems]")?.innerText ?? ""));
    expect((await page.getByTestId("node-card").count()) === before, "the cluster is still drawn");
    for (const bad of ["\t- a", "a: [", "\u0000", "", "kind: Foo\napiVersion: v1\n", "- ".repeat(1000)]) {
      await paste(page, bad);
      await page.waitForTimeout(250);
      expect((await page.getByTestId("node-card").count()) > 0, `alive after ${JSON.stringify(bad.slice(0, 9))}`);
    }
  },

  async "a link opens the same run"({ page, url, context }) {
    await open(page, url);
    await paste(page, JOB);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("30s");
    await page.getByTestId("jump").press("Enter");
    await until(page, "the clock is at 30 s", () => /00:30/.test(document.querySelector("[data-testid=clock]").innerText));
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByTestId("share").click();
    await page.getByTestId("share-link").click();
    const link = await until(page, "the link is in the address", () => location.hash.startsWith("#1z.") && location.href);
    const hash = await page.getByTestId("run-hash").getAttribute("data-hash");
    const other = await context.newPage();
    await other.goto(link);
    await until(other, "the other page shows the same run", (hash) =>
      document.querySelector("[data-testid=run-hash]")?.dataset.hash === hash, hash);
    await other.close();
  },

  async "an embedded clock shows the cluster of its link"({ page, url }) {
    await page.goto(`${url}samples/two-embeds.html`);
    for (const index of [0, 1]) {
      const frame = page.frameLocator("iframe").nth(index);
      await frame.getByTestId("node-card").first().waitFor({ timeout: 30_000 });
      await frame.getByTestId("step-interesting").click();
    }
  },
};
