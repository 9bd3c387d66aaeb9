/** How long until the page `Activity` shows its first request, in Chromium; then the page stays open until it is told to end. */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [, , address, runs] = process.argv;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
for (let run = 0; run < Number(runs); run += 1) {
  const began = performance.now();
  await page.goto(`${address}/activity?span=month`);
  await page.getByRole("region", { name: "Requests, one a row" }).getByRole("link").first().waitFor();
  console.log((performance.now() - began) / 1000);
  await page.getByRole("img", { name: /^Tokens over time/ }).waitFor();
}
console.log("idle");
await new Promise((end) => process.stdin.once("data", end).once("end", end));
await browser.close();
