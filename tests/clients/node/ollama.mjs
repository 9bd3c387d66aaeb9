// The `ollama` package for Node: list, show, chat, tools, generate, ps, pull, copy, delete, leaving in the middle, errors.
import assert from "node:assert/strict";
import { Ollama } from "ollama";

const client = new Ollama({ host: process.argv[2].replace(/\/v1$/, "") });
const messages = [{ role: "user", content: "What is 3 plus 4?" }];
const options = { temperature: 0, num_predict: 64 };

assert.ok((await client.list()).models.some((model) => model.name === "pony:latest"));
assert.ok((await client.show({ model: "pony" })).capabilities.includes("completion"));
assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);

const answer = await client.chat({ model: "pony", messages, options });
assert.match(answer.message.content, /7/);
assert.equal(answer.done_reason, "stop");
assert.ok(answer.eval_duration > 0 && answer.eval_duration <= answer.total_duration);

let streamed = "";
let last = null;
for await (const part of await client.chat({ model: "pony", messages, options, stream: true })) {
  streamed += part.message.content;
  last = part;
}
assert.equal(streamed, answer.message.content);
assert.equal(last.done, true);
assert.equal(last.eval_count, answer.eval_count);
assert.deepEqual((await client.ps()).models.map((model) => model.name).includes("pony:latest"), true);

const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Tells the weather in a city.",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const asked = [{ role: "user", content: "What is the weather in Rome?" }];
const called = await client.chat({ model: "pony", messages: asked, tools, options });
const { function: wanted } = called.message.tool_calls[0];
assert.equal(wanted.name, "get_weather");
assert.equal(typeof wanted.arguments.city, "string");
const told = await client.chat({
  model: "pony",
  messages: [...asked, called.message, { role: "tool", tool_name: wanted.name, content: "22 degrees and sunny" }],
  tools,
  options,
});
assert.match(told.message.content, /22/);

const text = await client.generate({ model: "pony", prompt: "What is 3 plus 4?", options });
assert.equal(text.response, answer.message.content);
const more = await client.generate({ model: "pony", prompt: "What is 2 plus 2?", context: text.context, options });
assert.match(more.response, /4/);

const stories = await client.chat({ model: "pony", messages: [{ role: "user", content: "Tell me a story." }], stream: true });
await assert.rejects(async () => {
  for await (const _ of stories) stories.abort();
}, { name: "AbortError" });

const progress = [];
for await (const part of await client.pull({ model: "tiny:chatty", stream: true })) progress.push(part);
assert.equal(progress[0].status, "pulling manifest");
assert.equal(progress.at(-1).status, "success");
assert.ok(progress.some((part) => part.digest && part.completed === part.total));
assert.equal((await client.copy({ source: "tiny:chatty", destination: "chatty" })).status, "success");
assert.equal((await client.delete({ model: "chatty" })).status, "success");
assert.equal((await client.delete({ model: "tiny:chatty" })).status, "success");

for (const [refused, status] of [
  [() => client.chat({ model: "ponny", messages }), 404],
  [() => client.chat({ model: "pony", messages, options: { mirostat: 2 } }), 400],
  [() => client.generate({ model: "pony", prompt: "x", suffix: "y" }), 400],
  [() => client.pull({ model: "localhost:1234/library/tiny" }), 400],
  [() => client.embed({ model: "pony", input: "x" }), 400],
]) {
  await assert.rejects(refused, (error) => error.status_code === status && error.message.length > 0);
}
console.log("done");
