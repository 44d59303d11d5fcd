// What leaves the page as a file, and comes back as a text.
import { readFile } from "node:fs/promises";
import { expect, until } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

async function download(page, id) {
  await page.getByTestId("share").click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId(id).click()]);
  return readFile(await file.path(), "utf8");
}

export const walks = {
  async "the cluster as it is now is downloaded, for real clusters and for KWOK, and can be pasted"({ page, url }) {
    await open(page, url, "#example/stranded");
    const cluster = await download(page, "share-cluster");
    expect(/kind: Deployment/.test(cluster), "the workloads are there");
    expect(!/kind: Node\b/.test(cluster), "a real cluster has nodes of its own");
    expect(!/resourceVersion|managedFields|\buid:/.test(cluster), "what the server sets is left out");
    const kwok = await download(page, "share-kwok");
    expect(/kind: Node\b/.test(kwok) && /kwok\.x-k8s\.io/.test(kwok), "KWOK gets the nodes, too");
    const nodes = await page.getByTestId("node-card").count();
    await paste(page, kwok);
    await page.getByTestId("run-button").click();
    await until(page, "the same nodes are drawn", (n) =>
      document.querySelectorAll("[data-testid=node-card]").length === n, nodes);
  },
};
