/** A model is found at a hub, planned, fetched, paused, gone on with, and removed. */
import { journey } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(`${address}/models`);
  await page.getByRole("textbox", { name: /^Words/ }).fill("big");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Plan org/big" }).click();
  const plan = page.getByRole("dialog", { name: "What this would take" });
  await plan.getByText(/It runs here\./).waitFor();
  await plan.getByRole("button", { name: /^Download/ }).click();
  const download = page.getByRole("region", { name: "Downloads" }).getByRole("article");
  await download.getByText(/^downloading .*\/s/).waitFor();
  await download.getByRole("button", { name: "Pause" }).click();
  await download.getByText(/^paused/).waitFor();
  await download.getByRole("button", { name: "Resume" }).click();
  await download.waitFor({ state: "detached" });
  await page.getByRole("button", { name: /^Remove .*big/ }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("button", { name: /^Remove .*big/ }).waitFor({ state: "detached" });
});
