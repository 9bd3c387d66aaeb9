import { MantineProvider } from "@mantine/core";
import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { withPieces } from "../source/chat/answering";
import { turns, type SavedMessage } from "../source/chat/chats";
import { Message } from "../source/chat/message";
import { pictureOf, shownPart } from "../source/chat/pictures";

const EVIL = "<img src=x onerror=alert(1)>";

function saved(role: SavedMessage["role"], parts: SavedMessage["parts"], more: Partial<SavedMessage> = {}): SavedMessage {
  return { role, parts, position: 0, created_at: "2026-01-01T00:00:00Z", ...more };
}

function shown(message: SavedMessage, edit?: (message: SavedMessage, text: string) => Promise<boolean>) {
  return render(
    <MantineProvider>
      <Message message={message} edit={edit} />
    </MantineProvider>,
  ).container;
}

test("a tool's name, arguments and output are text, whatever is in them", () => {
  const call = { id: "1", name: EVIL, arguments: `{"a": "${EVIL}"}` };
  const box = shown(saved("assistant", [{ kind: "tool_call", call }], { model: EVIL }));
  expect(box.querySelectorAll("img")).toHaveLength(0);
  expect(box.querySelector("details")?.textContent).toContain(`"a": "${EVIL}"`);
  expect(shown(saved("tool", [{ kind: "tool_result", call_id: "1", text: EVIL }])).querySelectorAll("img")).toHaveLength(0);
});

test("a picture is shown when it lies in the chat and is one; nothing is fetched from elsewhere", () => {
  const png = { kind: "image" as const, media_type: "image/png", data: "aGk=" };
  expect(shown(saved("user", [png])).querySelector("img")?.getAttribute("src")).toBe("data:image/png;base64,aGk=");
  expect(shownPart({ ...png, media_type: "image/svg+xml" })).toBeNull();
  expect(shownPart({ ...png, media_type: "text/html" })).toBeNull();
  const away = { ...png, media_type: "text/uri-list" };
  const box = shown(saved("user", [{ ...away, data: "https://a.test/b.png" }]));
  expect(box.querySelector("img")).toBeNull();
  expect(box.querySelector("a")?.getAttribute("href")).toBe("https://a.test/b.png");
  expect(shown(saved("user", [{ ...away, data: "javascript:alert(1)" }])).querySelector("a")).toBeNull();
});

test("a file that is no picture, or too large, is refused by its name", async () => {
  await expect(pictureOf(new File(["x"], "a.svg", { type: "image/svg+xml" }))).rejects.toThrow("“a.svg” is no picture");
  const picture = await pictureOf(new File(["hi"], "a.png", { type: "image/png" }));
  expect(picture).toEqual({ name: "a.png", type: "image/png", data: "aGk=" });
});

test("an edit that could not be sent stays to be sent again", async () => {
  const edit = vi.fn().mockResolvedValueOnce(false).mockResolvedValueOnce(true);
  shown(saved("user", [{ kind: "text", text: "Hello" }]), edit);
  fireEvent.click(screen.getByRole("button", { name: "Edit this message" }));
  fireEvent.change(screen.getByRole("textbox", { name: "Edited message" }), { target: { value: " Hi " } });
  const send = screen.getByRole("button", { name: "Send in a branch" });
  fireEvent.click(send);
  await vi.waitFor(() => expect(send.hasAttribute("data-loading")).toBe(false));
  expect(screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Edited message" }).value).toBe(" Hi ");
  fireEvent.click(send);
  await vi.waitFor(() => expect(screen.queryByRole("textbox")).toBeNull());
  expect(edit.mock.calls.map(([, text]) => text as string)).toEqual(["Hi", "Hi"]);
});

test("a model is told the last system prompt first, pictures and calls in place, and no question that got no answer", () => {
  const text = (words: string) => [{ kind: "text" as const, text: words }];
  const call = { id: "1", name: "look", arguments: "{}" };
  const told = turns([
    saved("system", text("Be brief.")),
    saved("user", text("Lost")),
    saved("user", text("Failed")),
    saved("assistant", text("half"), { finish_reason: "error" }),
    saved("user", [{ kind: "image", media_type: "image/png", data: "aGk=" }, ...text("What?")]),
    saved("assistant", [{ kind: "tool_call", call }]),
    saved("tool", [{ kind: "tool_result", call_id: "1", text: "a horse" }]),
    saved("assistant", text("A horse.")),
    saved("system", text("Sing.")),
    saved("user", text("And?")),
  ]);
  expect(told).toEqual([
    { role: "system", content: "Sing." },
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
        { type: "text", text: "What?" },
      ],
    },
    { role: "assistant", content: "", tool_calls: [{ id: "1", type: "function", function: { name: "look", arguments: "{}" } }] },
    { role: "tool", content: "a horse", tool_call_id: "1" },
    { role: "assistant", content: "A horse." },
    { role: "user", content: "And?" },
  ]);
});

test("a call that comes in pieces is put together, beside others", () => {
  const begun = withPieces([], [{ index: 0, id: "a", function: { name: "look", arguments: '{"x"' } }]);
  const both = withPieces(begun, [
    { index: 0, function: { arguments: ":1}" } },
    { index: 1, id: "b", function: { name: "hear", arguments: "{}" } },
  ]);
  expect(both).toEqual([
    { id: "a", name: "look", arguments: '{"x":1}' },
    { id: "b", name: "hear", arguments: "{}" },
  ]);
  expect(begun[0]?.arguments).toBe('{"x"');
});
