/** A model comes into memory, is pinned, warmed and leaves; limits change with a look at what that does. */
import assert from "node:assert/strict";
import { barriers, call, journey } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(`${address}/memory`);
  await page.getByRole("combobox", { name: "Model to load" }).selectOption("foal");
  await page.getByRole("button", { name: "Load", exact: true }).click();
  const model = page.getByRole("article", { name: "foal", exact: true });
  await model.getByText("ready").waitFor();
  await model.getByText(/predicted .* measured/).waitFor();
  await model.getByRole("button", { name: "Pin foal", exact: true }).click();
  await model.getByText("pinned").waitFor();
  await model.getByRole("button", { name: "Unpin foal" }).click();
  await model.getByRole("button", { name: "Pin foal", exact: true }).waitFor();
  await model.getByRole("button", { name: "Warm foal" }).click();
  await model.getByText(/tokens found in it/).waitFor();

  // A look first: nothing leaves by that. Then it holds, and who was named leaves.
  await call(address, "POST", "/admin/models/load/pony", {});
  await page.getByRole("article", { name: "pony", exact: true }).getByText("ready").waitFor();
  const limits = page.getByRole("region", { name: "Limits" });
  const memory = limits.getByRole("textbox", { name: "Memory for models" });
  const usual = await memory.inputValue();
  await memory.fill("lots");
  await limits.getByRole("alert").getByText("`pool.memory` cannot be `lots`").waitFor();
  await memory.fill(usual);
  await limits.getByRole("textbox", { name: "Models at once" }).fill("1");
  await limits.getByRole("status").getByText("These would leave at once:").waitFor();
  await limits.getByRole("listitem").getByText(/^foal, /).waitFor();
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await barriers(page), [], colorScheme);
  }
  assert.ok("foal" in (await call(address, "GET", "/admin/models/status")).loaded_models);
  await limits.getByRole("button", { name: "Save limits" }).click();
  await model.waitFor({ state: "detached" });
  assert.equal((await call(address, "GET", "/admin/config/pool.max_models")).value, 1);
  await page.reload();
  await page.getByRole("combobox", { name: "Who leaves first" }).selectOption("largest");
  await limits.getByText("No model would leave now.").waitFor();
  await limits.getByRole("button", { name: "Leave them" }).click();
  await call(address, "DELETE", "/admin/config/pool.max_models");
  await call(address, "POST", "/admin/models/load/foal", {});
  await model.getByText("ready").waitFor();
  await model.getByRole("button", { name: "Unload foal" }).click();
  await model.waitFor({ state: "detached" });
}, { refusals: true });
