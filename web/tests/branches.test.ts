import { expect, test } from "vitest";
import { versions, type Member } from "../source/chat/branches";

function member(id: string, length: number, from?: [string, number]): Member {
  return { id, length, branched_from: from ? { id: from[0], position: from[1] } : null };
}

test("a conversation without branches has one version of everything", () => {
  expect(versions([member("a", 4)], "a", 2)).toBeNull();
  expect(versions([], "a", 0)).toBeNull();
});

test("an edited question has two versions, each reached from the other; what is shared has one", () => {
  const family = [member("a", 4), member("b", 4, ["a", 1])];
  expect(versions(family, "a", 1)).toBeNull();
  expect(versions(family, "a", 2)).toEqual({ chats: ["a", "b"], here: 0 });
  expect(versions(family, "b", 2)).toEqual({ chats: ["a", "b"], here: 1 });
  expect(versions(family, "b", 3)).toBeNull(); // it follows another question
});

test("the first message has versions, too", () => {
  const family = [member("a", 2), member("b", 2, ["a", -1])];
  expect(versions(family, "b", 0)).toEqual({ chats: ["a", "b"], here: 1 });
});

test("a branch of a branch counts where it differs", () => {
  const family = [member("a", 6), member("b", 6, ["a", 3]), member("c", 6, ["b", 1]), member("d", 6, ["b", 3])];
  expect(versions(family, "b", 4)?.chats).toEqual(["a", "b", "d"]);
  expect(versions(family, "b", 2)?.chats).toEqual(["b", "c"]); // it shows what `a` said, and one stays there
  expect(versions(family, "b", 2)?.here).toBe(0);
  expect(versions(family, "c", 2)).toEqual({ chats: ["a", "c"], here: 1 });
});

test("what a deleted conversation began stays reachable", () => {
  const family = [member("b", 4, ["gone", 1]), member("c", 4, ["gone", 1])];
  expect(versions(family, "b", 2)?.chats).toEqual(["b", "c"]);
  expect(versions(family, "b", 1)).toBeNull();
});

test("a branch that has not come so far is no version", () => {
  expect(versions([member("a", 4), member("b", 2, ["a", 1])], "a", 2)).toBeNull();
});
