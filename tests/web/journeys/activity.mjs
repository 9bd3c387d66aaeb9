/** Activity: what runs now, what was refused, by filters that stand in the address; whatever was asked for stays text. */
import assert from "node:assert/strict";
import { call, journey } from "./browser.mjs";

const EVIL = "<img src=x onerror=\"globalThis.caught='img'\">";

function ask(address, body, signal) {
  return fetch(`${address}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "hello" }], ...body }),
    signal,
  });
}

await journey(
  async (page, address) => {
    await ask(address, { model: EVIL });
    await (await ask(address, { model: "pony", max_tokens: 4 })).json();
    await page.goto(`${address}/activity?span=hour&status=404`);
    const requests = page.getByRole("region", { name: "Requests, one a row" });
    await requests.getByText(EVIL).first().waitFor();
    await requests.getByText("404 model_not_found").first().waitFor();
    await requests.getByRole("link").first().click();
    await page.getByText("It failed: model_not_found.").waitFor();
    assert.equal(await page.locator("main img").count(), 0);
    assert.equal(await page.evaluate(() => globalThis.caught), undefined);
    await page.goBack();
    await requests.getByText(EVIL).first().waitFor();

    // What is being answered is seen while it is, and is a row once it is over.
    const leaving = new AbortController();
    const answer = await ask(address, { model: "pony", max_tokens: 1900, ignore_eos: true, stream: true }, leaving.signal);
    await page.getByRole("region", { name: "Now" }).getByText("answered by pony (local)").waitFor();
    leaving.abort();
    await answer.text().catch(() => undefined);
    while ((await call(address, "GET", "/admin/audit/live")).requests.length > 0) await page.waitForTimeout(200);
    await page.getByText("Nobody is asking anything.").waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await requests.getByText("pony (local)").first().waitFor();
    assert.ok(!page.url().includes("status="));

    // The charts say in words and as a table what they show.
    await page.getByRole("img", { name: /^Tokens over time: .* read and written/ }).waitFor();
    const tokens = page.getByRole("region", { name: "Tokens", exact: true });
    await tokens.getByText("As a table").press("Enter");
    await tokens.getByRole("columnheader", { name: "pony" }).waitFor();
    await page.getByRole("combobox", { name: "Colours of the charts" }).selectOption("By provider");
    await tokens.getByRole("columnheader", { name: "local" }).waitFor();
    await page.getByRole("combobox", { name: "Model" }).selectOption("pony");
    await page.getByRole("combobox", { name: "Time" }).selectOption("From … to …");
    await page.getByLabel("From", { exact: true }).fill("2001-01-01T00:00");
    await page.getByLabel("To", { exact: true }).fill("2001-02-01T00:00");
    await page.getByText("No request fits.").waitFor();
    await tokens.getByText("Nothing in this time.").waitFor();
    await page.reload();
    await page.getByText("No request fits.").waitFor();

    // A row that never was, and a server that is away.
    await page.goto(`${address}/activity/999999`);
    await page.getByRole("alert").getByText("There is no row 999999.").waitFor();
    await page.goto(`${address}/activity`);
    await requests.getByText("pony (local)").first().waitFor();
    const away = page.getByRole("alert").getByText("The server does not answer.").first();
    await page.context().setOffline(true);
    await away.waitFor();
    await requests.getByText("pony (local)").first().waitFor();
    await page.context().setOffline(false);
    await away.waitFor({ state: "detached" });
  },
  { refusals: true },
);
