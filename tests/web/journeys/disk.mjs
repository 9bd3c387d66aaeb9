/** Models on the disk: verified, compared at an address of its own, a clean-up looked at, carried out and in. */
import assert from "node:assert/strict";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { barriers, journey } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(`${address}/models`);
  await page.getByRole("button", { name: "Verify pony", exact: true }).click();
  const verify = page.getByRole("dialog", { name: "Verify this model" });
  await verify.getByText(/^All \d+ files are as they should be/).waitFor();
  assert.equal(await verify.getByRole("progressbar").getAttribute("aria-valuenow"), "100");
  await verify.getByRole("button", { name: "Close" }).last().click();

  await page.getByRole("checkbox", { name: "Tick pony", exact: true }).check();
  await page.getByRole("checkbox", { name: "Tick foal" }).check();
  await page.getByRole("button", { name: "Compare 2" }).click();
  assert.equal(new URL(page.url()).search, "?compare=pony&compare=foal");
  await page.reload();
  const compared = page.getByRole("dialog", { name: "Models side by side" });
  await compared.getByRole("rowheader", { name: "context window" }).waitFor();
  await compared.getByText("best").first().waitFor();
  assert.deepEqual(await barriers(page), []);
  await page.keyboard.press("Escape");
  await compared.waitFor({ state: "detached" });
  assert.equal(new URL(page.url()).search, "");

  await page.getByRole("button", { name: "Clean up" }).click();
  const clean = page.getByRole("dialog", { name: "Clean up the disk" });
  await clean.getByRole("textbox", { name: "Not used for so many days" }).fill("0");
  await clean.getByRole("button", { name: "Show what would go" }).click();
  await clean.getByText("Nothing would go.").waitFor();
  await clean.getByText(/^pony: /).waitFor();
  assert.deepEqual(await barriers(page), []);
  await page.keyboard.press("Escape");
  await clean.waitFor({ state: "detached" });

  const folder = await mkdtemp(join(tmpdir(), "carried-"));
  await page.getByRole("textbox", { name: "Folder" }).fill(folder);
  await page.getByRole("button", { name: "Export", exact: true }).click();
  await page.getByText(/^2 models, .* would be written\. Press again/).waitFor();
  assert.deepEqual(await readdir(folder), []);
  await page.getByRole("button", { name: "Export now" }).click();
  await page.getByText(/^2 models, .* written\.$/).waitFor();
  assert.ok((await readdir(folder)).includes("models.lock"));
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText(/^2 models would be taken in/).waitFor();
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await barriers(page), [], colorScheme);
  }
});
