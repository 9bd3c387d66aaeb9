/** Somebody opens the address: what runs here, a model to try, the lines for a client; then a first answer. */
import assert from "node:assert/strict";
import { journey, say } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(address);
  await page.getByText("Models may take").waitFor();
  await page.getByText(`export OPENAI_BASE_URL=${address}/v1`).waitFor();
  await page.getByText("is here already").waitFor();
  await page.getByRole("link", { name: "Chat now" }).click();
  await page.getByText("No chats yet.").waitFor();
  await say(page, "What is 3 plus 4?");
  await page.getByRole("article", { name: "pony" }).getByText(/7/).first().waitFor();
  assert.match(page.url(), /\/chat\/[\w-]+$/);
});
