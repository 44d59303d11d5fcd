// axe over the states of the page, and use by keyboard alone.
import { axeSource, expect } from "./harness.mjs";
import { open, paste } from "./main.walk.mjs";

const PENDING = `apiVersion: v1
kind: Pod
metadata:
  name: big
spec:
  containers:
  - name: main
    image: nginx
    resources:
      requests: {cpu: "100"}
`;

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

async function scan(page, state) {
  await page.evaluate(await axeSource());
  const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), TAGS);
  const text = violations.map((it) => `${it.id}: ${it.help}\n   ${it.nodes.map((n) => n.html).slice(0, 3).join("\n   ")}`);
  expect(violations.length === 0, `${state}:\n${text.join("\n")}`);
}

const states = {
  async "first visit"() {},
  async "a pending pod is selected"(page) {
    await paste(page, PENDING);
    await page.getByTestId("run-button").click();
    await page.getByTestId("step-interesting").click();
    await page.getByTestId("step-interesting").click();
    await page.locator('[data-testid=pending-tray] [data-pod="default/big"]').first().click();
    await page.getByTestId("matrix").waitFor();
  },
  async "an error in the text"(page) {
    await paste(page, PENDING.replace("spec:", "spc:"));
    await page.waitForTimeout(500);
  },
  async "the help is open"(page) {
    await page.getByTestId("help").click();
    await page.waitForTimeout(200);
  },
};

const walks = {};
for (const theme of ["light", "dark"]) {
  for (const [state, prepare] of Object.entries(states)) {
    walks[`axe finds nothing: ${state}, ${theme}`] = async ({ page, url }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await open(page, url);
      await prepare(page);
      await scan(page, `${state}, ${theme}`);
    };
  }
  walks[`axe finds nothing: embed, ${theme}`] = async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.goto(`${url}samples/two-embeds.html`);
    const frame = page.frameLocator("iframe").first();
    await frame.getByTestId("node-card").first().waitFor({ timeout: 30_000 });
    const src = await page.locator("iframe").first().getAttribute("src");
    await page.goto(new URL(src, page.url()).href);
    await page.getByTestId("node-card").first().waitFor({ timeout: 30_000 });
    await scan(page, `embed, ${theme}`);
  };
}

for (const width of [320, 360, 768, 1440, 2560]) {
  walks[`nothing scrolls sideways at ${width} px`] = async ({ page, url }) => {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(url);
    await page.getByTestId("node-card").first().waitFor({ timeout: 30_000 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide <= 0, `${wide} px too wide`);
  };
}

walks["from an empty page to the reason of a pending pod by keyboard alone"] = async ({ page, url }) => {
  await open(page, url);
  const editor = page.locator("[data-testid=editor] .cm-content");
  for (let n = 0; n < 40; n += 1) {
    await page.keyboard.press("Tab");
    if (await editor.evaluate((it) => it.contains(document.activeElement))) break;
  }
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(PENDING);
  await page.keyboard.press("Escape");
  const pressed = async (testid) => {
    // The run goes on meanwhile, and each attempt of the selected pod is a stop more.
    for (let n = 0; n < 200; n += 1) {
      await page.keyboard.press("Tab");
      const found = await page.evaluate(() => document.activeElement?.closest("[data-testid]")?.dataset.testid);
      if (found === testid) return page.keyboard.press("Enter");
    }
    throw new Error(`${testid} is not reached by Tab`);
  };
  await pressed("run-button");
  await pressed("step-interesting");
  await page.keyboard.press("Enter");
  for (let n = 0; n < 120; n += 1) {
    await page.keyboard.press("Shift+Tab");
    const pod = await page.evaluate(() => document.activeElement?.dataset.pod);
    if (pod === "default/big") break;
  }
  await page.keyboard.press("Enter");
  await page.getByTestId("matrix").waitFor();
  const text = await page.getByTestId("inspector").innerText();
  expect(/Insufficient cpu/.test(text), `the reason is shown: ${text}`);
};

export { walks };
