/** A setting is saved, holds after a reload, and goes back; a value that breaks a rule is refused in words. */
import assert from "node:assert/strict";
import { call, journey } from "./browser.mjs";

await journey(
  async (page, address) => {
    await page.goto(`${address}/settings`);
    await page.getByRole("textbox", { name: "Find a setting" }).fill("pool.max_models");
    const change = page.getByRole("button", { name: "Change pool.max_models" });
    const field = page.getByRole("textbox", { name: "pool.max_models" });
    await change.click();
    await field.fill("many");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("pool.max_models").waitFor();
    await field.fill("3");
    await page.keyboard.press("Enter");
    await page.getByText("Holds now.").waitFor();
    await page.reload();
    await page.getByRole("textbox", { name: "Find a setting" }).fill("pool.max_models");
    await page.getByText("3", { exact: true }).waitFor();
    assert.equal((await call(address, "GET", "/admin/config/pool.max_models")).value, 3);
    await change.click();
    await page.getByRole("button", { name: "Default" }).click();
    await page.getByText("default", { exact: true }).waitFor();

    // A server that is away is told of, what was there stays, and the page goes on by itself.
    const away = page.getByRole("alert").getByText("The server does not answer.");
    await page.context().setOffline(true);
    await away.waitFor();
    await change.waitFor();
    await page.context().setOffline(false);
    await away.waitFor({ state: "detached" });
  },
  { refusals: true },
);
