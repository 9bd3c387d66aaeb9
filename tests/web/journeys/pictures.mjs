/** Pictures by file, paste and drop: shown before they are sent, told to a model that sees, kept with the chat. */
import assert from "node:assert/strict";
import { barriers, call, journey, say } from "./browser.mjs";

/** A circle of one colour as a PNG; `side` pixels of noise behind it make a large file. */
async function circle(page, colour, side = 96, noise = false) {
  const data = await page.evaluate(
    ({ colour, side, noise }) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = side;
      const pen = canvas.getContext("2d");
      pen.fillStyle = "white";
      pen.fillRect(0, 0, side, side);
      if (noise) {
        const image = pen.getImageData(0, 0, side, side);
        for (let at = 0; at < image.data.length; at += 65536) crypto.getRandomValues(image.data.subarray(at, at + 65536));
        for (let at = 3; at < image.data.length; at += 4) image.data[at] = 255;
        pen.putImageData(image, 0, 0);
      }
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(side / 2, side / 2, side / 4, 0, 7);
      pen.fill();
      return canvas.toDataURL("image/png").split(",")[1];
    },
    { colour, side, noise },
  );
  return { name: `${colour}.png`, mimeType: "image/png", buffer: Buffer.from(data, "base64") };
}

/** What the browser itself does when somebody pastes or drops a file. */
async function hand(page, target, kind, { name, mimeType, buffer }) {
  await target.evaluate(
    (element, { kind, name, mimeType, data }) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: mimeType }));
      const about = { bubbles: true, cancelable: true };
      element.dispatchEvent(
        kind === "paste"
          ? new ClipboardEvent("paste", { ...about, clipboardData: transfer })
          : new DragEvent("drop", { ...about, dataTransfer: transfer }),
      );
    },
    { kind, name, mimeType, data: buffer.toString("base64") },
  );
}

await journey(async (page, address) => {
  await page.goto(`${address}/chat`);
  const field = page.getByRole("textbox", { name: "Message" });
  const waiting = page.getByRole("group", { name: "Pictures to send" });
  await field.waitFor();
  const red = await circle(page, "red");

  // Each way in; and out again.
  await page.locator("input[type=file]").setInputFiles(red);
  await waiting.getByRole("img", { name: "red.png" }).waitFor();
  await hand(page, field, "paste", { ...red, name: "pasted.png" });
  await waiting.getByRole("img", { name: "pasted.png" }).waitFor();
  await hand(page, page.getByRole("log"), "drop", { ...red, name: "<img src=x onerror=\"globalThis.caught='name'\">.png" });
  await waiting.locator("img").nth(2).waitFor();
  await waiting.getByRole("button", { name: /^Take out <img/ }).click();
  await waiting.getByRole("button", { name: "Take out pasted.png" }).click();
  await waiting.locator("img").nth(1).waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => globalThis.caught), undefined);

  // What is no picture is refused in words; a model that is blind is told of before anything is sent.
  await page.locator("input[type=file]").setInputFiles({ name: "a.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg/>") });
  await page.getByText("“a.svg” is no picture that models take").waitFor();
  await waiting.getByRole("button", { name: "Take out red.png" }).click();
  await page.locator("input[type=file]").setInputFiles(red);
  await page.getByText(/pony cannot see pictures\. Choose one that can: .*pony-vision/).waitFor();
  await field.fill("Describe the picture.");
  assert.equal(await page.getByRole("button", { name: "Send" }).isDisabled(), true);
  assert.deepEqual(await barriers(page), []);

  const model = page.getByRole("combobox", { name: "Model" });
  await model.selectOption("pony-vision");
  await page.getByRole("button", { name: "Options" }).click();
  await page.getByRole("textbox", { name: "Temperature" }).fill("0");
  await say(page, "Describe the picture.");
  await page.getByRole("article", { name: "pony-vision" }).getByText(/red circle/).waitFor();
  assert.equal(await waiting.count(), 0);

  await page.reload();
  const shown = page.getByRole("article", { name: "You" }).getByRole("img", { name: "Picture 1 of 1" });
  await shown.waitFor();
  assert.ok(await shown.evaluate((image) => image.complete && image.naturalWidth === 96));
  assert.equal(await model.inputValue(), "pony-vision");

  // A large one is made small enough to be kept.
  await page.goto(`${address}/chat`);
  await model.selectOption("pony-vision");
  const large = await circle(page, "blue", 900, true);
  assert.ok(large.buffer.length > 1_500_000, `${large.buffer.length}`);
  await page.locator("input[type=file]").setInputFiles(large);
  await waiting.getByRole("img", { name: "blue.png" }).waitFor();
  await say(page, "What colour is the circle?");
  const kept = await call(address, "GET", `/admin/chats/${new URL(page.url()).pathname.split("/").at(-1)}`);
  const picture = kept.messages.flatMap((message) => message.parts).find((part) => part.kind === "image");
  assert.equal(picture.media_type, "image/jpeg");
  assert.ok(kept.size_bytes < 8_000_000, `${kept.size_bytes}`);
});
