/** A rule is written, judged while it is, saved and followed; rules are put in order; a profile of one's own answers. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { call, journey, until } from "./browser.mjs";

const names = async (address) => (await call(address, "GET", "/admin/routes")).rules.map((rule) => rule.name);

/** Who answered a request for `model`. */
async function answerer(address, model) {
  const body = JSON.stringify({ model, max_tokens: 4, messages: [{ role: "user", content: "Hi" }] });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${address}/v1/chat/completions`, { method: "POST", headers, body });
  assert.equal(response.status, 200, await response.text());
  return response.headers.get("x-paddock-model");
}

await journey(
  async (page, address) => {
    await page.goto(`${address}/routing`);
    await page.getByText("No rules yet.").waitFor();
    await page.getByRole("link", { name: "New rule" }).click();
    const form = page.getByRole("dialog", { name: "New rule" });
    await form.getByRole("textbox", { name: "Name of the rule" }).fill("clients");
    await form.getByRole("combobox", { name: "A name of a model that" }).selectOption("regex");
    const pattern = form.getByRole("textbox", { name: "Pattern" });
    await pattern.fill("gpt-(");
    await form.getByRole("combobox", { name: "Model of target 1" }).fill("pony");
    await form.getByText(/missing \)/).waitFor(); // beside the field, before anything is saved
    assert.equal(await pattern.getAttribute("aria-invalid"), "true");
    assert.deepEqual(await names(address), []);
    await pattern.fill("gpt-(.*)");
    await form.getByRole("textbox", { name: "Names to try it with" }).fill("gpt-5\nclaude");
    const told = form.getByRole("status", { name: "What it would do" });
    await told.getByText("gpt-5 fits. It goes to pony at local.").waitFor();
    await told.getByText("claude does not fit. It leads nowhere.").waitFor();
    await form.getByRole("button", { name: "Save" }).click();
    await form.waitFor({ state: "detached" });
    assert.equal(await answerer(address, "gpt-5"), "pony");

    // A name is tried, and the address of what was found can be handed on.
    await page.getByRole("combobox", { name: "Name of a model, as it would be asked" }).fill("gpt-5");
    await page.getByRole("button", { name: "Explain" }).click();
    const found = page.getByRole("region", { name: "Where it leads" });
    await found.getByText("rule:clients").waitFor();
    await page.goto(page.url());
    await found.getByText("rule:clients").waitFor();

    // What went where is held against the rules, and against one that is not saved.
    const replay = page.getByRole("region", { name: "Replay" });
    await until(async () => {
      const { groups } = await call(address, "POST", "/admin/route/replay", { rules: [] });
      return groups.some((group) => group.asked_model === "gpt-5"); // the audit is written a moment later
    });
    await replay.getByRole("button", { name: "Replay" }).click();
    await replay.getByText(/^\d+ requests?: [1-9]\d* as before · 0 elsewhere/).waitFor();
    await page.getByRole("link", { name: "Edit clients" }).click();
    const edit = page.getByRole("dialog", { name: "Rule clients" });
    await edit.getByRole("combobox", { name: "Model of target 1" }).fill("foal");
    await edit.getByRole("button", { name: "Replay the last day" }).click();
    await edit.getByText(/ · 1 elsewhere/).waitFor();
    await edit.getByRole("cell", { name: "foal" }).waitFor();
    await edit.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await call(address, "GET", "/admin/routes/clients")).targets[0].model, "pony");

    // Order: by the keyboard, by buttons, by dragging.
    const target = { match: "exact", pattern: "gpt-5", targets: [{ model: "foal" }] };
    await call(address, "POST", "/admin/routes/exact", target);
    await page.reload();
    const rows = page.getByRole("list", { name: "Rules in order" }).getByRole("listitem");
    const inOrder = async (...wanted) => {
      for (const [index, name] of wanted.entries()) await rows.nth(index).and(page.getByLabel(name, { exact: true })).waitFor();
      await until(async () => (await names(address))[0] === wanted[0]);
    };
    await inOrder("exact", "clients");
    assert.equal(await answerer(address, "gpt-5"), "foal");
    await page.getByRole("button", { name: /^Move clients:/ }).focus();
    await page.keyboard.press("ArrowUp");
    await inOrder("clients", "exact");
    assert.equal(await answerer(address, "gpt-5"), "pony");
    await page.getByText("clients is now 1 of 2.").waitFor({ state: "attached" });
    await page.getByRole("button", { name: "Move clients down" }).click();
    await inOrder("exact", "clients");
    const handle = await page.getByRole("button", { name: /^Move clients:/ }).boundingBox();
    const upper = await rows.first().boundingBox();
    await page.mouse.move(handle.x + 5, handle.y + 5);
    await page.mouse.down();
    await page.mouse.move(handle.x + 5, upper.y + 4, { steps: 5 });
    await page.mouse.up();
    await inOrder("clients", "exact");

    // Off, exported, gone, and back from the file.
    await page.getByRole("switch", { name: "Follow clients" }).click({ force: true });
    await rows.first().getByText("off", { exact: true }).waitFor();
    await until(async () => !(await call(address, "GET", "/admin/routes/clients")).enabled);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
    const file = await readFile(await download.path(), "utf8");
    await page.getByRole("button", { name: "Remove clients" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByRole("link", { name: "Edit clients" }).waitFor({ state: "detached" });
    const choose = (text) =>
      page.getByLabel("A file of rules").setInputFiles({ name: "rules.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await choose("no rules at all");
    await page.getByText("This is no file of rules.").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await choose(file);
    const dialog = page.getByRole("dialog", { name: "Import rules.json" });
    await dialog.getByText("1 new: clients").waitFor();
    await dialog.getByRole("button", { name: "Import" }).click();
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual(await names(address), ["clients", "exact"]);

    // A deep link opens a rule; Escape closes it.
    await page.goto(`${address}/routing/rules/exact`);
    await page.getByRole("dialog", { name: "Rule exact" }).getByRole("textbox", { name: "Pattern" }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForURL(`${address}/routing`);

    // A profile of one's own, tried, made the usual one, and removed.
    await page.getByRole("link", { name: "New profile" }).click();
    const profile = page.getByRole("dialog", { name: "New profile" });
    await profile.getByRole("textbox", { name: "Name of the profile" }).fill("tiny");
    await profile.getByRole("combobox", { name: "Always this model" }).fill("foal");
    await page.keyboard.press("Escape"); // the suggestions
    await profile.getByRole("button", { name: "Save" }).click();
    await profile.waitFor({ state: "detached" });
    const card = page.getByRole("article", { name: "tiny" });
    await card.getByText("Always foal, if it is there").waitFor();
    await card.getByRole("link", { name: "Try tiny" }).click();
    await found.getByText("profile:tiny").first().waitFor();
    await card.getByRole("button", { name: "Make usual: tiny" }).click();
    await card.getByText("usual", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Make usual: general" }).click();
    await card.getByRole("button", { name: "Make usual: tiny" }).waitFor();
    await card.getByRole("button", { name: "Remove tiny" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await card.waitFor({ state: "detached" });
    for (const name of await names(address)) await call(address, "DELETE", `/admin/routes/${name}`);
  },
  { refusals: true },
);
