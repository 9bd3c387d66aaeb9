/** Every page in both themes, for people who see less, use a keyboard, or hold a small screen. */
import assert from "node:assert/strict";
import { barriers, call, journey } from "./browser.mjs";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

await journey(async (page, address) => {
  const { id } = await call(address, "POST", "/admin/chats", { model: "pony" });
  const long = "a".repeat(300);
  await call(address, "POST", `/admin/chats/${id}/messages`, {
    messages: [
      { role: "user", parts: [{ kind: "text", text: long }] },
      {
        role: "assistant",
        parts: [
          { kind: "reasoning", text: long },
          { kind: "text", text: `${long}\n\n\`\`\`\n${long}\n\`\`\`\n\n[a](http://a.test) \`b\`\n\n|a|b|\n|-|-|\n|c|d|` },
        ],
        model: "pony",
      },
      { role: "user", parts: [{ kind: "image", media_type: "image/png", data: PIXEL }, { kind: "text", text: "What?" }] },
      {
        role: "assistant",
        parts: [{ kind: "tool_call", call: { id: "1", name: "look", arguments: JSON.stringify({ at: long }) } }],
        model: "pony",
      },
      { role: "tool", parts: [{ kind: "tool_result", call_id: "1", text: long }] },
    ],
  });
  await call(address, "POST", "/admin/models/load/pony", {});
  const targets = [{ provider: "far", model: long, options: { [long]: long } }, { model: "pony" }];
  await call(address, "PUT", "/admin/providers/far", {
    kind: "openai",
    base_url: `http://127.0.0.1:9/${long}`,
    headers: { [long]: long },
    options: { [long]: long },
  });
  for (const name of ["one", "two"]) {
    await call(address, "POST", `/admin/routes/${name}`, { match: "exact", pattern: long + name, targets, description: long });
  }
  const routing = ["/routing?ask=auto:code", "/routing/rules/one", "/routing/profiles/code", "/providers", "/providers/far"];
  const pages = ["/", `/chat/${id}`, "/models", "/memory", "/activity", "/activity/1", "/settings"];
  pages.push(...routing, "/settings/users", "/settings/keys", "/settings/health", "/settings/about");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const path of pages) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(address + path);
      await page.getByLabel("Loading").first().waitFor({ state: "detached" });
      assert.deepEqual(await barriers(page), [], `${path}, ${colorScheme}`);
      for (const width of [360, 2560]) {
        await page.setViewportSize({ width, height: 740 });
        // The frame takes a moment to make room.
        const fits = page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth, null, { timeout: 10_000 });
        await fits.catch(() => assert.fail(`${path} is too wide at ${width}`));
      }
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(address);
  for (let step = 0; step < 12; step += 1) {
    await page.keyboard.press("Tab");
    if ((await page.evaluate(() => document.activeElement?.textContent)) === "Memory") break;
  }
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Memory", level: 1 }).waitFor();
  await call(address, "DELETE", `/admin/chats/${id}`);
  for (const path of ["routes/one", "routes/two", "providers/far"]) await call(address, "DELETE", `/admin/${path}`);
});
