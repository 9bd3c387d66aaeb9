/** Thousands of chats and hundreds of models: first content, a page that stays small, scrolling, and a search. Prints figures. */
import assert from "node:assert/strict";
import { journey } from "./browser.mjs";

const NODES_MAX = 2500; // of the whole page, however long the list

await journey(async (page, address) => {
  const chats = Number(process.argv[3]);
  const models = Number(process.argv[4]);
  const nodes = () => page.evaluate(() => document.querySelectorAll("*").length);

  /** Milliseconds from the start of the navigation until `text` stands in the page, as the page's own clock tells it. */
  async function opened(path, text) {
    await page.goto(address + path, { waitUntil: "commit" });
    return page.evaluate(
      (text) =>
        new Promise((resolve) => {
          const look = () => (document.body?.innerText.includes(text) ? resolve(performance.now()) : requestAnimationFrame(look));
          look();
        }),
      text,
    );
  }

  /** Scroll `box` a screen each frame for `frames` frames: the longest frame in milliseconds. */
  const scrolled = (box, frames) =>
    box.evaluate(
      (element, frames) =>
        new Promise((resolve) => {
          let last = performance.now();
          let longest = 0;
          const step = (now) => {
            longest = Math.max(longest, now - last);
            last = now;
            element.scrollTop += element.clientHeight;
            frames -= 1;
            if (frames > 0) requestAnimationFrame(step);
            else resolve(longest);
          };
          requestAnimationFrame(step);
        }),
      frames,
    );

  const figures = {};
  await opened("/chat", "Number 0 "); // once, so that files are known as after any first visit
  figures.chats_ms = await opened("/chat", "Number 0 ");
  const history = page.getByRole("region", { name: "Chats" });
  await history.getByRole("listitem").nth(5).waitFor();
  figures.chats_nodes = await nodes();
  assert.ok(figures.chats_nodes < NODES_MAX, JSON.stringify(figures));

  // To the very end, page by page; what is in the page stays as little as it was.
  let longest = 0;
  const last = history.getByRole("listitem").filter({ hasText: `Number ${chats - 1} ` });
  const patience = Date.now() + 240_000;
  while ((await last.count()) === 0) {
    longest = Math.max(longest, await scrolled(history, 20));
    assert.ok(Date.now() < patience, "the end of the list does not come");
  }
  figures.chats_frame_ms = longest;
  figures.chats_end_nodes = await nodes();
  assert.ok(figures.chats_end_nodes < NODES_MAX, JSON.stringify(figures));
  assert.equal(await last.getAttribute("aria-posinset"), `${chats}`);

  const begun = Date.now();
  await page.getByRole("textbox", { name: "Search chats" }).fill(`needle ${chats - 1}`);
  await history.getByRole("listitem").filter({ hasText: `Number ${chats - 1} ` }).waitFor();
  await history.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  figures.search_ms = Date.now() - begun;

  figures.models_first_ms = await opened("/models", "org/model-0");
  figures.models_ms = await opened("/models", "org/model-0");
  const table = page.getByRole("region", { name: "Models on this machine" });
  assert.ok(Number(await table.getByRole("table").getAttribute("aria-rowcount")) > models);
  figures.models_nodes = await nodes();
  assert.ok(figures.models_nodes < NODES_MAX, JSON.stringify(figures));
  figures.models_frame_ms = await scrolled(table, 60);
  figures.models_end_nodes = await nodes();
  assert.ok(figures.models_end_nodes < NODES_MAX, JSON.stringify(figures));
  await page.getByRole("textbox", { name: /^Find one of/ }).fill(`model-${models - 1}`);
  await table.getByText(`org/model-${models - 1}`, { exact: true }).waitFor();
  console.log(JSON.stringify(figures));
});
