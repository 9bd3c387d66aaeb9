/** A question in other words, versions side by side, a chat in two windows, its own options, and as a file. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { call, journey, say } from "./browser.mjs";

await journey(
  async (page, address) => {
    await page.goto(`${address}/chat`);
    await page.getByRole("button", { name: "Options" }).click();
    await page.getByRole("textbox", { name: "System prompt" }).fill("You are brief.");
    await page.getByRole("textbox", { name: "Temperature" }).fill("0");
    await say(page, "What is 3 plus 4?");
    const first = page.url();
    const id = first.split("/").at(-1);

    // Said otherwise, in a branch; both versions are there, from either side.
    await page.getByRole("button", { name: "Edit this message" }).click();
    await page.getByRole("textbox", { name: "Edited message" }).fill("What is 2 plus 6?");
    await page.getByRole("button", { name: "Send in a branch" }).click();
    await page.waitForURL((url) => url.href !== first);
    await page.getByRole("article", { name: "pony" }).getByText(/8/).first().waitFor();
    await page.getByText("2 of 2").first().waitFor();
    await page.getByRole("article", { name: "System prompt" }).getByText("You are brief.").waitFor();
    const second = page.url();
    await page.getByRole("button", { name: "Earlier version" }).first().click();
    await page.waitForURL(first);
    await page.getByText("What is 3 plus 4?").first().waitFor();
    await page.getByRole("button", { name: "Later version" }).first().click();
    await page.waitForURL(second);

    // Another window of the same chat sees what is said here without being touched, and writes below it only.
    const other = await page.context().newPage();
    await other.goto(second);
    await other.getByText("What is 2 plus 6?").first().waitFor();
    await say(page, "Hello");
    await other.getByRole("article", { name: "You" }).getByText("Hello", { exact: true }).waitFor();
    const branch = second.split("/").at(-1);
    await other.getByRole("button", { name: "Copy this answer" }).nth(1).waitFor();
    await other.route(/\/admin\/chats\/[0-9a-f]+$/, (route) => route.abort()); // it does not see what comes now
    await call(address, "POST", `/admin/chats/${branch}/messages`, {
      messages: [{ role: "user", parts: [{ kind: "text", text: "From elsewhere" }] }],
    });
    const field = other.getByRole("textbox", { name: "Message" });
    await field.fill("Too late");
    await other.keyboard.press("Enter");
    await other.getByRole("alert").getByText(/went on elsewhere/).waitFor();
    assert.equal(await field.inputValue(), "Too late");
    await other.unroute(/\/admin\/chats\/[0-9a-f]+$/);
    await other.getByText("From elsewhere").waitFor();
    await other.keyboard.press("Enter");
    await other.getByRole("button", { name: "Copy this answer" }).nth(2).waitFor();
    const words = (await call(address, "GET", `/admin/chats/${branch}`)).messages.map(({ parts }) => parts.at(-1).text);
    assert.deepEqual([words[5], words[6]], ["From elsewhere", "Too late"]);
    await other.close();

    // How it is asked is the chat's own, wherever it is looked at.
    await page.getByRole("button", { name: "Options" }).waitFor();
    const temperature = page.getByRole("textbox", { name: "Temperature" });
    if (!(await temperature.isVisible())) await page.getByRole("button", { name: "Options" }).click();
    const saved = page.waitForResponse((response) => response.url().endsWith("/options") && response.ok());
    await temperature.fill("1.5");
    await saved;
    assert.equal((await call(address, "GET", `/admin/chats/${branch}`)).options.temperature, 1.5);
    assert.equal((await call(address, "GET", `/admin/chats/${id}`)).options.temperature, 0);
    await page.goto(first);
    await page.getByRole("button", { name: "Options" }).click();
    await page.waitForFunction(() => document.querySelector("input[inputmode=decimal]")?.value === "0");
    await page.getByRole("textbox", { name: "System prompt" }).fill("You sing.");
    await page.getByRole("button", { name: "Use it from now on" }).click();
    await page.getByRole("article", { name: "System prompt" }).getByText("You sing.").waitFor();

    // As a file that people read, and one that programs do.
    for (const [item, ending] of [
      ["As Markdown", "md"],
      ["As JSON", "json"],
    ]) {
      await page.getByRole("button", { name: "Export" }).click();
      const coming = page.waitForEvent("download");
      await page.getByRole("menuitem", { name: item }).click();
      const file = await coming;
      assert.equal(file.suggestedFilename(), `What-is-3-plus-4.${ending}`);
      const text = await readFile(await file.path(), "utf8");
      if (ending === "json") assert.equal(JSON.parse(text).messages.length, 4);
      else assert.match(text, /^# What is 3 plus 4\?\n[^]*## System prompt\n\nYou are brief\.\n\n## You\n\nWhat is 3 plus 4\?\n/);
    }
    await call(address, "DELETE", "/admin/chats?all=true");
    await page.getByText(/There is no conversation/).waitFor();
  },
  { refusals: true },
);
