/** A model comes into memory, is pinned, warmed and leaves. */
import { journey } from "./browser.mjs";

await journey(async (page, address) => {
  await page.goto(`${address}/memory`);
  await page.getByRole("combobox", { name: "Model to load" }).selectOption("foal");
  await page.getByRole("button", { name: "Load", exact: true }).click();
  const model = page.getByRole("article", { name: "foal" });
  await model.getByText("ready").waitFor();
  await model.getByText(/predicted .* measured/).waitFor();
  await model.getByRole("button", { name: "Pin foal", exact: true }).click();
  await model.getByText("pinned").waitFor();
  await model.getByRole("button", { name: "Unpin foal" }).click();
  await model.getByRole("button", { name: "Pin foal", exact: true }).waitFor();
  await model.getByRole("button", { name: "Warm foal" }).click();
  await model.getByRole("button", { name: "Unload foal" }).click();
  await model.waitFor({ state: "detached" });
});
