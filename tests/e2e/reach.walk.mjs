// Whom a pod reaches: the daemon of its own node by Services and ports of the node.
import { expect, until } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

const TEXT = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: logger}
spec:
  selector: {matchLabels: {app: logger}}
  template:
    metadata: {labels: {app: logger}}
    spec:
      containers:
      - {name: main, image: logger, ports: [{containerPort: 8080, hostPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: any}
spec: {selector: {app: logger}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec: {selector: {app: logger}, internalTrafficPolicy: Local, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: names}
spec: {selector: {app: logger}, clusterIP: None}
---
apiVersion: v1
kind: Service
metadata: {name: typo}
spec: {selector: {app: loger}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeSelector: {kubernetes.io/hostname: worker-b}
  containers: [{name: main, image: client}]
`;

export const walks = {
  async "whom a pod reaches is told, and followed to a pod"({ page, url }) {
    await open(page, url);
    await paste(page, TEXT);
    await page.getByTestId("run-button").click();
    await page.getByTestId("jump").fill("10s");
    await page.getByTestId("jump").press("Enter");
    await page.locator("[data-testid=node-card] [data-pod='default/client']").click();
    await page.getByTestId("ask-reach").click();
    const reach = page.getByTestId("reach");
    await reach.waitFor();
    const text = (await reach.innerText()).replace(/\s+/g, " ");
    expect(/From this pod on worker-b/.test(text), text);
    expect(/near\.default\.svc:80 own node internalTrafficPolicy Local leads to logger-\w+\./.test(text), text);
    expect(/any\.default\.svc:80 any node The Service leads to one of \d, chosen at random/.test(text), text);
    expect(/kubernetes\.default\.svc:443 not a pod/.test(text), text);
    expect(/typo\.default\.svc:80 nobody answers Refused: the Service has no endpoint that is ready\./.test(text), text);
    expect(/:80 own node The port of its own node \(status\.hostIP\) leads to logger-\w+\./.test(text), text);
    await reach.scrollIntoViewIfNeeded();
    if (process.env.ORRERY_SHOTS) {
      await page.screenshot({ path: `${process.env.ORRERY_SHOTS}/reach.png` });
      await page.emulateMedia({ colorScheme: "dark" });
      await page.screenshot({ path: `${process.env.ORRERY_SHOTS}/reach-dark.png` });
    }
    // It stays shown for the pod that is looked at next.
    await reach.getByRole("button", { name: /^logger-/ }).first().click();
    await until(page, "the daemon's own view is shown", () =>
      document.querySelector("[data-testid=inspector] h2")?.innerText.startsWith("logger-")
        && document.querySelector("[data-testid=reach]"));
  },
};
