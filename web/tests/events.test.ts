import { expect, test } from "vitest";
import { eventsOf, type ServerEvent } from "../source/api/events";

/** An answer that comes in these pieces, and whether somebody told it to stop. */
function answer(pieces: string[]) {
  const encoder = new TextEncoder();
  const seen = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(encoder.encode(piece));
    },
    cancel() {
      seen.cancelled = true;
    },
  });
  return { seen, response: { body } as Response };
}

test("events are whole however the network cuts them", async () => {
  const { response } = answer(["event: pro", "gress\nda", "ta: {\"a\":1}\n", "\n: working\n\ndata: x\ndata: y\n\n"]);
  const events: ServerEvent[] = [];
  for await (const event of eventsOf(response)) events.push(event);
  expect(events).toEqual([
    { name: "progress", data: '{"a":1}' },
    { name: "message", data: "x\ny" },
  ]);
});

test("whoever stops listening ends the stream", async () => {
  const { response, seen } = answer(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
  for await (const _ of eventsOf(response)) break;
  expect(seen.cancelled).toBe(true);
});
