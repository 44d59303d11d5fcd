// What would help a waiting pod, how many more of one fit, and what was tried when.
import { expect, until } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

const WAITING = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {disk: ssd}
      containers:
      - name: main
        image: nginx
        resources: {requests: {cpu: 500m}}
`;

const CONFIGURATION = (filter) => `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- plugins:
    multiPoint:
      enabled: [{name: sim.orrery.dev/Expression}]
  pluginConfig:
  - name: sim.orrery.dev/Expression
    args:
      filter: ${JSON.stringify(filter)}
---
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  containers: [{name: main, image: nginx}]
`;

/** Runs a text up to a time. */
async function run(page, text, to) {
  await paste(page, text);
  await page.getByTestId("run-button").click();
  await page.getByTestId("jump").fill(to);
  await page.getByTestId("jump").press("Enter");
}

export const walks = {
  async "a fix is applied with one click and the pod runs"({ page, url }) {
    await open(page, url);
    await run(page, WAITING, "10s");
    await page.locator("[data-pod^='default/web']").first().click();
    const fixes = page.getByTestId("fixes");
    await fixes.waitFor();
    const text = await fixes.innerText();
    expect(/label \S+ disk=ssd/.test(text), `a label is the first thing that helps: ${text}`);
    expect(/drop disk from its nodeSelector/.test(text), text);
    await page.getByTestId("fix").first().click();
    await page.getByTestId("jump").fill("30s");
    await page.getByTestId("jump").press("Enter");
    await page.locator("[data-testid=node-card] [data-pod^='default/web']").first().waitFor();
    await until(page, "nothing needs help any more", () => !document.querySelector("[data-testid=fixes]"));
  },

  async "attempts are listed, and the room for more is told"({ page, url }) {
    await open(page, url);
    await run(page, WAITING, "10s");
    await page.locator("[data-pod^='default/web']").first().click();
    await page.getByTestId("fix").first().click();
    await page.getByTestId("jump").fill("30s");
    await page.getByTestId("jump").press("Enter");
    const attempts = page.getByTestId("attempts");
    await attempts.waitFor();
    expect((await attempts.locator("li").count()) === 2, "two attempts");
    await attempts.getByRole("button").first().click();
    await until(page, "the first attempt is shown", () =>
      /attempt 1 at/.test(document.querySelector("[data-testid=inspector]").innerText));
    await page.getByTestId("ask-room").click();
    const room = page.getByTestId("room");
    await room.waitFor();
    expect(/7 more like it would fit/.test(await room.innerText()), await room.innerText());
  },

  async "a custom filter is an expression, and its mistakes are shown at their place"({ page, url }) {
    await open(page, url);
    await run(page, CONFIGURATION("node.metadata.name == 'worker-b'"), "5s");
    await page.locator("[data-testid=node-card] [data-pod='default/own']").waitFor();
    await paste(page, CONFIGURATION("node.metadata.name = 'worker-b'"));
    await until(page, "the problem is listed", () =>
      /== compares/.test(document.querySelector("[data-testid=problems]")?.innerText ?? ""));
  },
};
