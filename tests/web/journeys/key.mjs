/** A server that wants a key: the page asks for it, says so when it is wrong, and keeps it for this tab alone. */
import assert from "node:assert/strict";
import { barriers, journey } from "./browser.mjs";

await journey(
  async (page, address) => {
    await page.goto(`${address}/memory`);
    const field = page.getByLabel("Key", { exact: true });
    await field.fill("not-the-key");
    await page.keyboard.press("Enter");
    await field.waitFor();
    assert.deepEqual(await barriers(page), []);
    await field.fill(process.argv[3]);
    await page.keyboard.press("Enter");
    await page.getByText("No model is in memory.").waitFor();
    await page.reload();
    await page.getByText("No model is in memory.").waitFor();
    assert.equal(await page.evaluate(() => localStorage.length === 0 || !JSON.stringify(localStorage).includes("the-key")), true);
    const other = await page.context().newPage();
    await other.goto(`${address}/memory`);
    await other.getByLabel("Key", { exact: true }).waitFor();
  },
  { refusals: true },
);
