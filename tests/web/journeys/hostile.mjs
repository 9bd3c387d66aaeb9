/** Whatever a model is called and whatever was said stays text. */
import assert from "node:assert/strict";
import { call, journey } from "./browser.mjs";

const EVIL = [
  "<img src=x onerror=\"globalThis.caught='img'\">",
  "<script>globalThis.caught='script'</script>",
  "<svg onload=\"globalThis.caught='svg'\"><style>*{display:none}</style>",
  "[here](javascript:globalThis.caught='link') [there](data:text/html,<script>1</script>)",
  "![picture](http://192.0.2.1/steal.png) <iframe src=http://192.0.2.1></iframe>",
  "```html\n<b onclick=\"globalThis.caught='code'\">bold</b>\n```",
  "| a <b>c</b> |\n|---|\n| <img src=x onerror=\"globalThis.caught='table'\"> |",
];

await journey(async (page, address) => {
  const model = `${EVIL[0]}{{7*7}}`;
  const { id } = await call(address, "POST", "/admin/chats", { model, title: EVIL[1] });
  const parts = [
    { kind: "reasoning", text: EVIL.join("\n\n") },
    { kind: "text", text: EVIL.join("\n\n") },
  ];
  const said = { kind: "text", text: EVIL.join("\n\n") };
  const messages = [
    { role: "system", parts: [said] },
    { role: "user", parts: [said] },
    { role: "assistant", parts, model },
    { role: "user", parts: [said, { kind: "image", media_type: "text/uri-list", data: "javascript:globalThis.caught='address'" }] },
    { role: "user", parts: [{ kind: "image", media_type: "image/svg+xml", data: "PHN2ZyBvbmxvYWQ9ImEoKSIvPg==" }] },
    { role: "assistant", parts: [{ kind: "tool_call", call: { id: "1", name: EVIL[0], arguments: EVIL.join() } }], model },
    { role: "tool", parts: [{ kind: "tool_result", call_id: "1", text: EVIL.join("\n") }] },
    { role: "assistant", parts, model },
  ];
  await call(address, "POST", `/admin/chats/${id}/messages`, { messages });
  await page.goto(`${address}/chat/${id}`);
  const answer = page.getByRole("article").last();
  await answer.getByText("globalThis.caught='img'").first().waitFor();
  await page.getByRole("link", { name: EVIL[1] }).waitFor();
  await answer.locator("summary").click();
  await answer.getByText("here", { exact: true }).first().click();
  const log = page.getByRole("log");
  await log.getByText(EVIL[0], { exact: true }).first().waitFor(); // a tool's name
  await log.getByText(/^A picture javascript:/).waitFor();
  assert.equal(await page.getByRole("article", { name: "Tool", exact: true }).getByText("globalThis.caught='svg'").count(), 1);
  assert.equal(await log.locator("img, script, svg, iframe, style").count(), 0);
  const targets = await log.locator("a").evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? ""));
  assert.deepEqual(targets.filter((target) => !target.startsWith("http")), []);
  assert.equal(await page.evaluate(() => globalThis.caught), undefined);
  assert.equal(await page.getByRole("combobox", { name: "Model" }).inputValue(), model);
  await call(address, "DELETE", `/admin/chats/${id}`);

  // Rules, what they lead to, and what is said of them.
  const rule = { match: "prefix", pattern: EVIL[0], targets: [{ model: EVIL[1], options: { [EVIL[2]]: EVIL[0] } }], description: EVIL[2] };
  await call(address, "POST", "/admin/routes/evil", rule);
  await page.goto(`${address}/routing?ask=${encodeURIComponent(EVIL[0])}`);
  await page.getByRole("region", { name: "Where it leads" }).getByText("The rule").first().waitFor();
  await page.getByRole("listitem", { name: "evil" }).getByText(EVIL[2]).waitFor();
  assert.equal(await page.getByRole("main").locator("img, script, svg[onload], iframe, style:not([data-mantine-styles])").count(), 0);
  await page.goto(`${address}/routing/rules/evil`);
  await page.getByRole("status", { name: "What it would do" }).waitFor();
  assert.equal(await page.getByRole("dialog").locator("img, script, svg[onload], iframe").count(), 0);
  assert.equal(await page.evaluate(() => globalThis.caught), undefined);
  await call(address, "DELETE", "/admin/routes/evil");
});
