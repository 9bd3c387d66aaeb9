/** A conversation: streamed, stopped, kept, answered again in a branch, renamed, found, deleted. */
import assert from "node:assert/strict";
import { call, journey, say } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(`${address}/chat`);
  await page.getByRole("button", { name: "Options" }).click();
  await page.getByRole("textbox", { name: "System prompt" }).fill("You are a short poet.");
  await page.getByRole("textbox", { name: "Temperature" }).fill("0");
  await say(page, "Name a colour.");
  await page.getByText(/tokens\/s|first token after/).first().waitFor();
  await page.getByRole("article", { name: "System prompt" }).getByText("You are a short poet.").waitFor();
  const first = page.url();

  // Words come while more are to come; stopping keeps those that were said.
  const log = page.getByRole("log", { name: "Messages" });
  await page.getByRole("textbox", { name: "Message" }).fill("Tell me a very long story.");
  await page.keyboard.press("Enter");
  await log.getByRole("article").nth(4).getByText(/^Once/).waitFor();
  assert.equal(await log.getAttribute("aria-busy"), "true");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText(/ · stopped$/).waitFor();
  const told = await log.innerText();

  await page.reload();
  await page.getByRole("button", { name: "Copy this answer" }).nth(1).waitFor();
  assert.equal(await log.innerText(), told);

  await page.getByRole("button", { name: "Options" }).click();
  await page.getByRole("textbox", { name: "Tokens at most" }).fill("16");
  await page.getByRole("button", { name: "Answer again" }).click();
  await page.waitForURL((url) => url.href !== first);
  await page.getByRole("button", { name: "Copy this answer" }).nth(1).waitFor();
  assert.equal((await call(address, "GET", `/admin/chats/${first.split("/").at(-1)}`)).messages.length, 5);

  const history = page.getByRole("complementary", { name: "History" });
  await history.getByRole("button", { name: /^More about/ }).first().click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByRole("textbox", { name: "Title" }).fill("Colours and stories");
  await page.getByRole("button", { name: "Rename" }).click();
  await history.getByRole("textbox", { name: "Search chats" }).fill("colours and");
  const found = history.getByRole("link", { name: "Colours and stories" });
  await found.waitFor();
  await history.getByRole("link").nth(2).waitFor({ state: "detached" }); // `New chat` and the one that was found
  await history.getByRole("button", { name: "More about Colours and stories" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByText("No chat has these words.").waitFor();
  assert.equal(new URL(page.url()).pathname, "/chat");
});
