// An extender whose handler is registered in the page: without it the pod waits, with it the pod goes
// where the handler says.
import { expect, until } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

const TEXT = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
extenders:
- urlPrefix: http://pin.example/
  filterVerb: filter
---
apiVersion: v1
kind: Pod
metadata: {name: hello}
spec: {containers: [{name: main, image: nginx}]}
`;

export const walks = {
  async "an extender is answered by the handler that the page's user registers, and by nobody before"({ page, url }) {
    await open(page, url);
    await paste(page, TEXT);
    await page.getByTestId("run-button").click();
    await until(page, "the pod waits, and why", () =>
      /pin\.example/.test(document.querySelector("[data-testid=pending-tray]")?.innerText ?? ""));
    const refused = await page.evaluate(() => {
      try {
        globalThis.orrery.registerExtender("http://pin.example/", 3);
        return "";
      } catch (error) {
        return error.message;
      }
    });
    expect(refused === "the handler is no function", `what is no function is refused: ${refused}`);
    await page.evaluate(() => globalThis.orrery.registerExtender("http://pin.example/", (verb, body) => ({
      Nodes: { items: body.Nodes.items.filter((it) => it.metadata.name === "worker-b") },
    })));
    await page.getByTestId("run-button").click();
    await page.locator('[data-testid=node-card]:has-text("worker-b") [data-pod="default/hello"]').waitFor();
  },
};
