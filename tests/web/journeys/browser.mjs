/** A browser of its own for one journey, and what no page may ever do: complain, or talk to somebody else. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const web = createRequire(new URL("../../../web/package.json", import.meta.url));
const { chromium } = web("playwright-core");
const AXE = readFileSync(web.resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Run `story(page, address)` and print `done` when every expectation held. */
export async function journey(story, { refusals = false } = {}) {
  const address = process.argv[2];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(120_000); // a machine that has much to do is no failure
    const page = await context.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
    page.on("console", (line) => {
      // A refusal that the story wants is told on the console by the browser itself.
      if (refusals && line.text().startsWith("Failed to load resource")) return;
      if (["error", "warning"].includes(line.type())) wrong.push(`console: ${line.text()}`);
    });
    context.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== "data:" && origin !== address) wrong.push(`request: ${request.url()}`);
    });
    await story(page, address);
    assert.deepEqual(wrong, []);
    console.log("done");
  } finally {
    await browser.close();
  }
}

/** What axe finds that keeps people out. */
export async function barriers(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

/** One call of the API. */
export async function call(address, method, path, body) {
  const response = await fetch(address + path, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.json();
}

/** The page has sent a message and the answer is written down. */
export async function say(page, text) {
  const answers = page.getByRole("button", { name: "Copy this answer" });
  const before = await answers.count();
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
  await answers.nth(before).waitFor();
}

/** `holds()` comes true: what a page shows at once the server may learn a moment later. */
export async function until(holds, what = String(holds)) {
  for (let tries = 0; !(await holds()); tries += 1) {
    assert.ok(tries < 300, `never so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
