// The console: a walk-through of the book typed word for word, files of the book and of the gallery,
// several lines pasted at once, Tab, and the same run again from a link.
import { expect, until } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

const MINIKUBE = `apiVersion: sim.orrery.dev/v1alpha1
kind: Scenario
spec: {preset: minikube}
`;
const BOOK = "https://k8spatterns.com/AutomatedPlacement/";

const logText = (page) => page.getByTestId("console-log").innerText();

/** Types a line and waits for a part of its answer behind what was said before. */
async function type(page, line, answer) {
  const before = await page.locator("[data-testid=console-log]").count() ? (await logText(page)).length : 0;
  const input = page.getByTestId("console-input");
  await input.fill(line);
  await input.press("Enter");
  const [pattern, flags] = [answer.source, answer.flags];
  await until(page, `${line} is answered with ${pattern}`, ([before, pattern, flags]) => {
    const text = document.querySelector("[data-testid=console-log]")?.innerText ?? "";
    return text.length > before && new RegExp(pattern, flags).test(text.slice(before));
  }, [before, pattern, flags]);
}

async function jump(page, to) {
  await page.getByTestId("jump").fill(to);
  await page.getByTestId("jump").press("Enter");
  await until(page, `the clock is at ${to}`, (to) => {
    return Number(document.querySelector("[data-testid=clock]").dataset.ms) >= Number.parseInt(to, 10) * 1_000;
  }, to);
}

async function minikube(page, url) {
  await open(page, url);
  await paste(page, MINIKUBE);
  await page.getByTestId("run-button").click();
  await until(page, "there is one node, minikube", () => {
    const cards = [...document.querySelectorAll("[data-testid=node-card]")];
    return cards.length === 1 && /minikube/.test(cards[0].innerText);
  });
}

export const walks = {
  async "the book's placement read-me runs in the console as it is typed, with the book's addresses"({ page, url, context }) {
    await minikube(page, url);
    await jump(page, "5s");
    await type(page, `kubectl create -f ${BOOK}node-selector.yml`, /pod\/node-selector created/);
    await jump(page, "20s");
    await type(page, "kubectl describe pod node-selector", /FailedScheduling[\s\S]*didn't match Pod's node affinity\/selector/);
    await type(page, "kubectl label node minikube disktype=ssd", /node\/minikube labeled/);
    await jump(page, "40s");
    await type(page, "kubectl get pods", /node-selector\s+1\/1\s+Running/);
    await type(page, `kubectl create -f ${BOOK}nothing.yml`, /server reported 404 Not Found, status code=404/);
    await type(page, "kubectl create -f https://example.com/a.yml", /nothing is fetched here/);
    await until(page, "the run is in the address", () => location.hash.startsWith("#1z."));
    await page.waitForTimeout(700);
    const hash = await page.getByTestId("run-hash").getAttribute("data-hash");
    const other = await context.newPage();
    await other.goto(page.url());
    await until(other, "the other page shows the same run, files and all", (hash) =>
      document.querySelector("[data-testid=run-hash]")?.dataset.hash === hash, hash);
    await other.close();
  },

  async "delete waits until the pod is gone, so that the next pasted line finds its name free"({ page, url }) {
    await minikube(page, url);
    await type(page, `kubectl create -f node-selector.yml`, /pod\/node-selector created/);
    await type(page, "kubectl label node minikube disktype=ssd", /labeled/);
    await type(page, "kubectl wait --for=condition=Ready pod/node-selector", /condition met/);
    await page.getByTestId("console-input").focus();
    await page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text/plain", text);
      const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
      document.querySelector("[data-testid=console-input]").dispatchEvent(event);
    }, `$ kubectl delete -f ${BOOK}node-selector.yml\n$ kubectl create \\\n    -f ${BOOK}node-selector.yml\n# and look\n$ kubectl get pods\n`);
    await until(page, "deleted, created and listed again", () =>
      /deleted from default namespace[\s\S]*node-selector created[\s\S]*node-selector\s+[01]\/1/
        .test(document.querySelector("[data-testid=console-log]")?.innerText ?? ""));
  },

  async "a file of the gallery is created by its name, and Tab knows the names"({ page, url }) {
    await minikube(page, url);
    const input = page.getByTestId("console-input");
    await input.fill("kubectl create -f batch");
    await input.press("Tab");
    await until(page, "Tab completes the file's name", () =>
      document.querySelector("[data-testid=console-input]").value === "kubectl create -f batch.yaml ");
    await input.press("Enter");
    await until(page, "the job is created", () =>
      /job\.batch\/random-generator created/.test(document.querySelector("[data-testid=console-log]")?.innerText ?? ""));
    await type(page, "kubectl create -f node-selector.yaml", /pod\/fast-disk created/);
    expect(/Scenario is no object of the cluster/.test(await logText(page)), "what is passed over is said");
  },

  async "the console shows what came last, and the names in it select their objects"({ page, url }) {
    await minikube(page, url);
    await jump(page, "5s");
    await type(page, "run web --image=nginx", /pod\/web created/);
    await jump(page, "20s");
    await type(page, "describe node minikube", /Non-terminated Pods/);
    await type(page, "get pods -o wide", /web\s+1\/1\s+Running/);
    const log = page.getByTestId("console-log");
    const below = await log.evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight);
    expect(below < 2, `the log stands at its end, ${below} px above it`);
    await log.getByRole("link", { name: "web", exact: true }).last().click();
    const heading = page.getByTestId("inspector").getByRole("heading").first();
    await heading.filter({ hasText: "web" }).waitFor();
    await log.getByRole("link", { name: "minikube", exact: true }).last().click();
    await heading.filter({ hasText: "minikube" }).waitFor();
    expect(!(await page.evaluate(() => location.hash)).endsWith("#"), "a link of the log leaves the address alone");
  },

  async "what nobody means is answered in kubectl's words, and the page goes on"({ page, url }) {
    await minikube(page, url);
    for (const [line, answer] of [
      ["kubectl get pods 'a", /quote/],
      ["kubectl gett pods", /unknown command "gett" for "kubectl"/],
      ["kubectl get pods --nope", /unknown flag: --nope/],
      ["kubectl get nonsense", /the server doesn't have a resource type "nonsense"/],
      ["kubectl get pod \u0007\u001b[31m", /NotFound|not found|invalid/i],
      ["kubectl autoscale deploy x --max=3", /not found|not possible in the simulation/],
      [`kubectl get pod ${"x".repeat(100_000)}`, /not found/i],
    ]) {
      await type(page, line, answer);
    }
    await type(page, "kubectl get nodes", /minikube\s+Ready/);
  },
};
