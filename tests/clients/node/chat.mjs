// The `openai` package for Node: chat, stream, usage, logprobs, n, leaving in the middle, many at once, errors.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const question = { model: "pony", temperature: 0, messages: [{ role: "user", content: "What is 3 plus 4?" }] };

const answer = await client.chat.completions.create(question);
assert.match(answer.choices[0].message.content, /7/);
assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);

let streamed = "";
let usage = null;
for await (const chunk of await client.chat.completions.create({
  ...question,
  stream: true,
  stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(streamed, answer.choices[0].message.content);
assert.equal(usage.completion_tokens, answer.usage.completion_tokens);

const several = await client.chat.completions.create({ ...question, n: 2, logprobs: true, top_logprobs: 1 });
assert.equal(several.choices.length, 2);
assert.ok(several.choices[0].logprobs.content.length > 0);

const left = await client.chat.completions.create({
  ...question,
  messages: [{ role: "user", content: "Tell me a story." }],
  stream: true,
});
for await (const _ of left) break; // leaving a stream aborts its request

const many = await Promise.all(Array.from({ length: 16 }, () => client.chat.completions.create(question)));
assert.ok(many.every((one) => one.choices[0].message.content === answer.choices[0].message.content));

await assert.rejects(client.chat.completions.create({ ...question, model: "ponny" }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ ...question, temperature: 99 }), OpenAI.BadRequestError);
console.log("done");
