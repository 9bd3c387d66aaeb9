/** Providers are added, tried and given keys; one that fails is stood in for, and the page shows it. */
import assert from "node:assert/strict";
import { call, journey } from "./browser.mjs";

const [failing, standing] = process.argv.slice(3);

await journey(
  async (page, address) => {
    const said = [];
    page.on("response", async (response) => {
      if (response.url().includes("/admin/")) said.push(await response.text().catch(() => ""));
    });
    await page.goto(`${address}/providers`);
    await page.getByText("None but this machine.").waitFor();
    await page.getByRole("link", { name: "Add a provider" }).click();
    const form = page.getByRole("dialog", { name: "Add a provider" });
    const save = form.getByRole("button", { name: "Save" });
    await form.getByRole("textbox", { name: "Name", exact: true }).fill("first");
    const where = form.getByRole("textbox", { name: "Address" });
    await where.fill("http://someone@gpu.local");
    await save.click();
    await form.getByText(/is no address of a provider/).waitFor(); // beside the field
    assert.equal(await where.getAttribute("aria-invalid"), "true");
    await where.fill("http://192.0.2.1/v1");
    await form.getByLabel("Key", { exact: true }).fill("sk-secret-one");
    await save.click();
    await form.getByText(/its key would be read on the way/).waitFor();
    await where.fill(failing);
    await form.getByRole("button", { name: "Add a header" }).click();
    await form.getByRole("textbox", { name: "Header 1: name" }).fill("x-team");
    await form.getByRole("textbox", { name: "Header 1: value" }).fill("research");
    await save.click();
    await form.waitFor({ state: "detached" });

    // It is tried, and its models are text, whatever they are called.
    const first = page.getByRole("article", { name: "first" });
    await first.getByText("key kept").waitFor();
    await first.getByText("sends x-team").waitFor();
    await first.getByRole("button", { name: "Test first" }).click();
    await first.getByText("It answers, and has 2 models.").waitFor();
    await first.getByText("<img src=x onerror=", { exact: false }).waitFor();
    assert.equal(await first.locator("img").count(), 0);

    // One that is not there says so.
    await call(address, "PUT", "/admin/providers/gone", { kind: "openai", base_url: "http://127.0.0.1:9/v1" });
    await call(address, "PUT", "/admin/providers/second", { kind: "anthropic", base_url: standing });
    await page.reload();
    const gone = page.getByRole("article", { name: "gone" });
    await gone.getByRole("button", { name: "Test gone" }).click();
    await gone.getByRole("alert").getByText(/cannot be reached/).waitFor();
    await gone.getByRole("button", { name: "Remove gone" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await gone.waitFor({ state: "detached" });

    // A rule leads to the one that fails; the other stands in, and who is left alone is told of while one looks.
    await page.goto(`${address}/routing/new`);
    const rule = page.getByRole("dialog", { name: "New rule" });
    await rule.getByRole("textbox", { name: "Name of the rule" }).fill("cloud");
    await rule.getByRole("textbox", { name: "Pattern" }).fill("far");
    await rule.getByLabel("Provider of target 1").selectOption("first");
    await rule.getByRole("combobox", { name: "Model of target 1" }).fill("far-model");
    await rule.getByRole("button", { name: /^Add one for when/ }).click();
    await rule.getByLabel("Provider of target 2").selectOption("second");
    await rule.getByRole("combobox", { name: "Model of target 2" }).fill("claude-far");
    await rule.getByText("It goes to far-model at first, else to claude-far at second.").waitFor();
    await rule.getByRole("button", { name: "Ask target 2 earlier" }).click();
    await rule.getByText("It goes to claude-far at second, else to far-model at first.").waitFor();
    await rule.getByRole("button", { name: "Ask target 1 later" }).click();
    await rule.getByText("It goes to far-model at first, else to claude-far at second.").waitFor();
    await rule.getByRole("button", { name: "Save" }).click();
    await rule.waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Providers" }).click();
    await first.getByText("on", { exact: true }).waitFor();
    const body = JSON.stringify({ model: "far", messages: [{ role: "user", content: "Hi" }] });
    for (let time = 0; time < 5; time += 1) {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${address}/v1/chat/completions`, { method: "POST", headers, body });
      assert.equal(response.headers.get("x-paddock-provider"), "second", await response.text());
    }
    await first.getByText("resting").waitFor();
    await first.getByText(/^far-model is left alone/).waitFor();

    // Another key, none, off, and gone. No answer ever held a key.
    await first.getByRole("button", { name: "Change the key of first" }).click();
    const key = page.getByRole("dialog", { name: "The key of first" });
    await key.getByLabel("New key").fill("sk secret two");
    await page.keyboard.press("Enter");
    await key.getByText(/This is no key/).waitFor();
    await key.getByLabel("New key").fill("sk-secret-two");
    await page.keyboard.press("Enter");
    await key.waitFor({ state: "detached" });
    await first.getByRole("button", { name: "Change the key of first" }).click();
    await key.getByRole("button", { name: "Forget the key" }).click();
    await first.getByText("no key").waitFor();
    await page.getByRole("switch", { name: "Ask first" }).click({ force: true });
    await first.getByText("off", { exact: true }).waitFor();
    await page.goto(`${address}/providers/first`);
    const edit = page.getByRole("dialog", { name: "Provider first" });
    assert.equal(await edit.getByRole("textbox", { name: "Header 1: value" }).inputValue(), "research");
    await edit.getByRole("textbox", { name: "Seconds it may be silent" }).fill("90");
    await edit.getByRole("button", { name: "Save" }).click();
    await first.getByText(/May be silent for 2 min/).waitFor();
    assert.deepEqual(said.filter((text) => text.includes("sk-secret")), []);
    for (const name of ["first", "second"]) await call(address, "DELETE", `/admin/providers/${name}`);
    await call(address, "DELETE", "/admin/routes/cloud");
  },
  { refusals: true },
);
