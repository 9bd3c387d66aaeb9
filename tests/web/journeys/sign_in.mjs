/** Somebody signs in where they wanted to go, makes a key, sees what a program does with it; then the session ends, and nothing is lost. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { barriers, journey } from "./browser.mjs";

const OpenAI = createRequire(new URL("../../clients/node/package.json", import.meta.url))("openai");
const [, , , adminKey] = process.argv;
const PASSWORD = "analytical engine";
const OTHER = "difference engine";

/** As whoever runs the server does it elsewhere. */
async function admin(address, method, path, body) {
  const headers = { "x-api-key": adminKey, "content-type": "application/json" };
  const answer = await fetch(address + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
}

async function enter(page, password) {
  const way = page.getByRole("dialog");
  await way.getByLabel("Name", { exact: true }).fill("ada");
  await way.getByLabel("Password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
}

await journey(
  async (page, address) => {
    await admin(address, "POST", "/admin/users", { name: "ada", password: PASSWORD, scopes: ["admin", "chat", "library"] });
    const way = page.getByRole("dialog");

    // The page that was asked for is there once one is in.
    await page.goto(`${address}/settings/keys`);
    await way.getByRole("heading", { name: "Sign in to Paddock" }).waitFor();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await barriers(page), [], colorScheme);
    }
    await enter(page, OTHER);
    await way.getByText("Name and password do not go together.").waitFor();
    await enter(page, PASSWORD);
    await way.waitFor({ state: "detached" });
    await page.getByRole("heading", { name: "API keys" }).waitFor();
    assert.equal(page.url(), `${address}/settings/keys`);
    const readable = await page.evaluate(() => document.cookie + JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    const [cookie] = await page.context().cookies();
    assert.equal(cookie.httpOnly, true);
    assert.ok(!readable.includes(cookie.value), "the session is out of reach of scripts");

    // A key is made, shown once, and used by a program.
    await page.getByRole("textbox", { name: "Name" }).fill("ci");
    await page.getByRole("textbox", { name: "Models" }).fill("pony, pony-*");
    await page.getByRole("button", { name: "Make the key" }).click();
    const secret = await page.getByLabel("The new key").innerText();
    assert.match(secret, /^pk_[0-9a-f]{12}_/);
    const client = new OpenAI.OpenAI({ baseURL: `${address}/v1`, apiKey: secret, maxRetries: 0 });
    const asked = { model: "pony", max_tokens: 8, messages: [{ role: "user", content: "hello" }] };
    const { usage } = await client.chat.completions.create(asked);
    await assert.rejects(client.chat.completions.create({ ...asked, model: "foal" }), { status: 403 });
    await page.reload();
    const key = page.getByRole("article", { name: "ci" });
    await key.getByText("pony, pony-*").waitFor();
    assert.ok(!(await page.content()).includes(secret.slice(20)), "it is shown once");

    // Activity shows who asked, by the name of the key, and the way of the request.
    await page.getByRole("link", { name: "Activity" }).click();
    await page.getByRole("combobox", { name: "Who asked" }).selectOption({ label: "ci (key)" });
    await page.getByRole("combobox", { name: "How it ended" }).selectOption("200");
    const requests = page.getByRole("region", { name: "Requests, one a row" });
    await requests.getByText("pony (local)").waitFor();
    await requests.getByText("foal").waitFor({ state: "detached" });
    assert.match(page.url(), /caller=key/);
    await requests.getByRole("link").click();
    await page.getByText("The route “exact” led to pony at local.").waitFor();
    await page.getByText("The first token left for the client.").waitFor();
    await page.getByRole("row", { name: `Tokens read ${usage.prompt_tokens}`, exact: true }).waitFor();
    await page.getByRole("link", { name: "Back to all requests" }).click();
    assert.match(page.url(), /caller=key/);

    // The rows are checked, and saved as they are filtered.
    await page.getByRole("button", { name: "Check every row" }).click();
    await page.getByText(/All \d+ rows are as they were written/).waitFor();
    const saved = async (name) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
      return readFileSync(await download.path(), "utf8").trimEnd().split("\n");
    };
    const table = await saved("Export as CSV");
    assert.equal(table.length, 2);
    assert.match(table[0], /^seq,at,request_id/);
    const [line] = (await saved("Export as JSON lines")).map((text) => JSON.parse(text));
    assert.deepEqual([line.model, line.status, line.prompt_tokens], ["pony", 200, usage.prompt_tokens]);

    // A page without the token of this session changes nothing, whatever the browser sends along.
    const forged = await page.evaluate(async () => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch("/admin/keys", { method: "POST", headers, body: JSON.stringify({ name: "forged" }) });
      return [answer.status, (await answer.json()).code];
    });
    assert.deepEqual(forged, [403, "token_missing"]);

    // The session ends elsewhere while somebody writes: back in, the words are still there, and go.
    await page.getByRole("link", { name: "Chat" }).click();
    const words = page.getByRole("textbox", { name: "Message" });
    await words.fill("What is 3 plus 4?");
    await admin(address, "PATCH", "/admin/users/ada", { password: OTHER });
    await words.press("Enter");
    await way.getByText("What you wrote is still there.").waitFor();
    await enter(page, OTHER);
    await way.waitFor({ state: "detached" });
    assert.equal(await words.inputValue(), "What is 3 plus 4?");
    await words.press("Enter");
    await page.getByRole("article", { name: "pony" }).getByText(/7/).first().waitFor();

    // A key that was revoked opens nothing.
    await page.goto(`${address}/settings/keys`);
    await page.getByRole("button", { name: "Revoke ci" }).click();
    await page.getByRole("button", { name: "Revoke", exact: true }).click();
    await key.getByText(/^revoked/).waitFor();
    await assert.rejects(client.chat.completions.create(asked), { status: 401 });

    // Out again; who then guesses has to wait, and is told so.
    await page.getByRole("button", { name: "Sign out" }).click();
    await way.getByRole("heading", { name: "Sign in to Paddock" }).waitFor();
    assert.deepEqual(await page.context().cookies(), []);
    const late = way.getByText("Too many attempts failed.");
    for (let guess = 0; guess < 20 && !(await late.isVisible()); guess += 1) {
      await enter(page, `guess ${guess}`);
      await page.getByRole("button", { name: "Sign in", exact: true }).and(page.locator(":not([data-loading])")).waitFor();
    }
    await late.waitFor();
    await way.getByText(/Try again in \d+ seconds/).waitFor();
    await way.getByRole("button", { name: "Use a key instead" }).click();
    await way.getByLabel("Key", { exact: true }).fill(adminKey);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "API keys" }).waitFor();
  },
  { refusals: true },
);
