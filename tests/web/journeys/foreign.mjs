/** A page of somebody else's neither shows ours in a frame nor changes anything here, though the browser is let in. */
import assert from "node:assert/strict";
import { call, journey } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(`${address}/settings/users`);
  await page.getByText("Nobody signs in yet.").waitFor();
  const other = await page.context().newPage();
  await other.goto(`data:text/html,<iframe src="${address}/settings/users"></iframe>`);
  await other.frames()[1].waitForURL(/^chrome-error/);
  await other.evaluate(async (users) => {
    const body = JSON.stringify({ name: "mallory", password: "of somebody else's", scopes: ["admin"] });
    for (const type of ["application/json", "text/plain"]) {
      await fetch(users, { method: "POST", mode: "no-cors", credentials: "include", headers: { "content-type": type }, body }).catch(() => undefined);
    }
  }, `${address}/admin/users`);
  assert.deepEqual((await call(address, "GET", "/admin/users")).users, []);
});
